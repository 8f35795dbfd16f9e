/* SPDX-License-Identifier: MIT */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/fold.h"

/* What letters from U+00C0, U+0100 and U+1EA0 on are without accents; `?`: themselves. */
static const char latin_1[] = "aaaaaa?ceeeeiiiidnooooo?ouuuuy??"
                              "aaaaaa?ceeeeiiiidnooooo?ouuuuy?y";
static const char latin_a[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                              "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static const char latin_more[] = "aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiii"
                                 "oooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy";

static const struct letters {
	uint32_t first;
	size_t count;
	const char *folded;
} letters[] = {
	{ 0xc0, sizeof(latin_1) - 1, latin_1 },
	{ 0x100, sizeof(latin_a) - 1, latin_a },
	{ 0x1ea0, sizeof(latin_more) - 1, latin_more },
};

/* Capitals of other alphabets, and how far it is to the small letters. */
static const struct capitals {
	uint32_t first;
	uint32_t last;
	uint32_t distance;
} capitals[] = {
	{ 0xc6, 0xc6, 0x20 },   { 0xde, 0xde, 0x20 },   { 0x391, 0x3a1, 0x20 },
	{ 0x3a3, 0x3a9, 0x20 }, { 0x400, 0x40f, 0x50 }, { 0x410, 0x42f, 0x20 },
};

_Static_assert(sizeof(latin_1) - 1 == 0x40, "every letter from U+00C0 to U+00FF");
_Static_assert(sizeof(latin_a) - 1 == 0x80, "every letter from U+0100 to U+017F");
_Static_assert(sizeof(latin_more) - 1 == 0x1efa - 0x1ea0, "every letter from U+1EA0 to U+1EF9");

static bool is_combining(uint32_t character)
{
	return character >= 0x300 && character <= 0x36f;
}

/* The Latin letter without its accent, or 0. */
static char without_accent(uint32_t character)
{
	for (size_t i = 0; i < array_length(letters); i++) {
		uint32_t place = character - letters[i].first;

		if (character >= letters[i].first && place < letters[i].count)
			return letters[i].folded[place] == '?' ? 0 : letters[i].folded[place];
	}
	return 0;
}

/* Capitals of two bytes have small letters of two bytes. */
static int append_small(struct buffer *buffer, uint32_t character, const char *text, size_t length)
{
	for (size_t i = 0; i < array_length(capitals); i++) {
		if (character >= capitals[i].first && character <= capitals[i].last) {
			char small[UTF8_LENGTH_MAX];

			length = utf8_encode(character + capitals[i].distance, small);
			return buffer_append(buffer, small, length);
		}
	}
	return buffer_append(buffer, text, length);
}

static int append_ascii(struct buffer *buffer, const char *text, size_t length)
{
	size_t start = buffer->length;
	int r;

	r = buffer_append(buffer, text, length);
	if (r)
		return r;
	for (char *byte = buffer->data + start; byte < buffer->data + buffer->length; byte++) {
		if (*byte >= 'A' && *byte <= 'Z')
			*byte = (char)(*byte - 'A' + 'a');
		else if ((unsigned char)*byte < ' ')
			*byte = ' ';
	}
	return 0;
}

static int append_character(struct buffer *buffer, uint32_t character, const char *text,
                            size_t length)
{
	char letter;

	if (is_combining(character))
		return 0;
	letter = without_accent(character);
	return letter ? buffer_append(buffer, &letter, 1)
	              : append_small(buffer, character, text, length);
}

int fold_append(struct buffer *buffer, const char *text, size_t length)
{
	uint32_t character;
	size_t size;
	int r = 0;

	for (size_t i = 0; !r && i < length; i += size) {
		for (size = 0; i + size < length && (unsigned char)text[i + size] < 0x80; size++)
			;
		if (size) {
			r = append_ascii(buffer, text + i, size);
			continue;
		}
		size = utf8_decode(text + i, length - i, &character);
		if (size) {
			r = append_character(buffer, character, text + i, size);
		} else {
			size = 1;
			r = buffer_append(buffer, text + i, size);
		}
	}
	return r;
}
