#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Text for comparing: without case, without accents, and with characters that are only other forms
 * of others, as those of full width, in their usual form. Source: Unicode's decompositions and case
 * foldings, by utf8proc.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

/**
 * Append @length bytes of @text, folded: capitals become small, letters with accents or strokes
 * become those without, what cannot be seen goes, and control characters are blanks. Signs of
 * vowels in the scripts of India are no accents. Bytes that are not UTF-8 stay. Errors as
 * buffer_append().
 */
int fold_append(struct buffer *buffer, const char *text, size_t length) must_check;

/** The same of its letters alone: without blanks, digits, signs and what is not UTF-8. */
int fold_append_letters(struct buffer *buffer, const char *text, size_t length) must_check;

/** What fold_to_ascii() makes of a character that cannot be seen, as marks of direction. */
enum { FOLD_INVISIBLE = 0x110000 };

/**
 * The ASCII character that people mean by @character: a digit of any script is that digit, any
 * blank a blank, any dash or minus `-`, and what is only another form of an ASCII character, as
 * those of full width, is that one. FOLD_INVISIBLE for what cannot be seen; else @character.
 */
uint32_t fold_to_ascii(uint32_t character);
