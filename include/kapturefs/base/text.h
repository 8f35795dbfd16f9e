#pragma once
/* SPDX-License-Identifier: MIT */
/* Text as people, editors and spreadsheets of other systems leave it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/** A piece of somebody's text, to be shortened from both ends. */
struct text {
	const char *start;
	size_t length;
};

/** Take @count bytes, which are there, off the start. */
static inline void text_skip(struct text *text, size_t count)
{
	text->start += count;
	text->length -= count;
}

/**
 * Make the @*length bytes plain: without a byte order mark at the start, and with each line ended
 * by `\n` where it was `\r\n` or `\r`. *@length becomes what is left, which is no more. Returns
 * NULL, or in words why it is no text in UTF-8, with nothing changed; static memory.
 */
const char *text_make_plain(char *bytes, size_t *length) must_check;

/** Whether @character is one that a terminal obeys, or that turns the order of what it shows. */
bool text_is_control(uint32_t character);

/**
 * Make the @length bytes, which others have chosen, fit for a terminal: each control character but
 * tab and line feed, and each byte that is not UTF-8, becomes a `?`. Returns what is left of
 * @length.
 */
size_t text_make_visible(char *bytes, size_t length) must_check;

/** The same for a text that ends in NUL, and is to be one line: a tab and a line feed, too. */
void text_make_line(char *text);
