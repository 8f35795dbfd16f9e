/* SPDX-License-Identifier: MIT */

#include <stdbool.h>
#include <string.h>

#include "kapturefs/base/text.h"
#include "kapturefs/base/utf8.h"

#define MARK "\xef\xbb\xbf"

static bool begins_with(const char *bytes, size_t length, const char *with, size_t with_length)
{
	return length >= with_length && memcmp(bytes, with, with_length) == 0;
}

/* With a mark; or without, as its first character is hardly one that takes both bytes. */
static bool is_utf16(const char *bytes, size_t length)
{
	return begins_with(bytes, length, "\xff\xfe", 2) ||
	       begins_with(bytes, length, "\xfe\xff", 2) || (length >= 2 && !bytes[0] != !bytes[1]);
}

const char *text_make_plain(char *bytes, size_t *length)
{
	size_t from = begins_with(bytes, *length, MARK, strlen(MARK)) ? strlen(MARK) : 0;
	size_t to = 0;

	if (is_utf16(bytes, *length))
		return "UTF-16; save it as UTF-8";
	while (from < *length) {
		char byte = bytes[from++];

		if (byte == '\r' && from < *length && bytes[from] == '\n')
			from++;
		bytes[to++] = byte == '\r' ? '\n' : byte;
	}
	*length = to;
	return NULL;
}

bool text_is_control(uint32_t character)
{
	return character < ' ' || (character >= 0x7f && character <= 0x9f) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

void text_make_line(char *text)
{
	text[text_make_visible(text, strlen(text))] = '\0';
	for (; *text; text++) {
		if (*text == '\n' || *text == '\t')
			*text = '?';
	}
}

size_t text_make_visible(char *bytes, size_t length)
{
	size_t from = 0;
	size_t to = 0;

	while (from < length) {
		uint32_t character;
		size_t size = utf8_decode(bytes + from, length - from, &character);
		bool is_kept = size && (character == '\n' || character == '\t' ||
		                        !text_is_control(character));

		if (is_kept) {
			memmove(bytes + to, bytes + from, size);
			to += size;
		} else {
			bytes[to++] = '?';
		}
		from += size ? size : 1;
	}
	return to;
}
