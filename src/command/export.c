/* SPDX-License-Identifier: MIT */
/*
 * `export`: all that is cached, to standard output.
 *
 * A table names its columns before its first row, so customers are gone through twice where the
 * columns are not given: the text stays the same meanwhile.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/export_parts.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/command/place.h"
#include "kapturefs/command/warm_parts.h"

enum {
	MEGABYTE = 1000000,
};

enum format { FORMAT_NDJSON, FORMAT_CSV };

struct export
{
	const char *path;
	enum format format;
	const char *columns;
	const char *where;
	bool checks_columns; /* whether they exist */
	bool is_terminal;    /* what is written to */
	struct export_source source;
	struct export_csv csv;
	struct export_words words;
	struct export_left left;
	bool *found; /* of the columns that were chosen, those that somebody has */
	struct warm_progress progress;
	uint64_t passes; /* through the text */
	uint64_t pass;
};

/* What is done with each customer. @json is the line. */
typedef int line_fn(struct export *export, const char *json, size_t length);

static int complain(const char *what, const char *text, int status)
{
	terminal_complain("kapturefs: export: %s%s%s", what, *what ? ": " : "", text);
	return status;
}

/* Progress: in megabytes, on a terminal, of what takes long enough */

static bool shows_progress(const struct export *export)
{
	return export->progress.is_terminal && export->progress.total;
}

static void show_progress(struct export *export)
{
	uint64_t done = export->pass * export->source.size + export->source.offset;

	if (shows_progress(export))
		warm_progress_show(&export->progress, (size_t)(done / MEGABYTE));
}

/* Going through */

/* Outcomes. Why something cannot be written is told by outcome_end(). */
enum {
	NOT_WRITTEN = 1,
	MISTAKEN, /* what was asked for, and that has been told */
};

static int write_bytes(const struct export *export, const char *bytes, size_t length)
{
	if (!export->is_terminal)
		return fwrite(bytes, 1, length, stdout) == length ? 0 : NOT_WRITTEN;
	terminal_write(stdout, bytes, length, export->format != FORMAT_CSV);
	return ferror(stdout) ? NOT_WRITTEN : 0;
}

static int take_line(struct export *export, line_fn *line, const char *json, size_t length)
{
	int r = export_words_match(&export->words, json, length);

	return r > 0 ? line(export, json, length) : r;
}

static int go_through(struct export *export, line_fn *line)
{
	const char *json;
	size_t length;
	size_t count = 0;
	int r;

	export_left_rewind(&export->left);
	for (;;) {
		r = export_source_line(&export->source, &json, &length);
		if (r || !length)
			break;
		if (!export_left_has(&export->left, count))
			r = take_line(export, line, json, length);
		if (r < 0)
			r = export_left_add(&export->left, count, json, length, r);
		if (r)
			break;
		if (++count % 1024 == 0)
			show_progress(export);
	}
	export->pass++;
	return r;
}

static int write_line(struct export *export, const char *json, size_t length)
{
	return write_bytes(export, json, length);
}

static int survey_line(struct export *export, const char *json, size_t length)
{
	return export_csv_survey(&export->csv, json, length);
}

static int seek_line(struct export *export, const char *json, size_t length)
{
	return export_csv_seek(&export->csv, json, length, export->found);
}

static int write_rows(struct export *export, const char *json, size_t length)
{
	int r = export_csv_rows(&export->csv, json, length);

	return r ? r : write_bytes(export, export->csv.row.data, export->csv.row.length);
}

static int copy_text(struct export *export)
{
	const char *bytes;
	size_t length;
	int r;

	while (!(r = export_source_read(&export->source, &bytes, &length)) && length) {
		r = write_bytes(export, bytes, length);
		if (r)
			return r;
		show_progress(export);
	}
	return r;
}

/* All columns that there are: those that the API documents, and those that somebody has. */
static int survey(struct export *export)
{
	int r = export_columns_document(&export->csv.columns, export->csv.with_contacts);

	if (!r)
		r = go_through(export, survey_line);
	export_source_rewind(&export->source);
	return r;
}

/*
 * Look at all customers in another way: whom that does not work with may be a row all the same.
 * With @csv and no words; what is found is in it.
 */
static int look_aside(struct export *export, struct export_csv *csv, int (*look)(struct export *))
{
	struct export_csv own_csv = export->csv;
	struct export_left own_left = export->left;
	size_t word_count = export->words.count;
	int r;

	export->csv = *csv;
	export->left = (struct export_left){ 0 };
	export->words.count = 0;
	r = look(export);
	*csv = export->csv;
	export_left_fini(&export->left);
	export->csv = own_csv;
	export->left = own_left;
	export->words.count = word_count;
	return r;
}

/* Survey one of the tables, of all customers. */
static int survey_table(struct export *export, bool with_contacts, struct export_columns *ret)
{
	struct export_csv csv;
	int r;

	export_csv_init(&csv);
	csv.with_contacts = with_contacts;
	r = look_aside(export, &csv, survey);
	*ret = csv.columns;
	ret->is_closed = true;
	csv.columns = (struct export_columns){ 0 };
	export_csv_fini(&csv);
	return r;
}

static int seek(struct export *export)
{
	int r = go_through(export, seek_line);

	export_source_rewind(&export->source);
	return r;
}

/* Note in export->found which of the columns that were chosen there are. */
static int find_chosen(struct export *export)
{
	struct export_columns documented = { 0 };
	struct export_csv csv;
	int r;

	r = export_columns_document(&documented, export->csv.with_contacts);
	documented.is_closed = true;
	for (size_t i = 0; !r && i < export->csv.columns.names.count; i++)
		export->found[i] =
		        export_choice_has(&documented,
		                          string_set_at(&export->csv.columns.names, (uint32_t)i));
	export_columns_fini(&documented);
	if (r)
		return r;

	export_csv_init(&csv);
	csv.with_contacts = export->csv.with_contacts;
	csv.columns = export->csv.columns;
	r = look_aside(export, &csv, seek);
	export->csv.columns = csv.columns;
	csv.columns = (struct export_columns){ 0 };
	export_csv_fini(&csv);
	return r;
}

/* Whether there is each of the columns that were chosen, however many others: 1 or 0. */
static int is_found(struct export *export)
{
	size_t count = export->csv.columns.names.count;
	size_t place = 0;
	int r;

	export->found = calloc(count, sizeof(*export->found));
	if (!export->found)
		return -ENOMEM;
	r = find_chosen(export);
	while (place < count && export->found[place])
		place++;
	free(steal(&export->found));
	return r ? r : place == count;
}

/* Whether the columns that were chosen exist: -EINVAL, with the complaint, if one does not. */
static int check_choice(struct export *export, struct config_complaint *complaint)
{
	struct export_columns known = { 0 };
	struct export_columns others = { 0 };
	bool with_contacts = export->csv.with_contacts;
	int r;

	r = is_found(export);
	if (r)
		return r < 0 ? r : 0;
	r = survey_table(export, with_contacts, &known);
	if (!r && !export_choice_is_within(&export->csv.columns, &known)) {
		r = survey_table(export, !with_contacts, &others);
		if (!r)
			r = export_choice_check(&export->csv.columns, &known, &others, complaint);
	}
	export_columns_fini(&known);
	export_columns_fini(&others);
	return r;
}

static int write_table(struct export *export)
{
	struct config_complaint complaint;
	int r = 0;

	if (!export->columns)
		r = survey(export);
	else if (export->checks_columns)
		r = check_choice(export, &complaint);
	if (r == -EINVAL) {
		complain("", complaint.text, EXIT_USAGE);
		return MISTAKEN;
	}
	if (!r)
		r = export_csv_head(&export->csv);
	if (!r)
		r = write_bytes(export, export->csv.row.data, export->csv.row.length);
	return r ? r : go_through(export, write_rows);
}

static int write_all(struct export *export)
{
	if (export->format == FORMAT_CSV)
		return write_table(export);
	/* A terminal is shown whole characters, as lines have them; pieces may end within one. */
	if (export->words.count || export->is_terminal)
		return go_through(export, write_line);
	return copy_text(export);
}

static int complain_of(const struct export *export, int r)
{
	switch (r) {
	case -EACCES:
		return complain(export->path, place_error(r), EXIT_TOKEN);
	case -ESTALE:
		return complain(export->path,
		                "somebody was forgotten, or too much has changed; start it again",
		                EXIT_LOCAL);
	default:
		return complain(export->path, strerror(-r), EXIT_LOCAL);
	}
}

static int run(struct export *export)
{
	int status;
	int r;

	status = export_source_open(export->path, &export->source);
	if (status != EXIT_OK)
		return status;
	export->passes = 1;
	if (export->format == FORMAT_CSV && (!export->columns || export->checks_columns))
		export->passes = 2;
	warm_progress_begin(&export->progress,
	                    (size_t)(export->passes * export->source.size / MEGABYTE));
	r = write_all(export);
	if (shows_progress(export))
		warm_progress_end(&export->progress);
	export_source_fini(&export->source);
	if (r == MISTAKEN)
		return EXIT_USAGE;
	status = export_left_tell(&export->left);
	return outcome_end("export",
	                   outcome_worse(r < 0 ? complain_of(export, r) : EXIT_OK, status));
}

/* The command line */

static const struct option long_options[] = {
	{ "format", required_argument, NULL, 'f' },  { "contacts", no_argument, NULL, 'c' },
	{ "columns", required_argument, NULL, 'n' }, { "where", required_argument, NULL, 'w' },
	{ "no-formulas", no_argument, NULL, 's' },   { NULL, 0, NULL, 0 },
};

/* Returns 0 or what is wrong with the option. */
static const char *set_option(struct export *export, int option)
{
	switch (option) {
	case 'f':
		if (strcmp(optarg, "csv") != 0 && strcmp(optarg, "ndjson") != 0)
			return "unknown format; there are ndjson and csv";
		export->format = strcmp(optarg, "csv") == 0 ? FORMAT_CSV : FORMAT_NDJSON;
		return NULL;
	case 'c':
		export->csv.with_contacts = true;
		return NULL;
	case 'n':
		export->columns = optarg;
		return NULL;
	case 'w':
		export->where = optarg;
		return export_words_add(&export->words, optarg) ? "too many words" : NULL;
	default:
		export->csv.is_safe = true;
		return NULL;
	}
}

static int parse_arguments(struct export *export, int argc, char **argv)
{
	const char *mistake;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return complain(argv[optind - 1],
			                option == '?'
			                        ? "unknown option; see kapturefs export --help"
			                        : "a value is missing behind it",
			                EXIT_USAGE);
		mistake = set_option(export, option);
		if (mistake)
			return complain(optarg, mistake, EXIT_USAGE);
	}
	if (argc - optind != 1)
		return complain("", "give one MOUNTPOINT or CACHE", EXIT_USAGE);
	if (export->format != FORMAT_CSV &&
	    (export->columns || export->csv.with_contacts || export->csv.is_safe))
		return complain("", "--contacts, --columns and --no-formulas are for --format csv",
		                EXIT_USAGE);
	if (export->where && !export->words.count)
		return complain("--where", "give a word", EXIT_USAGE);
	export->path = argv[optind];
	return EXIT_OK;
}

/* Take the columns of --columns. Those that the API does not document have to be looked for. */
static int choose_columns(struct export *export)
{
	struct export_columns documented = { 0 };
	struct config_complaint complaint;
	int r;

	if (!export->columns)
		return EXIT_OK;
	r = export_choice_read(export->columns, &export->csv.columns, &complaint);
	if (!r)
		r = export_columns_document(&documented, export->csv.with_contacts);
	documented.is_closed = true;
	export->checks_columns = !r && !export_choice_is_within(&export->csv.columns, &documented);
	export_columns_fini(&documented);
	if (r == -EINVAL)
		return complain("", complaint.text, EXIT_USAGE);
	return r ? complain("", strerror(-r), EXIT_LOCAL) : EXIT_OK;
}

int command_export(int argc, char **argv)
{
	struct export export = { .is_terminal = isatty(STDOUT_FILENO) };
	int status;

	export_csv_init(&export.csv);
	export_words_init(&export.words);
	status = parse_arguments(&export, argc, argv);
	if (status == EXIT_OK)
		status = choose_columns(&export);
	if (status == EXIT_OK)
		status = run(&export);
	export_csv_fini(&export.csv);
	export_left_fini(&export.left);
	export_words_fini(&export.words);
	return status;
}
