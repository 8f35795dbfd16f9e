/* SPDX-License-Identifier: MIT */
/*
 * Records as the lines of a table, by RFC 4180: CRLF at the end, quotes around what needs them.
 *
 * A value is in the column of its path. The contacts, of which there may be any number, are a table
 * of their own, a line each, with the id of the customer in front.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/export_parts.h"

enum { PATH_SIZE = 4096 };

typedef int value_fn(struct export_csv *csv, size_t column, const struct member *member);

struct walk {
	struct export_csv *csv;
	const struct record *record;
	value_fn *take;
	char path[PATH_SIZE]; /* of values in what is walked through */
};

static int walk_below(struct walk *walk, const struct member *directory, size_t length);

static int walk_member(struct walk *walk, const struct member *member, size_t length)
{
	size_t column;
	int r;

	/* What has a path that long is nested deeper than a table can show. */
	if (length + member->name_length + 2 > PATH_SIZE)
		return -ENAMETOOLONG;
	if (length)
		walk->path[length++] = '.';
	memcpy(walk->path + length, member->name, member->name_length);
	length += member->name_length;
	if (member_is_directory(member))
		return walk_below(walk, member, length);
	r = export_columns_place(&walk->csv->columns, walk->path, length, &column);
	return r || column == SIZE_MAX ? r : walk->take(walk->csv, column, member);
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

static int pass_by(struct export_csv *csv, size_t column, const struct member *member)
{
	(void)csv;
	(void)column;
	(void)member;
	return 0;
}

static int take_cell(struct export_csv *csv, size_t column, const struct member *member)
{
	csv->cells[column] = member;
	return 0;
}

/* Cells */

static bool is_formula(const struct member *member, const char *text, size_t length)
{
	return member->type == MEMBER_STRING && length && memchr("=+-@\t\r", *text, 6);
}

static int append_cell(struct buffer *row, const char *text, size_t length, bool is_formula)
{
	bool is_quoted = is_formula;
	int r;

	for (size_t i = 0; !is_quoted && i < length; i++)
		is_quoted = memchr("\",\r\n", text[i], 4) != NULL;
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

static int append_value(struct export_csv *csv, const struct member *member)
{
	size_t length;

	if (!member)
		return 0;
	/* Without the newline that the file has. */
	length = member->value_length ? member->value_length - 1 : 0;
	return append_cell(&csv->row, member->value, length,
	                   csv->is_safe && is_formula(member, member->value, length));
}

static int append_row(struct export_csv *csv)
{
	int r = 0;

	for (size_t i = 0; !r && i < csv->columns.count; i++) {
		r = i ? buffer_append_text(&csv->row, ",") : 0;
		if (!r)
			r = append_value(csv, csv->cells[i]);
	}
	return r ? r : buffer_append_text(&csv->row, "\r\n");
}

static int clear_cells(struct export_csv *csv)
{
	if (!csv->cells)
		csv->cells = calloc(csv->columns.count, sizeof(*csv->cells));
	if (!csv->cells)
		return -ENOMEM;
	memset(csv->cells, 0, csv->columns.count * sizeof(*csv->cells));
	return 0;
}

/* Rows */

static int walk_through(struct walk *walk, const struct member *directory, bool is_contact)
{
	const struct member *customer = record_member(walk->record, 0);
	const struct member *id = record_child(walk->record, customer, "id", strlen("id"));
	size_t column;
	int r = 0;

	if (is_contact && id) {
		r = export_columns_place(&walk->csv->columns, "customer", strlen("customer"),
		                         &column);
		if (!r && column != SIZE_MAX)
			r = walk->take(walk->csv, column, id);
	}
	return r ? r : walk_below(walk, directory, 0);
}

int export_csv_survey(struct export_csv *csv, const struct record *record)
{
	struct walk walk = { .csv = csv, .record = record, .take = pass_by };
	const struct member *contacts = record_contacts(record);
	const struct member *contact;
	int r = 0;

	if (!csv->with_contacts)
		return walk_through(&walk, record_member(record, 0), false);
	contact = contacts ? record_child_after(record, contacts, 0) : NULL;
	for (; !r && contact; contact = record_sibling(record, contact)) {
		if (member_is_directory(contact))
			r = walk_through(&walk, contact, true);
	}
	return r;
}

int export_csv_head(struct export_csv *csv)
{
	int r = 0;

	csv->columns.is_closed = true;
	buffer_clear(&csv->row);
	for (size_t i = 0; !r && i < csv->columns.count; i++) {
		r = i ? buffer_append_text(&csv->row, ",") : 0;
		if (!r)
			r = append_cell(&csv->row, csv->columns.names[i],
			                strlen(csv->columns.names[i]), false);
	}
	return r ? r : buffer_append_text(&csv->row, "\r\n");
}

static int add_row(struct export_csv *csv, const struct record *record,
                   const struct member *directory, bool is_contact)
{
	struct walk walk = { .csv = csv, .record = record, .take = take_cell };
	int r;

	r = clear_cells(csv);
	if (!r)
		r = walk_through(&walk, directory, is_contact);
	return r ? r : append_row(csv);
}

int export_csv_rows(struct export_csv *csv, const struct record *record)
{
	const struct member *contacts = record_contacts(record);
	const struct member *contact;
	int r = 0;

	buffer_clear(&csv->row);
	if (!csv->with_contacts)
		return add_row(csv, record, record_member(record, 0), false);
	contact = contacts ? record_child_after(record, contacts, 0) : NULL;
	for (; !r && contact; contact = record_sibling(record, contact)) {
		if (member_is_directory(contact))
			r = add_row(csv, record, contact, true);
	}
	return r;
}

void export_csv_fini(struct export_csv *csv)
{
	export_columns_fini(&csv->columns);
	free(csv->cells);
	buffer_fini(&csv->row);
}
