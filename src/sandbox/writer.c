/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/model/json.h"
#include "kapturefs/sandbox/writer.h"

enum { TEXT_SIZE = 1024 };

static void put(struct writer *writer, const char *text)
{
	if (!writer->r)
		writer->r = buffer_append_text(writer->buffer, text);
}

void writer_open(struct writer *writer, const char *bracket)
{
	put(writer, bracket);
	writer->is_first = true;
}

void writer_close(struct writer *writer, const char *bracket)
{
	put(writer, bracket);
	writer->is_first = false;
}

void writer_next(struct writer *writer)
{
	if (!writer->is_first)
		put(writer, ",");
	writer->is_first = false;
}

void writer_name(struct writer *writer, const char *member)
{
	writer_next(writer);
	put(writer, "\"");
	put(writer, member);
	put(writer, "\":");
}

void writer_text(struct writer *writer, const char *member, const char *value)
{
	writer_name(writer, member);
	if (!writer->r)
		writer->r = json_append_string(writer->buffer, value, strlen(value));
}

void writer_number(struct writer *writer, const char *member, uint64_t value)
{
	writer_name(writer, member);
	if (!writer->r)
		writer->r = buffer_print(writer->buffer, "%" PRIu64, value);
}

void writer_boolean(struct writer *writer, const char *member, bool value)
{
	writer_name(writer, member);
	put(writer, value ? "true" : "false");
}

void writer_amount(struct writer *writer, const char *member, uint32_t tenths)
{
	writer_name(writer, member);
	if (!writer->r)
		writer->r = buffer_print(writer->buffer, "%u.%u", tenths / 10, tenths % 10);
}

void writer_print(struct writer *writer, const char *member, const char *format, ...)
{
	char value[TEXT_SIZE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	if (!writer->r && length >= TEXT_SIZE)
		writer->r = -EFBIG;
	writer_text(writer, member, value);
}
