/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that finds customers by words: what was asked for and what was found; see
 * cache_hunt.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/key.h"
#include "kapturefs/store/cache_hunt.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

struct cache_search {
	uint64_t change; /* how many customers had changed when it began */
	bool is_done;
	struct hits_words words;
	/* The words as they stand, for when they read as a phone number and nobody has it. */
	struct hits_words literal;
	char *asked;
	struct hunt *hunt;
	uint32_t *found;
	size_t found_count;
};

/* Fewer digits are a house's or a postal code's, more are two numbers. */
enum { PHONE_DIGITS_MIN = 7, PHONE_DIGITS_MAX = 15 };

static bool is_phone(uint32_t country, const char *words, struct key *ret)
{
	struct key date;
	size_t count;

	if (key_parse(KEY_DATE, words, strlen(words), &date) == 0 ||
	    key_parse_typed(country, KEY_PHONE, words, strlen(words), ret))
		return false;
	count = strlen(ret->text);
	return count >= PHONE_DIGITS_MIN && count <= PHONE_DIGITS_MAX && strcmp(ret->text, words);
}

static int take_words(uint32_t country, const char *words, struct cache_search *search)
{
	struct key phone;
	int r;

	if (!is_phone(country, words, &phone))
		return hits_words_init(&search->words, words);
	r = hits_words_init(&search->words, phone.text);
	return r ? r : hits_words_init(&search->literal, words);
}

int cache_search_new(struct cache *cache, uint32_t country, const char *words,
                     struct cache_search **ret)
{
	cleanup(cache_search_freep) struct cache_search *search = NULL;
	int r;

	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->asked = strdup(words);
	if (!search->asked)
		return -ENOMEM;
	r = take_words(country, words, search);
	if (r)
		return r;

	search->is_done = search->words.count == 0;
	search->change = snapshots_changes(cache->snapshots);
	*ret = steal(&search);
	return 0;
}

void cache_search_free(struct cache_search *search)
{
	if (!search)
		return;

	hunt_free(search->hunt);
	hits_words_fini(&search->words);
	hits_words_fini(&search->literal);
	free(search->asked);
	free(search->found);
	free(search);
}

bool cache_search_is_of(struct cache *cache, const struct cache_search *search, const char *words)
{
	return search->change == snapshots_changes(cache->snapshots) &&
	       strcmp(search->asked, words) == 0;
}

static int begin(struct cache_search *search)
{
	if (!search->found)
		search->found = calloc(SEARCH_FOUND_MAX, sizeof(*search->found));
	if (!search->found)
		return -ENOMEM;
	return hunt_new(&search->words, SEARCH_FOUND_MAX, &search->hunt);
}

/* Returns 0, or CACHE_MORE if the words as they stand are to be looked for. */
static int conclude(struct cache_search *search)
{
	uint32_t *shrunk;

	search->found_count = hunt_conclude(search->hunt, search->found);
	hunt_free(steal(&search->hunt));
	if (!search->found_count && search->literal.count) {
		hits_words_fini(&search->words);
		search->words = search->literal;
		search->literal = (struct hits_words){ .count = 0 };
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
	return hits_score(&search->words, text, length) > 0 ||
	       hits_score(&search->literal, text, length) > 0;
}

int cache_search_matches(struct cache *cache, const struct cache_search *search, uint32_t slot)
{
	int r;

	if (search->words.count == 0)
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
