#pragma once
/* SPDX-License-Identifier: MIT */
/* What a terminal shows: colours where they are wanted, signs that it has. */

#include <stdbool.h>
#include <stdio.h>

#include "kapturefs/base/base.h"

/**
 * Whether @stream takes colours: a terminal that can, and whose user has not set NO_COLOR
 * (no-color.org).
 */
bool terminal_has_colours(FILE *stream);

/** Whether characters beyond ASCII can be shown, by the locale; sets it. */
bool terminal_has_unicode(void);

enum terminal_colour {
	TERMINAL_PLAIN,
	TERMINAL_BOLD,
	TERMINAL_DIM,
	TERMINAL_RED,
	TERMINAL_GREEN,
	TERMINAL_YELLOW,
};

/** What switches a colour on, or "" if @has_colours is false; TERMINAL_PLAIN switches all off. */
const char *terminal_switch(bool has_colours, enum terminal_colour colour);

/**
 * Tell what is wrong, on standard error: one line, in which nothing is obeyed, whatever has been
 * quoted in it; see text_make_line(). The line feed is added.
 */
void terminal_complain(const char *format, ...) printf_like(1, 2);

/** The same on standard output, for what is well. */
void terminal_say(const char *format, ...) printf_like(1, 2);

/**
 * Write what others have chosen. On a terminal, nothing in it is obeyed, see text_make_visible();
 * in JSON, which has a control character below U+007F only between its words, the others are
 * escaped. Elsewhere the bytes are as they are. An error is the stream's, see ferror().
 */
void terminal_write(FILE *stream, const char *bytes, size_t length, bool is_json);
