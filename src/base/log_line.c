/* SPDX-License-Identifier: MIT */

#include <string.h>

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

struct log_line log_line_read(const char *line)
{
	struct log_line ret = { .module = { line, 0 } };
	size_t length = 0;
	const char *place;

	while (is_name_byte(line[length]))
		length++;
	if (length && line[length] == ':' && line[length + 1] == ' ') {
		ret.module.length = length;
		line += length + 2;
	}

	place = line;
	while (*place && !name_length(place)) {
		place += strcspn(place, " ");
		place += strspn(place, " ");
	}
	ret.event = (struct log_span){ line, (size_t)(place - line) };
	while (ret.event.length && line[ret.event.length - 1] == ' ')
		ret.event.length--;
	ret.pairs = place;
	return ret;
}

bool log_line_next(const char **place, struct log_pair *ret)
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

struct log_span log_line_find(const struct log_line *line, const char *name)
{
	const char *place = line->pairs;
	struct log_pair pair;

	while (log_line_next(&place, &pair)) {
		if (pair.name.length == strlen(name) &&
		    memcmp(pair.name.start, name, pair.name.length) == 0)
			return pair.value;
	}
	return (struct log_span){ "", 0 };
}

void log_span_copy(struct log_span span, char *ret, size_t size)
{
	size_t length = span.length < size ? span.length : size - 1;

	memcpy(ret, span.start, length);
	ret[length] = '\0';
}
