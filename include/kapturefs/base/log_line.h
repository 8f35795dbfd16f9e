#pragma once
/* SPDX-License-Identifier: MIT */
/* The parts of a line of the log: `module: event words name=value name="a value"`. */

#include <stdbool.h>
#include <stddef.h>

/** A stretch of the line; not terminated. */
struct log_span {
	const char *start;
	size_t length;
};

struct log_line {
	struct log_span module; /* empty if the line names none */
	struct log_span event;
	const char *pairs; /* where they begin; the end of the line if there are none */
};

struct log_pair {
	struct log_span name;
	struct log_span value; /* without its quotes */
};

struct log_line log_line_read(const char *line);

/** Read the pair at *@place and step behind it; false if there is none. */
bool log_line_next(const char **place, struct log_pair *ret);

/** The value of @name, empty if there is none. */
struct log_span log_line_find(const struct log_line *line, const char *name);

/** Copy @span, cut to @size with its NUL. */
void log_span_copy(struct log_span span, char *ret, size_t size);
