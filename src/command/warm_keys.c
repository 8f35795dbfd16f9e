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

enum { CAPACITY_MIN = 1024 };

void warm_keys_fini(struct warm_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->words[i]);
	free(keys->words);
	free(keys->lines);
	free(keys->buckets);
	*keys = (struct warm_keys){ 0 };
}

/* FNV-1a. */
static size_t hash_of(const char *word)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *word; word++)
		hash = (hash ^ (unsigned char)*word) * UINT64_C(1099511628211);
	return (size_t)(hash ^ hash >> 32);
}

/* The bucket that holds @word, or the free one where it belongs. */
static size_t *bucket_of(const struct warm_keys *keys, const char *word)
{
	size_t place = hash_of(word) & (keys->bucket_count - 1);

	while (keys->buckets[place] && strcmp(keys->words[keys->buckets[place] - 1], word) != 0)
		place = (place + 1) & (keys->bucket_count - 1);
	return &keys->buckets[place];
}

static int grow(struct warm_keys *keys)
{
	size_t capacity = keys->capacity ? 2 * keys->capacity : CAPACITY_MIN;
	char **words = reallocarray(keys->words, capacity, sizeof(words[0]));
	unsigned *lines;
	size_t *buckets;

	if (!words)
		return -ENOMEM;
	keys->words = words;
	lines = reallocarray(keys->lines, capacity, sizeof(lines[0]));
	if (!lines)
		return -ENOMEM;
	keys->lines = lines;
	buckets = calloc(2 * capacity, sizeof(buckets[0]));
	if (!buckets)
		return -ENOMEM;
	free(keys->buckets);
	keys->buckets = buckets;
	keys->bucket_count = 2 * capacity;
	keys->capacity = capacity;
	for (size_t i = 0; i < keys->count; i++)
		*bucket_of(keys, keys->words[i]) = i + 1;
	return 0;
}

int warm_keys_add(struct warm_keys *keys, const char *word)
{
	size_t *bucket;
	char *copy;
	int r = 0;

	if (keys->count == keys->capacity)
		r = grow(keys);
	if (r)
		return r;
	bucket = bucket_of(keys, word);
	if (*bucket)
		return 0;
	copy = strdup(word);
	if (!copy)
		return -ENOMEM;
	keys->lines[keys->count] = 0;
	keys->words[keys->count++] = copy;
	*bucket = keys->count;
	return 0;
}

static int add(struct warm_keys *keys, unsigned line, const char *word)
{
	size_t count = keys->count;
	int r = warm_keys_add(keys, word);

	if (keys->count > count)
		keys->lines[count] = line;
	return r;
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
	const char *line = keys->words[place] + 1;
	const char *fault = keyword_fault(line);

	terminal_complain("kapturefs: warm: line %u: %s: %s", keys->lines[place], line, fault);
}

bool warm_is_key(const struct warm_keys *keys, size_t place)
{
	return keys->words[place][0] != ' ';
}

void warm_path(const struct warm_keys *keys, size_t place, char ret[KAPTUREFS_PATH_SIZE])
{
	const char *word = keys->words[place];
	size_t length = strcspn(word, ":");
	struct key key = { .kind = KEY_ID };

	static_assert((int)KEYWORD_PATH_SIZE <= (int)KAPTUREFS_PATH_SIZE, "every key has a path");
	while (strncmp(key_kind_facts(key.kind)->word, word, length) != 0)
		key.kind++;
	snprintf(key.text, sizeof(key.text), "%s", word + length + 1);
	keyword_print_path(&key, ret);
}
