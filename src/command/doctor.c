/* SPDX-License-Identifier: MIT */
/* The order of the checks is the order in which they would keep a mount from working. */

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/text.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/doctor.h"
#include "kapturefs/model/json_writer.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/terminal.h"

enum { JSON_SIZE_MAX = 1 << 20 };

static const struct {
	const char *word;
	const char *sign;
	const char *ascii;
	enum terminal_colour colour;
} verdicts[] = {
	[DOCTOR_WELL] = { "ok", "✓", "ok  ", TERMINAL_GREEN },
	[DOCTOR_NOTE] = { "note", "!", "note", TERMINAL_YELLOW },
	[DOCTOR_FAILED] = { "failed", "✗", "FAIL", TERMINAL_RED },
	[DOCTOR_SKIPPED] = { "skipped", "-", "-   ", TERMINAL_DIM },
};

void doctor_say(struct doctor *doctor, const char *name, enum doctor_verdict verdict,
                const char *fix, const char *format, ...)
{
	struct doctor_row *row = &doctor->rows[doctor->row_count];
	va_list arguments;

	if (doctor->row_count == DOCTOR_ROWS)
		return;
	va_start(arguments, format);
	vsnprintf(row->text, sizeof(row->text), format, arguments);
	va_end(arguments);
	text_make_line(row->text);
	row->name = name;
	row->verdict = verdict;
	row->fix = fix;
	doctor->row_count++;
}

static size_t count_rows(const struct doctor *doctor, enum doctor_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < doctor->row_count; i++)
		count += doctor->rows[i].verdict == verdict;
	return count;
}

static void print_row(const struct doctor_row *row, bool has_colours, bool has_unicode)
{
	const char *on = terminal_switch(has_colours, verdicts[row->verdict].colour);
	const char *off = terminal_switch(has_colours, TERMINAL_PLAIN);

	printf(" %s%s%s  %-18s  %s\n", on,
	       has_unicode ? verdicts[row->verdict].sign : verdicts[row->verdict].ascii, off,
	       row->name, row->text);
	if (row->fix)
		printf(" %*s  %-18s  %sfix: %s%s\n", has_unicode ? 1 : 4, "", "",
		       terminal_switch(has_colours, TERMINAL_BOLD), row->fix, off);
}

static void print_words(const struct doctor *doctor)
{
	bool has_colours = terminal_has_colours(stdout);
	bool has_unicode = terminal_has_unicode();
	size_t failed = count_rows(doctor, DOCTOR_FAILED);
	size_t skipped = count_rows(doctor, DOCTOR_SKIPPED);

	for (size_t i = 0; i < doctor->row_count; i++)
		print_row(&doctor->rows[i], has_colours, has_unicode);
	if (failed)
		printf("\n%zu thing%s would keep a mount from working.\n", failed,
		       failed == 1 ? "" : "s");
	else
		printf("\nNothing%s would keep a mount from working.\n",
		       skipped ? " that was looked at" : "");
}

static int print_json(const struct doctor *doctor)
{
	cleanup(buffer_fini) struct buffer text;
	struct json_writer writer;
	int r;

	buffer_init(&text, JSON_SIZE_MAX);
	writer = json_begin(&text);
	json_open(&writer, NULL, '{');
	json_flag(&writer, "works", count_rows(doctor, DOCTOR_FAILED) == 0);
	json_open(&writer, "checks", '[');
	for (size_t i = 0; i < doctor->row_count; i++) {
		const struct doctor_row *row = &doctor->rows[i];

		json_open(&writer, NULL, '{');
		json_text(&writer, "name", row->name);
		json_text(&writer, "verdict", verdicts[row->verdict].word);
		json_text(&writer, "text", row->text);
		json_text(&writer, "fix", row->fix ? row->fix : "");
		json_close(&writer, '}');
	}
	json_close(&writer, ']');
	json_close(&writer, '}');
	r = json_end(&writer);
	if (!r)
		(void)fputs(text.data, stdout);
	return r;
}

static void examine(struct doctor *doctor)
{
	void (*const checks[])(struct doctor * doctor) = {
		doctor_check_config,      doctor_check_fuse,    doctor_check_kernel,
		doctor_check_confinement, doctor_check_process, doctor_check_cache,
		doctor_check_log,         doctor_check_token,   doctor_check_network,
	};

	for (size_t i = 0; i < array_length(checks); i++)
		checks[i](doctor);
}

static int refuse(const char *text)
{
	terminal_complain("kapturefs: doctor: %s", text);
	return EXIT_USAGE;
}

/* Returns EXIT_OK, or another exit status. */
static int parse_arguments(struct doctor *doctor, int argc, char **argv, bool *ret_json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	int r = 0;

	opterr = 0;
	while (!r && (option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (option == 'j')
			*ret_json = true;
		else if (option == 'o')
			r = config_request_add_options(&doctor->request, optarg);
		else {
			terminal_complain(
			        "kapturefs: doctor: %s: unknown option; see kapturefs doctor "
			        "--help",
			        argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1)
		return refuse("give one SOURCE; see kapturefs doctor --help");
	if (!r && optind < argc)
		r = config_request_set_source(&doctor->request, argv[optind]);
	return r ? refuse(strerror(-r)) : EXIT_OK;
}

static int run(struct doctor *doctor, int argc, char **argv)
{
	bool is_json = false;
	int status = parse_arguments(doctor, argc, argv, &is_json);

	if (status != EXIT_OK)
		return status;
	examine(doctor);
	if (!is_json)
		print_words(doctor);
	else if (print_json(doctor))
		return EXIT_LOCAL;
	return outcome_end("doctor", count_rows(doctor, DOCTOR_FAILED) ? EXIT_NO : EXIT_OK);
}

int command_doctor(int argc, char **argv)
{
	struct doctor *doctor = calloc(1, sizeof(*doctor));
	int status = EXIT_LOCAL;

	if (!doctor)
		return EXIT_LOCAL;
	serve_harden();
	/* What goes wrong is found, and told here. */
	log_set_silent();
	config_init(&doctor->config);
	if (config_request_init(&doctor->request) == 0)
		status = run(doctor, argc, argv);
	config_secrets_fini(&doctor->secrets);
	config_fini(&doctor->config);
	config_request_fini(&doctor->request);
	free(doctor);
	return status;
}
