/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that finds customers by words: what was asked for and what was found; see
 * cache_hunt.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/store/cache_hunt.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

struct cache_search {
	uint64_t change; /* how many customers had changed when it began */
	bool is_done;
	struct hits_words words;
	char *asked;
	struct hunt *hunt;
	uint32_t *found;
	size_t found_count;
};

int cache_search_new(struct cache *cache, const char *words, struct cache_search **ret)
{
	cleanup(cache_search_freep) struct cache_search *search = NULL;
	int r;

	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->asked = strdup(words);
	if (!search->asked)
		return -ENOMEM;
	r = hits_words_init(&search->words, words);
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

/* It cannot fail, for a hunt at its end cannot go on. */
static void conclude(struct cache_search *search)
{
	uint32_t *shrunk;

	search->found_count = hunt_conclude(search->hunt, search->found);
	search->is_done = true;
	hunt_free(steal(&search->hunt));
	shrunk = reallocarray(search->found, search->found_count + 1, sizeof(*shrunk));
	if (shrunk)
		search->found = shrunk;
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
	if (!r)
		conclude(search);
	return r;
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
	return hits_score(&search->words, text, length) > 0;
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
