/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that finds customers by words: what was asked for and what was found; see
 * cache_hunt.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/text.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/model/fold.h"
#include "kapturefs/model/key.h"
#include "kapturefs/store/cache_hunt.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

/*
 * How words can be read, each way for when nobody is found by those before: with phone numbers of
 * as many words as possible, of as few, and as they stand.
 */
enum reading { READING_LONG, READING_SHORT, READING_LITERAL, READINGS };

struct cache_search {
	struct list link; /* among those that are not out of date */
	bool is_outdated;
	bool is_done;
	struct hits_words readings[READINGS]; /* those that differ */
	size_t reading_count;
	size_t reading; /* the one that is looked for */
	char *asked;
	struct hunt *hunt;
	uint32_t *found;
	size_t found_count;
};

/* Of a customer with more, nobody takes the time to see which searches it is in. */
enum { TEXT_LOOKED_AT_MAX = 64 << 10 };

/* Fewer digits are a house's or a postal code's, more are two numbers. */
enum { PHONE_DIGITS_MIN = 7, PHONE_DIGITS_MAX = 15 };

/* The size of the blank, of any kind, at the head of @text; 0 if there is none. */
static size_t blank_size(struct text text)
{
	uint32_t character;
	size_t size = utf8_decode(text.start, text.length, &character);

	return size && fold_to_ascii(character) == ' ' ? size : 0;
}

static void skip_blanks(struct text *text)
{
	size_t size;

	while ((size = blank_size(*text)))
		text_skip(text, size);
}

static struct text take_word(struct text *text)
{
	struct text word = { text->start, 0 };

	while (text->length && !blank_size(*text))
		text_skip(text, 1);
	word.length = (size_t)(text->start - word.start);
	skip_blanks(text);
	return word;
}

static bool is_phone(uint32_t country, struct text words, struct key *ret)
{
	size_t count;

	if (key_parse_typed(country, KEY_PHONE, words.start, words.length, ret))
		return false;
	count = strlen(ret->text);
	return count >= PHONE_DIGITS_MIN && count <= PHONE_DIGITS_MAX;
}

/* Take the words off @text that make one phone number, if any do; days are none. */
static bool take_phone(uint32_t country, enum reading reading, struct text *text, struct key *ret)
{
	struct text behind = *text;
	struct text rest = *text;
	bool is_taken = false;
	struct key key;

	while (rest.length && (!is_taken || reading == READING_LONG)) {
		struct text word = take_word(&rest);
		struct text words = { text->start,
			              (size_t)(word.start + word.length - text->start) };

		if (key_parse(KEY_DATE, word.start, word.length, &key) == 0)
			break;
		if (!is_phone(country, words, &key))
			continue;
		*ret = key;
		behind = rest;
		is_taken = true;
	}
	*text = behind;
	return is_taken;
}

/* Write the words with phone numbers as digits alone, which is no longer. */
static void write_digits(uint32_t country, enum reading reading, const char *words, char *ret)
{
	struct text text = { words, strlen(words) };
	struct key phone;

	skip_blanks(&text);
	while (text.length) {
		if (take_phone(country, reading, &text, &phone)) {
			ret = stpcpy(ret, phone.text);
		} else {
			struct text word = take_word(&text);

			ret = mempcpy(ret, word.start, word.length);
		}
		if (text.length)
			*ret++ = ' ';
	}
	*ret = '\0';
}

static bool are_equal(const struct hits_words *left, const struct hits_words *right)
{
	for (size_t i = 0; i < left->count; i++) {
		if (i == right->count || strcmp(left->words[i], right->words[i]) != 0)
			return false;
	}
	return left->count == right->count;
}

/* Returns 0 or a negative errno; what reads as before is not looked for again. */
static int add_reading(struct cache_search *search, const char *text)
{
	struct hits_words *words = &search->readings[search->reading_count];
	int r = hits_words_init(words, text);
	bool is_new;

	if (r)
		return r;
	is_new = words->count || !search->reading_count;
	for (size_t i = 0; is_new && i < search->reading_count; i++)
		is_new = !are_equal(&search->readings[i], words);
	if (is_new)
		search->reading_count++;
	else
		hits_words_fini(words);
	return 0;
}

static int take_words(uint32_t country, const char *words, struct cache_search *search)
{
	char *digits = malloc(strlen(words) + 1);
	int r = digits ? 0 : -ENOMEM;

	for (enum reading reading = READING_LONG; !r && reading < READING_LITERAL; reading++) {
		write_digits(country, reading, words, digits);
		r = add_reading(search, digits);
	}
	free(digits);
	return r ? r : add_reading(search, words);
}

int cache_search_new(struct cache *cache, uint32_t country, const char *words,
                     struct cache_search **ret)
{
	cleanup(cache_search_freep) struct cache_search *search = NULL;
	int r;

	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	list_init(&search->link);
	search->asked = strdup(words);
	if (!search->asked)
		return -ENOMEM;
	r = take_words(country, words, search);
	if (r)
		return r;

	search->is_done = search->readings[0].count == 0;
	list_insert_before(&cache->searches, &search->link);
	*ret = steal(&search);
	return 0;
}

void cache_search_free(struct cache_search *search)
{
	if (!search)
		return;

	list_remove(&search->link);
	hunt_free(search->hunt);
	for (size_t i = 0; i < search->reading_count; i++)
		hits_words_fini(&search->readings[i]);
	free(search->asked);
	free(search->found);
	free(search);
}

bool cache_search_is_of(const struct cache_search *search, const char *words)
{
	return !search->is_outdated && strcmp(search->asked, words) == 0;
}

/* Getting out of date */

static struct cache_search *search_at(struct list *link)
{
	return container_of(link, struct cache_search, link);
}

static bool is_in(const struct cache_search *search, const char *text, size_t length)
{
	for (size_t i = 0; i < search->reading_count; i++) {
		if (hits_score(&search->readings[i], text, length))
			return true;
	}
	return false;
}

static void outdate(struct cache_search *search)
{
	search->is_outdated = true;
	list_remove(&search->link);
}

void cache_searches_change(struct cache *cache, const char *text, size_t length)
{
	struct list *next;

	for (struct list *link = cache->searches.next; link != &cache->searches; link = next) {
		next = link->next;
		if (length > TEXT_LOOKED_AT_MAX || is_in(search_at(link), text, length))
			outdate(search_at(link));
	}
}

void cache_searches_end(struct cache *cache)
{
	while (!list_is_empty(&cache->searches))
		outdate(search_at(cache->searches.next));
}

/* Going on */

static int begin(struct cache_search *search)
{
	if (!search->found)
		search->found = calloc(SEARCH_FOUND_MAX, sizeof(*search->found));
	if (!search->found)
		return -ENOMEM;
	return hunt_new(&search->readings[search->reading], SEARCH_FOUND_MAX, &search->hunt);
}

/* Returns 0, or CACHE_MORE if another reading is to be looked for. */
static int conclude(struct cache_search *search)
{
	uint32_t *shrunk;

	search->found_count = hunt_conclude(search->hunt, search->found);
	hunt_free(steal(&search->hunt));
	if (!search->found_count && search->reading + 1 < search->reading_count) {
		search->reading++;
		return CACHE_MORE;
	}
	search->is_done = true;
	shrunk = reallocarray(search->found, search->found_count + 1, sizeof(*shrunk));
	if (shrunk)
		search->found = shrunk;
	return 0;
}

int cache_search_step(struct cache *cache, struct cache_search *search)
{
	int r = 0;

	if (search->is_done)
		return 0;
	if (!search->hunt)
		r = begin(search);
	if (r)
		return r;
	do {
		r = hunt_step(cache, search->hunt);
	} while (cache_rescue(cache, r));
	return r ? r : conclude(search);
}

bool cache_search_is_done(const struct cache_search *search)
{
	return search->is_done;
}

const uint32_t *cache_search_found(const struct cache_search *search, size_t *ret_count)
{
	*ret_count = search->is_done ? search->found_count : 0;
	return search->found;
}

static int matches(struct cache *cache, const struct cache_search *search, uint32_t slot)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	const char *text;
	size_t length;
	int r;

	r = cache_find_words(cache, statement, slot, &text, &length);
	if (r)
		return r < 0 ? r : 0;
	return is_in(search, text, length);
}

int cache_search_matches(struct cache *cache, const struct cache_search *search, uint32_t slot)
{
	int r;

	if (search->readings[0].count == 0)
		return 0;
	do {
		r = matches(cache, search, slot);
	} while (cache_rescue(cache, r));
	return r;
}

static int find_id(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];
	int r;

	rows_bind_integer(keys, 1, slot);
	do {
		r = rows_take_key_of(cache, keys, slot, ret);
	} while (r == ROWS_DAMAGED || (!r && ret->key.kind != KEY_ID));
	return r;
}

int cache_find_id(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	int r;

	do {
		r = find_id(cache, slot, ret);
	} while (cache_rescue(cache, r));
	return r;
}
