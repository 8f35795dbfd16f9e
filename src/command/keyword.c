/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/command/keyword.h"

enum {
	ID_DIGITS_MAX = 9,
	LINE_SIZE_MAX = 1 << 20,
};

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

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

int keyword_parse(uint32_t country, const char *text, struct key *ret)
{
	size_t length = strlen(text);

	key_trim(&text, &length);
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		const char *word = key_kind_facts(kind)->word;
		size_t word_length = strlen(word);

		if (length <= word_length || strncmp(text, word, word_length) != 0 ||
		    text[word_length] != ':')
			continue;
		text += word_length + 1;
		length -= word_length + 1;
		key_trim(&text, &length);
		return key_parse_typed(country, kind, text, length, ret);
	}
	return key_parse_typed(country, guess(text, length), text, length, ret);
}

/* Without the blanks around it. */
static const char *trim(char *line)
{
	char *end = line + strlen(line);

	line += strspn(line, " \t");
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return line;
}

static int take_line(struct buffer *line, keyword_take_fn *take, void *userdata)
{
	const char *text;
	int r;

	r = buffer_append_text(line, "");
	if (r)
		return r;
	text = trim(line->data);
	r = *text && *text != '#' ? take(userdata, text) : 0;
	buffer_clear(line);
	return r;
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
	return byte != EOF || line->length;
}

int keyword_read(FILE *stream, keyword_take_fn *take, void *userdata)
{
	cleanup(buffer_fini) struct buffer line;
	const size_t mark = strlen(BYTE_ORDER_MARK);
	bool is_first = true;
	int r = 0;

	buffer_init(&line, LINE_SIZE_MAX);
	errno = 0;
	while (!r && read_line(stream, &line, &r)) {
		if (is_first && line.length >= mark &&
		    memcmp(line.data, BYTE_ORDER_MARK, mark) == 0)
			memset(line.data, ' ', mark);
		is_first = false;
		r = take_line(&line, take, userdata);
	}
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
