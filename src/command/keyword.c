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

static enum key_kind guess(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (strchr(text, '@'))
		return KEY_EMAIL;
	return text[digits] == '\0' && digits <= ID_DIGITS_MAX ? KEY_ID : KEY_PHONE;
}

int keyword_parse(const char *text, struct key *ret)
{
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		const char *word = key_kind_facts(kind)->word;
		size_t length = strlen(word);

		if (strncmp(text, word, length) == 0 && text[length] == ':')
			return key_parse(kind, text + length + 1, strlen(text + length + 1), ret);
	}
	return key_parse(guess(text), text, strlen(text), ret);
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
