/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/json_writer.h"

enum { PRINTED_SIZE = 1024 };

static int append_character(struct buffer *buffer, const char *text, size_t length)
{
	unsigned char byte = (unsigned char)*text;

	if (byte == '"' || byte == '\\')
		return buffer_print(buffer, "\\%c", byte);
	if (byte < 0x20)
		return buffer_print(buffer, "\\u%04x", byte);
	return buffer_append(buffer, text, length);
}

static int append_quoted(struct buffer *buffer, const char *text, size_t length)
{
	size_t size;
	int r;

	r = buffer_append_text(buffer, "\"");
	for (size_t at = 0; !r && at < length; at += size) {
		uint32_t character;

		size = utf8_decode(text + at, length - at, &character);
		r = size ? append_character(buffer, text + at, size) : -EILSEQ;
	}
	return r ? r : buffer_append_text(buffer, "\"");
}

int json_append_string(struct buffer *buffer, const char *text, size_t length)
{
	size_t before = buffer->length;
	int r;

	r = append_quoted(buffer, text, length);
	if (r && buffer->data) {
		buffer->length = before;
		buffer->data[before] = '\0';
	}
	return r;
}

struct json_writer json_begin(struct buffer *text)
{
	return (struct json_writer){ .text = text, .is_first = true };
}

struct json_writer json_begin_compact(struct buffer *text)
{
	return (struct json_writer){ .text = text, .is_first = true, .is_compact = true };
}

static void add(struct json_writer *writer, const char *text)
{
	if (!writer->error)
		writer->error = buffer_append_text(writer->text, text);
}

static void add_line(struct json_writer *writer)
{
	if (writer->is_compact)
		return;
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
	add(writer, writer->is_compact ? ":" : ": ");
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

void json_decimal(struct json_writer *writer, const char *name, uint64_t number, int digits)
{
	uint64_t power = 1;

	for (int i = 0; i < digits; i++)
		power *= 10;
	begin_value(writer, name);
	if (!writer->error)
		writer->error = buffer_print(writer->text, "%" PRIu64 ".%0*" PRIu64, number / power,
		                             digits, number % power);
}

void json_print(struct json_writer *writer, const char *name, const char *format, ...)
{
	char text[PRINTED_SIZE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!writer->error && length >= PRINTED_SIZE)
		writer->error = -EFBIG;
	json_text(writer, name, text);
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
	if (!writer->is_compact)
		add(writer, "\n");
	return writer->error;
}
