/* SPDX-License-Identifier: MIT */
/*
 * Records as the lines of a table, by RFC 4180: CRLF at the end, quotes around what needs them.
 *
 * A value is in the column of its path. The contacts, of which there may be any number, are a table
 * of their own, a line each, with the id of the customer in front. Nearly all customers are read as
 * export_brief.c does; the others by way of a record.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/text.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/command/export_parts.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/payload.h"

enum {
	PATH_SIZE = 4096,
	ROW_SIZE_MAX = 256 << 20, /* more than all columns can have for names */
};

struct walk {
	struct export_csv *csv;
	const struct export_visitor *visitor;
	const struct record *record;
	char path[PATH_SIZE]; /* of values in what is walked through */
};

/* By way of a record */

static struct export_cell cell_of(const struct member *member)
{
	return (struct export_cell){
		.text = member->value,
		/* Without the newline that the file has. */
		.length = member->value_length ? member->value_length - 1 : 0,
		.is_string = member->type == MEMBER_STRING,
	};
}

int export_csv_column(struct export_csv *csv, const char *path, size_t length, size_t *ret)
{
	static const char own_customer[] = "%63ustomer";
	bool is_own = csv->with_contacts && length == strlen(EXPORT_CUSTOMER) &&
	              memcmp(path, EXPORT_CUSTOMER, length) == 0;

	return export_columns_place(&csv->columns, is_own ? own_customer : path,
	                            is_own ? strlen(own_customer) : length, ret);
}

static int walk_below(struct walk *walk, const struct member *directory, size_t length);

/* Append the name to the path, which is @length bytes long. Returns its new length, or 0. */
static size_t append_name(struct walk *walk, size_t length, const struct member *member)
{
	/* What has a path that long is nested deeper than a table can show. */
	if (length + 3 * member->name_length + 2 > PATH_SIZE)
		return 0;
	if (length)
		walk->path[length++] = '.';
	for (size_t i = 0; i < member->name_length; i++) {
		char byte = member->name[i];

		if (byte == '.' || byte == ',')
			length += (size_t)sprintf(walk->path + length, "%%%02X", (unsigned)byte);
		else
			walk->path[length++] = byte;
	}
	return length;
}

static int walk_member(struct walk *walk, const struct member *member, size_t length)
{
	const struct export_cell cell = cell_of(member);
	size_t column;
	int r;

	length = append_name(walk, length, member);
	if (!length)
		return walk->csv->columns.is_closed ? 0 : -ENAMETOOLONG;
	if (member_is_directory(member))
		return walk_below(walk, member, length);
	r = export_csv_column(walk->csv, walk->path, length, &column);
	if (!r && column != SIZE_MAX)
		walk->visitor->value(walk->csv, column, &cell);
	return r;
}

static int walk_below(struct walk *walk, const struct member *directory, size_t length)
{
	const struct member *child = record_child_after(walk->record, directory, 0);
	int r = 0;

	for (; !r && child; child = record_sibling(walk->record, child)) {
		if (child != record_contacts(walk->record))
			r = walk_member(walk, child, length);
	}
	return r;
}

static int walk_row(struct walk *walk, const struct member *directory,
                    const struct export_cell *customer)
{
	int r;

	r = walk->visitor->begin(walk->csv, customer);
	if (!r)
		r = walk_below(walk, directory, 0);
	return r ? r : walk->visitor->end(walk->csv);
}

static int walk_contacts(struct walk *walk)
{
	const struct record *record = walk->record;
	const struct member *contacts = record_contacts(record);
	const struct member *contact = contacts ? record_child_after(record, contacts, 0) : NULL;
	const struct member *id = record_child(record, record_member(record, 0), "id", 2);
	const struct export_cell customer = id ? cell_of(id) : (struct export_cell){ 0 };
	int r = 0;

	for (; !r && contact; contact = record_sibling(record, contact)) {
		if (member_is_directory(contact))
			r = walk_row(walk, contact, &customer);
	}
	return r;
}

int export_csv_visit_record(struct export_csv *csv, const struct export_visitor *visitor,
                            const char *json, size_t length)
{
	cleanup(record_unrefp) struct record *record = NULL;
	struct walk walk = { .csv = csv, .visitor = visitor };
	int r;

	r = payload_read_customer(json, length, &record);
	if (r)
		return r;
	walk.record = record;
	return csv->with_contacts ? walk_contacts(&walk)
	                          : walk_row(&walk, record_member(record, 0), NULL);
}

/* Cells */

/* What OWASP's page on CSV injection lists. */
static bool is_sign(struct text text)
{
	static const char *const signs[] = { "=", "+", "-", "@", "＝", "＋", "－", "＠" };

	for (size_t i = 0; i < array_length(signs); i++) {
		size_t size = strlen(signs[i]);

		if (text.length >= size && memcmp(text.start, signs[i], size) == 0)
			return true;
	}
	return false;
}

/*
 * Spreadsheets pass over what is blank before a sign. A control character may end the cell, and
 * what follows it begins another.
 */
static bool is_formula(const char *start, size_t length)
{
	struct text text = { start, length };

	if (length && memchr("\t\r\n", *start, 3))
		return true;
	key_trim(&text);
	return (text.length && (unsigned char)*text.start < ' ') || is_sign(text);
}

/* Whether the first character may stand before a sign; *@ret is its size. */
static bool is_blank(struct text text, size_t *ret)
{
	uint32_t character;

	*ret = utf8_decode(text.start, text.length, &character);
	*ret = *ret ? *ret : 1;
	text.length = *ret;
	key_trim(&text);
	return !text.length;
}

static bool is_separator(char byte)
{
	return byte == ';' || byte == '\t' || byte == '\r' || byte == '\n';
}

/*
 * Where the comma is the decimal sign, a spreadsheet separates cells by `;`, and quotes behind a
 * comma mean nothing to it. So what stands behind a separator within a cell may begin one: put a '
 * before each sign that does. In one pass, for a cell may have millions of separators.
 */
static int defuse(struct text text, struct buffer *ret)
{
	bool begins = false;
	int r = 0;

	while (!r && text.length) {
		size_t size;
		bool is_gap = is_blank(text, &size);

		if (begins && is_sign(text))
			r = buffer_append_text(ret, "'");
		if (!r)
			r = buffer_append(ret, text.start, size);
		begins = is_separator(*text.start) || (begins && is_gap);
		text_skip(&text, size);
	}
	return r;
}

static int append_cell(struct buffer *row, const char *text, size_t length, bool is_formula)
{
	bool is_quoted = is_formula;
	int r;

	for (size_t i = 0; !is_quoted && i < length; i++)
		is_quoted = text[i] == '"' || text[i] == ',' || is_separator(text[i]);
	if (!is_quoted)
		return buffer_append(row, text, length);

	r = buffer_append_text(row, is_formula ? "\"'" : "\"");
	while (!r && length) {
		const char *quote = memchr(text, '"', length);
		size_t part = quote ? (size_t)(quote - text) + 1 : length;

		r = buffer_append(row, text, part);
		if (!r && quote)
			r = buffer_append_text(row, "\"");
		text += part;
		length -= part;
	}
	return r ? r : buffer_append_text(row, "\"");
}

static int append_safe(struct buffer *row, const char *text, size_t length)
{
	cleanup(buffer_fini) struct buffer safe;
	size_t i = 0;
	int r;

	buffer_init(&safe, SIZE_MAX);
	while (i < length && !is_separator(text[i]))
		i++;
	if (i == length)
		return append_cell(row, text, length, is_formula(text, length));
	r = defuse((struct text){ text, length }, &safe);
	return r ? r : append_cell(row, safe.data, safe.length, is_formula(text, length));
}

static int append_value(struct export_csv *csv, const struct export_cell *cell)
{
	struct export_cell shown = *cell;
	int r;

	if (cell->is_escaped && memchr(cell->text, '\\', cell->length)) {
		r = export_brief_decode(cell, &csv->decoded);
		if (r)
			return r;
		shown.text = csv->decoded.data;
		shown.length = csv->decoded.length;
	}
	if (csv->is_safe && cell->is_string)
		return append_safe(&csv->row, shown.text, shown.length);
	return append_cell(&csv->row, shown.text, shown.length, false);
}

/* Rows */

static int begin_row(struct export_csv *csv, const struct export_cell *customer)
{
	size_t column;
	int r;

	if (!csv->cells)
		csv->cells = calloc(csv->columns.names.count, sizeof(*csv->cells));
	if (!csv->cells)
		return -ENOMEM;
	memset(csv->cells, 0, csv->columns.names.count * sizeof(*csv->cells));
	if (!customer)
		return 0;
	r = export_columns_place(&csv->columns, EXPORT_CUSTOMER, strlen(EXPORT_CUSTOMER), &column);
	if (!r && column != SIZE_MAX)
		csv->cells[column] = *customer;
	return r;
}

static void take_cell(struct export_csv *csv, size_t column, const struct export_cell *cell)
{
	csv->cells[column] = *cell;
}

static int append_row(struct export_csv *csv)
{
	int r = 0;

	for (size_t i = 0; !r && i < csv->columns.names.count; i++) {
		r = i ? buffer_append_text(&csv->row, ",") : 0;
		if (!r && csv->cells[i].length)
			r = append_value(csv, &csv->cells[i]);
	}
	return r ? r : buffer_append_text(&csv->row, "\r\n");
}

int export_csv_rows(struct export_csv *csv, const char *json, size_t length)
{
	static const struct export_visitor visitor = { begin_row, take_cell, append_row };
	int r;

	buffer_clear(&csv->row);
	r = export_brief_walk(csv, &visitor, json, length);
	if (r != EXPORT_NOT_BRIEF)
		return r;
	buffer_clear(&csv->row);
	return export_csv_visit_record(csv, &visitor, json, length);
}

/* Columns */

static int begin_survey(struct export_csv *csv, const struct export_cell *customer)
{
	(void)csv;
	(void)customer;
	return 0;
}

static void pass_by(struct export_csv *csv, size_t column, const struct export_cell *cell)
{
	(void)csv;
	(void)column;
	(void)cell;
}

static int end_survey(struct export_csv *csv)
{
	(void)csv;
	return 0;
}

static int visit(struct export_csv *csv, const struct export_visitor *visitor, const char *json,
                 size_t length)
{
	int r = export_brief_walk(csv, visitor, json, length);

	return r == EXPORT_NOT_BRIEF ? export_csv_visit_record(csv, visitor, json, length) : r;
}

int export_csv_survey(struct export_csv *csv, const char *json, size_t length)
{
	static const struct export_visitor visitor = { begin_survey, pass_by, end_survey };
	uint32_t count = csv->columns.names.count;
	int r;

	csv->columns.count_max = count + EXPORT_COLUMNS_OWN_MAX;
	if (csv->columns.count_max > EXPORT_COLUMNS_MAX)
		csv->columns.count_max = EXPORT_COLUMNS_MAX;
	r = visit(csv, &visitor, json, length);
	if (r) {
		string_set_cut(&csv->columns.names, count);
		/* Which knows where the columns were. */
		export_brief_fini(&csv->brief);
	}
	return r;
}

static void note_found(struct export_csv *csv, size_t column, const struct export_cell *cell)
{
	(void)cell;
	csv->found[column] = true;
}

int export_csv_seek(struct export_csv *csv, const char *json, size_t length, bool *found)
{
	static const struct export_visitor visitor = { begin_survey, note_found, end_survey };

	csv->found = found;
	return visit(csv, &visitor, json, length);
}

int export_csv_head(struct export_csv *csv)
{
	int r = 0;

	csv->columns.is_closed = true;
	buffer_clear(&csv->row);
	for (size_t i = 0; !r && i < csv->columns.names.count; i++) {
		const char *name = string_set_at(&csv->columns.names, (uint32_t)i);
		size_t length = strlen(name);

		r = i ? buffer_append_text(&csv->row, ",") : 0;
		if (!r)
			r = csv->is_safe ? append_safe(&csv->row, name, length)
			                 : append_cell(&csv->row, name, length, false);
	}
	return r ? r : buffer_append_text(&csv->row, "\r\n");
}

void export_csv_init(struct export_csv *csv)
{
	*csv = (struct export_csv){ 0 };
	buffer_init(&csv->row, ROW_SIZE_MAX);
	buffer_init(&csv->decoded, ROW_SIZE_MAX);
}

void export_csv_fini(struct export_csv *csv)
{
	export_columns_fini(&csv->columns);
	export_brief_fini(&csv->brief);
	free(csv->cells);
	buffer_fini(&csv->row);
	buffer_fini(&csv->decoded);
}
