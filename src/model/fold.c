/* SPDX-License-Identifier: MIT */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <utf8proc.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/fold.h"

enum { PARTS_MAX = 18 }; /* of one character: U+FDFA has so many */

static bool is_combining(uint32_t character)
{
	return character >= 0x300 && character <= 0x36f;
}

/* To Unicode a stroke is no accent, but part of another letter. */
static uint32_t without_stroke(uint32_t character)
{
	static const struct {
		uint32_t letter;
		char plain;
	} strokes[] = {
		{ 0xf0, 'd' },  { 0xf8, 'o' },  { 0x111, 'd' }, { 0x127, 'h' },
		{ 0x131, 'i' }, { 0x142, 'l' }, { 0x14b, 'n' }, { 0x167, 't' },
	};

	for (size_t i = 0; i < array_length(strokes); i++) {
		if (character == strokes[i].letter)
			return (uint32_t)strokes[i].plain;
	}
	return character;
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

/* What @character is made of, in small letters: as many as are returned. */
static size_t take_apart(uint32_t character, int32_t parts[PARTS_MAX])
{
	const utf8proc_option_t options =
	        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
	bool is_hangul = character >= 0xac00 && character <= 0xd7a3;
	int boundary = 0;
	ssize_t count = is_hangul ? -1
	                          : utf8proc_decompose_char((int32_t)character, parts, PARTS_MAX,
	                                                    options, &boundary);

	/* Syllables are what Korean is searched by. */
	if (count < 0 || count > PARTS_MAX) {
		parts[0] = (int32_t)character;
		return 1;
	}
	return (size_t)count;
}

static int append_character(struct buffer *buffer, uint32_t character)
{
	int32_t parts[PARTS_MAX];
	char text[UTF8_LENGTH_MAX];
	size_t count = take_apart(character, parts);
	int r = 0;

	for (size_t i = 0; !r && i < count; i++) {
		if (!is_combining((uint32_t)parts[i]))
			r = buffer_append(buffer, text,
			                  utf8_encode(without_stroke((uint32_t)parts[i]), text));
	}
	return r;
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
			r = append_character(buffer, character);
		} else {
			size = 1;
			r = buffer_append(buffer, text + i, size);
		}
	}
	return r;
}

/* With what stands above, below or around them, which is part of words in many scripts. */
static bool is_letter(uint32_t character)
{
	utf8proc_category_t category = utf8proc_category((int32_t)character);

	return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME;
}

int fold_append_letters(struct buffer *buffer, const char *text, size_t length)
{
	uint32_t character;
	size_t size;
	int r = 0;

	for (size_t at = 0; !r && at < length; at += size ? size : 1) {
		size = utf8_decode(text + at, length - at, &character);
		if (size && is_letter(character))
			r = append_character(buffer, character);
	}
	return r;
}

/* The digits of a script are ten in a row, from zero to nine: UAX #44, Numeric_Type=Decimal. */
static uint32_t digit_of(uint32_t character)
{
	uint32_t zero = character;

	while (zero > 0 && utf8proc_category((int32_t)zero - 1) == UTF8PROC_CATEGORY_ND)
		zero--;
	return '0' + (character - zero) % 10;
}

static uint32_t usual_form(uint32_t character)
{
	int32_t parts[PARTS_MAX];
	int boundary = 0;
	ssize_t count = utf8proc_decompose_char((int32_t)character, parts, PARTS_MAX,
	                                        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);

	return count == 1 && parts[0] < 0x80 ? (uint32_t)parts[0] : character;
}

uint32_t fold_to_ascii(uint32_t character)
{
	enum { MINUS = 0x2212 };

	if (character < 0x80)
		return character == '\t' ? ' ' : character;
	switch ((int)utf8proc_category((int32_t)character)) {
	case UTF8PROC_CATEGORY_ND:
		return digit_of(character);
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return ' ';
	case UTF8PROC_CATEGORY_PD:
		return '-';
	case UTF8PROC_CATEGORY_CF:
		return FOLD_INVISIBLE;
	case UTF8PROC_CATEGORY_NO:
		return character; /* a raised or encircled digit may be a footnote's */
	default:
		return character == MINUS ? '-' : usual_form(character);
	}
}
