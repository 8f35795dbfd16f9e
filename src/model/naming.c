/* SPDX-License-Identifier: MIT */
/*
 * A name is written unit by unit: a character as it is, or the escapes of one
 * character, or the escape of one byte that is not UTF-8. naming_decode() undoes
 * the escapes and then asks the encoder whether it would have written that.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/base/siphash.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/model/naming.h"

enum {
	ESCAPE_LENGTH = 3, /* of %XX */
	UNIT_LENGTH_MAX = UTF8_LENGTH_MAX * ESCAPE_LENGTH,
	MARK_LENGTH = 17, /* of what a cut name ends in */
	STEM_LENGTH_MAX = NAMING_LENGTH_MAX - MARK_LENGTH,
};

/* Where to encode, whatever stands there. */
struct range {
	size_t start;
	size_t end;
};

/* The file name under way. */
struct writer {
	char *bytes;
	size_t length; /* beyond NAMING_LENGTH_MAX, and no longer counted, if it does not fit */
	size_t stem_length; /* of the units that a cut name keeps */
};

/*
 * In the order of their numbers. Not looked up in a library, whose version would decide on names:
 * Default_Ignorable_Code_Point of Unicode 15.1, and what is not in that but hidden as well.
 */
static const struct {
	uint32_t first;
	uint32_t last;
} hidden[] = {
	{ 0x00, 0x1f },       { '%', '%' },   { '/', '/' },
	{ 0x7f, 0x9f },       { 0xad, 0xad }, /* soft hyphen */
	{ 0x34f, 0x34f },                     /* joiner of graphemes */
	{ 0x61c, 0x61c },                     /* direction */
	{ 0x115f, 0x1160 },                   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },                   /* Khmer vowels that are not written */
	{ 0x180b, 0x180f },                   /* Mongolian variation selectors and separator */
	{ 0x200b, 0x200f },                   /* zero width, joiners, direction */
	{ 0x2028, 0x202e },                   /* separators of lines and paragraphs, direction */
	{ 0x2060, 0x206f },                   /* joiner of words, invisible operators, direction */
	{ 0x3164, 0x3164 },                   /* Hangul filler */
	{ 0xfe00, 0xfe0f },                   /* variation selectors */
	{ 0xfeff, 0xfeff },                   /* zero width, byte order mark */
	{ 0xffa0, 0xffa0 },                   /* Hangul filler */
	{ 0xfff0, 0xfffb },                   /* not assigned; marks of annotations */
	{ 0x13430, 0x1343f },                 /* hieroglyph format */
	{ 0x1bca0, 0x1bca3 },                 /* shorthand format */
	{ 0x1d173, 0x1d17a },                 /* musical format */
	{ 0xe0000, 0xe0fff },                 /* tags, more variation selectors */
};

bool naming_is_shown(uint32_t character)
{
	for (size_t i = 0; i < array_length(hidden) && character >= hidden[i].first; i++) {
		if (character <= hidden[i].last)
			return false;
	}
	return true;
}

/* Whether the name ends in `~` and 16 digits, as cut names do. */
static bool is_marked(const char *name, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	if (length < MARK_LENGTH || name[length - MARK_LENGTH] != '~')
		return false;
	for (size_t i = length - MARK_LENGTH + 1; i < length; i++) {
		if (!memchr(digits, name[i], sizeof(digits) - 1))
			return false;
	}
	return true;
}

static bool is_dots(const char *name, size_t length)
{
	return (length == 1 || length == 2) && memcmp(name, "..", length) == 0;
}

static struct range find_forced(const char *name, size_t length)
{
	if (is_dots(name, length))
		return (struct range){ 0, length };
	if (is_marked(name, length))
		return (struct range){ length - MARK_LENGTH, length - MARK_LENGTH + 1 };
	return (struct range){ 0, 0 };
}

static void write_unit(struct writer *writer, const char *unit, size_t length)
{
	if (writer->length + length <= NAMING_LENGTH_MAX)
		memcpy(writer->bytes + writer->length, unit, length);
	writer->length += length;
	if (writer->length <= STEM_LENGTH_MAX)
		writer->stem_length = writer->length;
}

static void write_escapes(struct writer *writer, const char *bytes, size_t length)
{
	static const char digits[] = "0123456789ABCDEF";
	char unit[UNIT_LENGTH_MAX];

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		unit[i * ESCAPE_LENGTH] = '%';
		unit[i * ESCAPE_LENGTH + 1] = digits[byte >> 4];
		unit[i * ESCAPE_LENGTH + 2] = digits[byte & 0xf];
	}
	write_unit(writer, unit, length * ESCAPE_LENGTH);
}

static struct writer write_name(char *ret, const char *name, size_t length, struct range forced)
{
	struct writer writer = { .bytes = ret };
	size_t at = 0;

	while (at < length && writer.length <= NAMING_LENGTH_MAX) {
		uint32_t character;
		size_t size = utf8_decode(name + at, length - at, &character);
		bool is_forced = at >= forced.start && at < forced.end;

		if (size && naming_is_shown(character) && !is_forced)
			write_unit(&writer, name + at, size);
		else
			write_escapes(&writer, name + at, size ? size : 1);
		at += size ? size : 1;
	}
	return writer;
}

/* Whoever chooses the names of two members must not find a pair that meets under many salts. */
static uint64_t hash(const char *bytes, size_t length, uint32_t salt)
{
	return siphash((struct siphash_key){ { salt, 0 } }, bytes, length);
}

size_t naming_encode(const char *name, size_t length, uint32_t salt,
                     char ret[NAMING_LENGTH_MAX + 1])
{
	struct writer writer = write_name(ret, name, length, find_forced(name, length));

	if (length == 0)
		write_unit(&writer, "%", 1);
	if (writer.length > NAMING_LENGTH_MAX) {
		snprintf(ret + writer.stem_length, MARK_LENGTH + 1, "~%016" PRIx64,
		         hash(name, length, salt));
		return writer.stem_length + MARK_LENGTH;
	}
	ret[writer.length] = '\0';
	return writer.length;
}

static int digit_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* Undo the escapes. Returns false if one is not complete. */
static bool read_escapes(const char *name, size_t length, char *ret, size_t *ret_length)
{
	size_t written = 0;

	for (size_t at = 0; at < length; at++) {
		int high;
		int low;

		if (name[at] != '%') {
			ret[written++] = name[at];
			continue;
		}
		if (length - at < ESCAPE_LENGTH)
			return false;
		high = digit_value(name[at + 1]);
		low = digit_value(name[at + 2]);
		if (high < 0 || low < 0)
			return false;
		ret[written++] = (char)(high << 4 | low);
		at += ESCAPE_LENGTH - 1;
	}
	*ret_length = written;
	return true;
}

/* Whether @name, with @forced encoded, is written as the @length bytes at @encoded. */
static bool is_written_as(const char *name, size_t name_length, struct range forced,
                          const char *encoded, size_t length)
{
	char again[NAMING_LENGTH_MAX];
	struct writer writer = write_name(again, name, name_length, forced);

	return writer.length == length && memcmp(again, encoded, length) == 0;
}

/* @stem is what stands before the mark; more units followed, and did not fit. */
static int decode_cut(const char *stem, size_t length, char *ret)
{
	size_t decoded;

	if (length + UNIT_LENGTH_MAX <= STEM_LENGTH_MAX)
		return NAMING_FOREIGN;
	if (!read_escapes(stem, length, ret, &decoded) ||
	    !is_written_as(ret, decoded, (struct range){ 0, 0 }, stem, length))
		return NAMING_FOREIGN;
	return NAMING_CUT;
}

int naming_decode(const char *name, size_t length, char *ret, size_t *ret_length)
{
	size_t decoded;

	if (length < 1 || length > NAMING_LENGTH_MAX)
		return NAMING_FOREIGN;
	if (length == 1 && *name == '%') {
		*ret_length = 0;
		return 0;
	}
	if (is_marked(name, length))
		return decode_cut(name, length - MARK_LENGTH, ret);
	if (!read_escapes(name, length, ret, &decoded) ||
	    !is_written_as(ret, decoded, find_forced(ret, decoded), name, length))
		return NAMING_FOREIGN;

	*ret_length = decoded;
	return 0;
}
