/* SPDX-License-Identifier: MIT */
/* Strings of JSON: out of the armour, and into a text. */

#include <errno.h>
#include <stdint.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/json.h"

size_t json_unarmour(char *text, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];

		if (byte == '\x01' && i + 1 < length && (text[i + 1] == '0' || text[i + 1] == '1'))
			byte = (char)(text[++i] - '0');
		text[kept++] = byte;
	}
	return kept;
}

static int append_character(struct buffer *buffer, const char *text, size_t length)
{
	unsigned char byte = (unsigned char)*text;

	if (byte == '"' || byte == '\\')
		return buffer_print(buffer, "\\%c", byte);
	if (byte < 0x20)
		return buffer_print(buffer, "\\u%04x", byte);
	return buffer_append(buffer, text, length);
}

static int append_quoted(struct buffer *buffer, const char *text, size_t length)
{
	size_t size;
	int r;

	r = buffer_append_text(buffer, "\"");
	for (size_t at = 0; !r && at < length; at += size) {
		uint32_t character;

		size = utf8_decode(text + at, length - at, &character);
		r = size ? append_character(buffer, text + at, size) : -EILSEQ;
	}
	return r ? r : buffer_append_text(buffer, "\"");
}

int json_append_string(struct buffer *buffer, const char *text, size_t length)
{
	size_t before = buffer->length;
	int r;

	r = append_quoted(buffer, text, length);
	if (r && buffer->data) {
		buffer->length = before;
		buffer->data[before] = '\0';
	}
	return r;
}
