/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>

#include "kapturefs/command/keyword.h"

enum { ID_DIGITS_MAX = 9 };

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

void keyword_print(const struct key *key, char ret[KEYWORD_SIZE])
{
	snprintf(ret, KEYWORD_SIZE, "%s:%s", key_kind_facts(key->kind)->word, key->text);
}
