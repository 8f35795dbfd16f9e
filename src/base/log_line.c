/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/log_line.h"

static bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || byte == '_';
}

/* The length of a name at @place with `=` behind it; 0 if there is none. */
static size_t name_length(const char *place)
{
	size_t length = 0;

	while (is_name_byte(place[length]))
		length++;
	return place[length] == '=' ? length : 0;
}

/* Read the pair at *@place and step behind it; false if there is none. */
static bool next_pair(const char **place, struct log_pair *ret)
{
	const char *here = *place + strspn(*place, " ");
	size_t length = name_length(here);
	bool is_quoted;

	if (!length)
		return false;
	ret->name = (struct log_span){ here, length };
	here += length + 1;
	is_quoted = *here == '"';
	here += is_quoted;
	ret->value = (struct log_span){ here, strcspn(here, is_quoted ? "\"" : " ") };
	here += ret->value.length;
	*place = here + (is_quoted && *here);
	return true;
}

/* Read what stands at @place, if it is pairs up to the end. */
static bool read_pairs(const char *place, struct log_line *line)
{
	line->pair_count = 0;
	while (line->pair_count < LOG_PAIRS_MAX &&
	       next_pair(&place, &line->pairs[line->pair_count]))
		line->pair_count++;
	if (!*place)
		return true;
	line->pair_count = 0;
	return false;
}

static const char *next_word(const char *place)
{
	place += strcspn(place, " ");
	return place + strspn(place, " ");
}

struct log_line log_line_read(const char *text)
{
	struct log_line ret = { .text = text, .module = { text, 0 } };
	const char *event = text;
	const char *place;
	size_t length = 0;

	while (is_name_byte(text[length]))
		length++;
	if (length && text[length] == ':' && text[length + 1] == ' ') {
		ret.module.length = length;
		event += length + 2;
	}

	place = event;
	while (*place && !read_pairs(place, &ret))
		place = next_word(place);
	ret.event = (struct log_span){ event, (size_t)(place - event) };
	while (ret.event.length && event[ret.event.length - 1] == ' ')
		ret.event.length--;
	return ret;
}

/* How long the beginning of @format, @length bytes of it, becomes. It takes the first arguments. */
static size_t filled_length(const char *format, size_t length, va_list arguments)
{
	char beginning[LOG_LINE_SIZE];
	va_list copy;
	int filled;

	if (length >= sizeof(beginning))
		return LOG_LINE_SIZE;
	memcpy(beginning, format, length);
	beginning[length] = '\0';
	va_copy(copy, arguments);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the beginning of one that was checked */
	filled = vsnprintf(NULL, 0, beginning, copy);
#pragma GCC diagnostic pop
	va_end(copy);
	return filled < 0 ? 0 : (size_t)filled;
}

struct text {
	const char *bytes;
	size_t length;
	const char *format;
};

/* Have *@span, a stretch of the format, be what it has become. */
static void move_span(const struct text *text, va_list arguments, struct log_span *span)
{
	size_t start = (size_t)(span->start - text->format);
	size_t from = filled_length(text->format, start, arguments);
	size_t to = filled_length(text->format, start + span->length, arguments);

	if (from > text->length)
		from = text->length;
	if (to > text->length)
		to = text->length;
	*span = (struct log_span){ text->bytes + from, to - from };
}

struct log_line log_line_parts(const char *text, const char *format, va_list arguments)
{
	const struct text filled = { text, strlen(text), format };
	struct log_line line = log_line_read(format);

	line.text = text;
	move_span(&filled, arguments, &line.module);
	move_span(&filled, arguments, &line.event);
	for (size_t i = 0; i < line.pair_count; i++)
		move_span(&filled, arguments, &line.pairs[i].value);
	return line;
}

struct log_span log_line_find(const struct log_line *line, const char *name)
{
	for (size_t i = 0; i < line->pair_count; i++) {
		const struct log_pair *pair = &line->pairs[i];

		if (pair->name.length == strlen(name) &&
		    memcmp(pair->name.start, name, pair->name.length) == 0)
			return pair->value;
	}
	return (struct log_span){ "", 0 };
}

void log_span_copy(struct log_span span, char *ret, size_t size)
{
	size_t length = span.length < size ? span.length : size - 1;

	memcpy(ret, span.start, length);
	ret[length] = '\0';
}
