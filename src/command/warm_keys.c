/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "kapturefs/command/keyword.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/command/warm_parts.h"

void warm_keys_fini(struct warm_keys *keys)
{
	string_set_fini(&keys->words);
	free(keys->lines);
	*keys = (struct warm_keys){ 0 };
}

static int add(struct warm_keys *keys, unsigned line, const char *word)
{
	uint32_t place;
	int r = string_set_add(&keys->words, word, strlen(word), &place);
	unsigned *lines;

	if (r)
		return r == STRING_SET_KNOWN ? 0 : r;
	if (place >= keys->line_capacity) {
		lines = reallocarray(keys->lines, keys->words.capacity, sizeof(lines[0]));
		if (!lines)
			return -ENOMEM;
		keys->lines = lines;
		keys->line_capacity = keys->words.capacity;
	}
	keys->lines[place] = line;
	return 0;
}

int warm_keys_add(struct warm_keys *keys, const char *word)
{
	return add(keys, 0, word);
}

static int add_line(void *userdata, unsigned number, const char *line)
{
	struct warm_keys *keys = userdata;
	char word[KEYWORD_SIZE];
	struct key key;
	char *marked;
	int r;

	if (keyword_parse_line(keys->phone_country, line, &key) == 0) {
		keyword_print(&key, word);
		return add(keys, number, word);
	}
	if (asprintf(&marked, " %s", line) < 0)
		return -ENOMEM;
	r = add(keys, number, marked);
	free(marked);
	return r;
}

int warm_keys_read(FILE *stream, uint32_t country, struct warm_keys *ret)
{
	struct warm_keys keys = { .phone_country = country };
	int r = keyword_read(stream, add_line, &keys);

	if (r)
		warm_keys_fini(&keys);
	else
		*ret = keys;
	return r;
}

/* The line may hold anything, and a complaint is for a terminal. */
void warm_complain_of_line(const struct warm_keys *keys, size_t place)
{
	const char *line = string_set_at(&keys->words, (uint32_t)place) + 1;
	const char *fault = keyword_fault(line);

	terminal_complain("kapturefs: warm: line %u: %s: %s", keys->lines[place], line, fault);
}

bool warm_is_key(const struct warm_keys *keys, size_t place)
{
	return string_set_at(&keys->words, (uint32_t)place)[0] != ' ';
}

void warm_path(const struct warm_keys *keys, size_t place, char ret[KAPTUREFS_PATH_SIZE])
{
	const char *word = string_set_at(&keys->words, (uint32_t)place);
	size_t length = strcspn(word, ":");
	struct key key = { .kind = KEY_ID };

	static_assert((int)KEYWORD_PATH_SIZE <= (int)KAPTUREFS_PATH_SIZE, "every key has a path");
	while (strncmp(key_kind_facts(key.kind)->word, word, length) != 0)
		key.kind++;
	snprintf(key.text, sizeof(key.text), "%s", word + length + 1);
	keyword_print_path(&key, ret);
}
