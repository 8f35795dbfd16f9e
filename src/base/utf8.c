/* SPDX-License-Identifier: MIT */

#include <stdbool.h>

#include "kapturefs/base/utf8.h"

enum {
	SURROGATE_FIRST = 0xd800,
	SURROGATE_LAST = 0xdfff,
	CHARACTER_MAX = 0x10ffff,
};

/* The bytes of a character that begins with @first, 0 if none does. */
static size_t size_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool is_character(uint32_t character, size_t size)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (character >= SURROGATE_FIRST && character <= SURROGATE_LAST)
		return false;
	return character >= smallest[size] && character <= CHARACTER_MAX;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *ret)
{
	size_t size = length ? size_of((unsigned char)text[0]) : 0;
	uint32_t character;

	if (size == 0 || size > length)
		return 0;

	character = (unsigned char)text[0];
	if (size > 1)
		character &= 0x7fU >> size;
	for (size_t i = 1; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (byte & 0x3f);
	}
	if (!is_character(character, size))
		return 0;

	*ret = character;
	return size;
}

size_t utf8_encode(uint32_t character, char ret[UTF8_LENGTH_MAX])
{
	size_t size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

	for (size_t i = size - 1; i > 0; i--) {
		ret[i] = (char)(0x80 | (character & 0x3f));
		character >>= 6;
	}
	/* As many bits as bytes, and a bit that is not set; the only one has none. */
	ret[0] = (char)(size == 1 ? character : (0xf0U << (4 - size) & 0xff) | character);
	return size;
}
