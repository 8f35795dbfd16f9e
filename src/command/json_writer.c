/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/json_writer.h"
#include "kapturefs/model/json.h"

struct json_writer json_begin(struct buffer *text)
{
	return (struct json_writer){ .text = text, .is_first = true };
}

static void add(struct json_writer *writer, const char *text)
{
	if (!writer->error)
		writer->error = buffer_append_text(writer->text, text);
}

static void add_line(struct json_writer *writer)
{
	add(writer, "\n");
	for (int i = 0; i < writer->depth; i++)
		add(writer, "  ");
}

static int append_ascii(struct buffer *buffer, const char *text)
{
	char *copy = strdup(text);
	int r;

	if (!copy)
		return -ENOMEM;
	for (char *byte = copy; *byte; byte++) {
		if (*byte & 0x80)
			*byte = '?';
	}
	r = json_append_string(buffer, copy, strlen(copy));
	free(copy);
	return r;
}

static void add_string(struct json_writer *writer, const char *text)
{
	if (writer->error)
		return;
	writer->error = json_append_string(writer->text, text, strlen(text));
	if (writer->error == -EILSEQ)
		writer->error = append_ascii(writer->text, text);
}

/* What stands before any value. */
static void begin_value(struct json_writer *writer, const char *name)
{
	if (!writer->is_first)
		add(writer, ",");
	if (writer->depth)
		add_line(writer);
	writer->is_first = false;
	if (!name)
		return;
	add_string(writer, name);
	add(writer, ": ");
}

void json_text(struct json_writer *writer, const char *name, const char *text)
{
	begin_value(writer, name);
	add_string(writer, text);
}

void json_number(struct json_writer *writer, const char *name, uint64_t number)
{
	begin_value(writer, name);
	if (!writer->error)
		writer->error = buffer_print(writer->text, "%" PRIu64, number);
}

void json_thousandths(struct json_writer *writer, const char *name, uint64_t number)
{
	begin_value(writer, name);
	if (!writer->error)
		writer->error = buffer_print(writer->text, "%" PRIu64 ".%03" PRIu64, number / 1000,
		                             number % 1000);
}

void json_flag(struct json_writer *writer, const char *name, bool flag)
{
	begin_value(writer, name);
	add(writer, flag ? "true" : "false");
}

void json_open(struct json_writer *writer, const char *name, char bracket)
{
	begin_value(writer, name);
	add(writer, bracket == '{' ? "{" : "[");
	writer->depth++;
	writer->is_first = true;
}

void json_close(struct json_writer *writer, char bracket)
{
	bool was_empty = writer->is_first;

	writer->depth--;
	if (!was_empty)
		add_line(writer);
	add(writer, bracket == '}' ? "}" : "]");
	writer->is_first = false;
}

int json_end(struct json_writer *writer)
{
	add(writer, "\n");
	return writer->error;
}
