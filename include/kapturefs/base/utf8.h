#pragma once
/* SPDX-License-Identifier: MIT */
/* One character of UTF-8 at a time, by RFC 3629 to the letter. */

#include <stddef.h>
#include <stdint.h>

/**
 * Read the character that the @length bytes at @text begin with. Returns how
 * many bytes it takes, 1 to 4, with its number in *@ret; or 0 with *@ret
 * untouched if they begin with none: nothing there, cut short, longer than
 * need be, a surrogate, beyond U+10FFFF.
 */
size_t utf8_decode(const char *text, size_t length, uint32_t *ret);

enum { UTF8_LENGTH_MAX = 4 };

/** Write @character, at most U+10FFFF. Returns how many bytes it takes. */
size_t utf8_encode(uint32_t character, char ret[UTF8_LENGTH_MAX]);
