#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The parts of a line of the log: `module: event words name=value name="a value"`. What stands in
 * the line's format decides about them, for what is filled in may have an `=` of its own.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"

/** A stretch of the line; not terminated. */
struct log_span {
	const char *start;
	size_t length;
};

struct log_pair {
	struct log_span name;
	struct log_span value; /* without its quotes */
};

enum { LOG_PAIRS_MAX = 12 };

struct log_line {
	const char *text;       /* all of it */
	struct log_span module; /* empty if the line names none */
	struct log_span event;  /* up to the pairs at the end */
	struct log_pair pairs[LOG_PAIRS_MAX];
	size_t pair_count;
};

/** The parts of @text, to which nothing was filled in; borrowed. */
struct log_line log_line_read(const char *text);

/** The parts of @text, which printf(3) has made, maybe cut, of @format and @arguments; borrowed. */
struct log_line log_line_parts(const char *text, const char *format, va_list arguments);

/** The value of @name, empty if there is none. */
struct log_span log_line_find(const struct log_line *line, const char *name);

/** Copy @span, cut to @size with its NUL. */
void log_span_copy(struct log_span span, char *ret, size_t size);
