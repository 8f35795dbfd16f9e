/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/command/keyword.h"

enum {
	ID_DIGITS_MAX = 9,
	LINE_SIZE_MAX = 1 << 20,
};

static enum key_kind guess(const char *text, size_t length)
{
	if (memchr(text, '@', length))
		return KEY_EMAIL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return KEY_PHONE;
	}
	return length <= ID_DIGITS_MAX ? KEY_ID : KEY_PHONE;
}

int keyword_parse(uint32_t country, const char *word, struct key *ret)
{
	struct text text = { word, strlen(word) };

	key_trim(&text);
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		const char *name = key_kind_facts(kind)->word;
		size_t name_length = strlen(name);

		if (text.length <= name_length || strncmp(text.start, name, name_length) != 0 ||
		    text.start[name_length] != ':')
			continue;
		text_skip(&text, name_length + 1);
		key_trim(&text);
		return key_parse_typed(country, kind, text.start, text.length, ret);
	}
	return key_parse_typed(country, guess(text.start, text.length), text.start, text.length,
	                       ret);
}

/* Lines of lists */

/* What stands between the columns of a table. */
static const char columns[] = ",;\t";

const char keyword_not_text[] = "UTF-16; save it as UTF-8";

/* A table of one column, as spreadsheets write it: `"938"`, `="938"`, `'938`, `938,,`. */
static const char *unwrap(char *line)
{
	struct text text = { line, strlen(line) };
	size_t before;

	do {
		before = text.length;
		key_trim(&text);
		while (text.length && strchr(",;", text.start[text.length - 1]))
			text.length--;
		if (text.length > 2 && text.start[0] == '=' && text.start[1] == '"')
			text_skip(&text, 1);
		if (text.length > 1 && strchr("\"'", text.start[0]) &&
		    memchr(text.start + 1, text.start[0], text.length - 1) ==
		            text.start + text.length - 1) {
			text_skip(&text, 1);
			text.length--;
		}
		if (text.length > 1 && text.start[0] == '\'' &&
		    strchr("+0123456789", text.start[1]))
			text_skip(&text, 1);
	} while (text.length != before);
	line += text.start - line;
	line[text.length] = '\0';
	return line;
}

int keyword_parse_line(uint32_t country, const char *text, struct key *ret)
{
	/* An address may have a comma, to the letter; a line that has one is a row of a table. */
	return strpbrk(text, columns) ? KEY_IMPOSSIBLE : keyword_parse(country, text, ret);
}

bool keyword_is_utf8(const char *text)
{
	size_t length = strlen(text);
	uint32_t character;
	size_t size;

	for (; length; text += size, length -= size) {
		size = utf8_decode(text, length, &character);
		if (!size)
			return false;
	}
	return true;
}

const char *keyword_fault(const char *text)
{
	size_t length = strlen(text);

	if (!keyword_is_utf8(text))
		return "not UTF-8";
	if (strpbrk(text, columns))
		return "more than a key; give a list of one column";
	if (length > 2 && strcmp(text + length - 2, ".0") == 0)
		return "a number as spreadsheets write it; have its column formatted as text";
	if (strpbrk(text, "\"'"))
		return "a quotation mark; give the key alone";
	return "nobody can have that key";
}

/* By its mark, or as its first character is hardly one that takes both bytes. */
static bool is_utf16(FILE *stream)
{
	int first = getc_unlocked(stream);
	int second = first > 0 ? getc_unlocked(stream) : EOF;

	if (first == 0 || second == 0 || (first == 0xff && second == 0xfe) ||
	    (first == 0xfe && second == 0xff))
		return true;
	if (second != EOF)
		ungetc(second, stream);
	if (first != EOF)
		ungetc(first, stream);
	return false;
}

/* Read one up to its end; false if there are no more. */
static bool read_line(FILE *stream, struct buffer *line, int *ret_error)
{
	int byte;

	while ((byte = getc_unlocked(stream)) != EOF && byte != '\n' && byte != '\r') {
		/* No key has it, and it must not end one. */
		char kept = byte ? (char)byte : '?';

		*ret_error = buffer_append(line, &kept, 1);
		if (*ret_error)
			return false;
	}
	if (byte == '\r' && (byte = getc_unlocked(stream)) != '\n') {
		ungetc(byte, stream);
		return true;
	}
	return byte != EOF || line->length;
}

static int take_line(struct buffer *line, unsigned number, keyword_take_fn *take, void *userdata)
{
	const char *text;
	int r;

	r = buffer_append_text(line, "");
	if (r)
		return r;
	text = unwrap(line->data);
	r = *text && *text != '#' ? take(userdata, number, text) : 0;
	buffer_clear(line);
	return r;
}

int keyword_read(FILE *stream, keyword_take_fn *take, void *userdata)
{
	cleanup(buffer_fini) struct buffer line;
	unsigned number = 0;
	int r = 0;

	buffer_init(&line, LINE_SIZE_MAX);
	errno = 0;
	if (is_utf16(stream))
		return -EILSEQ;
	while (!r && read_line(stream, &line, &r))
		r = take_line(&line, ++number, take, userdata);
	if (!r && ferror(stream))
		r = errno ? -errno : -EIO;
	return r;
}

void keyword_print(const struct key *key, char ret[KEYWORD_SIZE])
{
	snprintf(ret, KEYWORD_SIZE, "%s:%s", key_kind_facts(key->kind)->word, key->text);
}

void keyword_print_path(const struct key *key, char ret[KEYWORD_PATH_SIZE])
{
	char name[KEY_NAME_SIZE];

	key_print_name(key, name);
	snprintf(ret, KEYWORD_PATH_SIZE, "%s/%s", key_kind_facts(key->kind)->directory, name);
}
