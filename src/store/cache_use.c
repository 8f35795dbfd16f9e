/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that knows when customers were used, and which keys were evicted for want of
 * use.
 */

#include <assert.h>
#include <string.h>
#include <uv.h>

#include "kapturefs/store/cache_parts.h"

enum {
	SETS_A_FLUSH = 8, /* in one transaction, where nobody is kept waiting */
	FLUSH_NS_MAX = 500 * 1000 * 1000,
};

static_assert(TOUCHED_SETS % SETS_A_FLUSH == 0, "the last flush would go beyond the sets");

struct sets {
	size_t first;
	size_t count;
};

static int write_set(struct cache *cache, const struct cache_use *set)
{
	int r = 0;

	for (size_t i = 0; !r && i < TOUCHED_A_SET && set[i].customer; i++)
		r = rows_run_on(cache, UPDATE_USE, set[i].customer, set[i].used_ms);
	return r;
}

static int write_sets(struct cache *cache, const void *arguments, int64_t now_ms,
                      struct cache_change *change)
{
	const struct sets *sets = arguments;
	int r = 0;

	(void)now_ms;
	(void)change;
	for (size_t i = 0; !r && i < sets->count; i++)
		r = write_set(cache, cache->touched.sets[sets->first + i]);
	return r;
}

static bool is_empty(const struct cache *cache, size_t set)
{
	return cache->touched.sets[set][0].customer == 0;
}

/* What cannot be written down is lost: it only tells what to evict first. */
static void flush(struct cache *cache, size_t first, size_t count)
{
	const struct sets sets = { first, count };
	struct cache_change change;

	while (count && is_empty(cache, first + count - 1))
		count--;
	if (count == 0)
		return;
	if (cache_write(cache, write_sets, &sets, 0, &change) == 0)
		cache_change_fini(&change);
	memset(cache->touched.sets[first], 0, sets.count * sizeof(cache->touched.sets[first]));
}

void cache_flush_touched(struct cache *cache)
{
	uint64_t end_ns = uv_hrtime() + FLUSH_NS_MAX;

	for (size_t set = 0; set < TOUCHED_SETS && uv_hrtime() < end_ns; set += SETS_A_FLUSH)
		flush(cache, set, SETS_A_FLUSH);
}

bool cache_flush_some_touched(struct cache *cache)
{
	size_t *due = &cache->touched.due;

	while (*due && is_empty(cache, TOUCHED_SETS - *due))
		--*due;
	if (*due == 0)
		return false;
	flush(cache, TOUCHED_SETS - *due, 1);
	--*due;
	return true;
}

/* Neighbours share a set, so that what a crawl fills it with is written to a few pages. */
static size_t set_of(uint32_t customer)
{
	uint32_t neighbours = customer / TOUCHED_A_SET;

	return neighbours * UINT32_C(2654435761) / (UINT32_MAX / TOUCHED_SETS + 1);
}

/* The place of @customer in its set, or the first that is free, or none. */
static struct cache_use *find_use(struct cache *cache, uint32_t customer)
{
	struct cache_use *set = cache->touched.sets[set_of(customer)];

	for (size_t i = 0; i < TOUCHED_A_SET; i++) {
		if (set[i].customer == customer || set[i].customer == 0)
			return &set[i];
	}
	return NULL;
}

bool cache_flush_touched_one(struct cache *cache, uint32_t customer)
{
	const struct cache_use *use = find_use(cache, customer);

	if (!use || use->customer != customer)
		return false;
	flush(cache, set_of(customer), 1);
	return true;
}

void cache_touch(struct cache *cache, uint32_t slot, int64_t now_ms)
{
	struct cache_use *use = find_use(cache, slot);

	if (!use) {
		flush(cache, set_of(slot), 1);
		use = find_use(cache, slot);
	}
	assert(use);
	*use = (struct cache_use){ slot, now_ms };
}

/* Listing */

static bool next_touched(struct cache *cache, struct cache_used *used, uint32_t *ret)
{
	while (used->place < TOUCHED_SETS * TOUCHED_A_SET) {
		const struct cache_use *use =
		        &cache->touched
		                 .sets[used->place / TOUCHED_A_SET][used->place % TOUCHED_A_SET];

		used->place++;
		if (use->customer && use->used_ms > used->used_ms) {
			*ret = use->customer;
			return true;
		}
	}
	return false;
}

static int next_used(struct cache *cache, struct cache_used *used)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[NEXT_USED];
	int r;

	rows_bind_integer(statement, 1, used->used_ms);
	rows_bind_integer(statement, 2, used->customer);
	r = rows_step(cache, statement);
	if (r)
		return r;
	used->customer = (uint32_t)sqlite3_column_int64(statement, 0);
	used->used_ms = sqlite3_column_int64(statement, 1);
	return 0;
}

int cache_next_used(struct cache *cache, struct cache_used *used, uint32_t *ret)
{
	int r;

	if (next_touched(cache, used, ret))
		return 0;
	do {
		r = next_used(cache, used);
	} while (cache_rescue(cache, r));
	*ret = used->customer;
	return r;
}

/* Misses */

void cache_note_eviction(struct cache *cache, const struct key *key)
{
	uint64_t hash = (uint64_t)seal_key_hash(cache->seal, key);

	cache->evicted[hash % EVICTED_SLOTS] = hash;
}

void cache_note_return(struct cache *cache, const struct key *key)
{
	uint64_t hash = (uint64_t)seal_key_hash(cache->seal, key);

	if (cache->evicted[hash % EVICTED_SLOTS] == hash)
		cache->evicted[hash % EVICTED_SLOTS] = 0;
}

enum cache_miss cache_miss(struct cache *cache, const struct key *key)
{
	uint64_t hash = (uint64_t)seal_key_hash(cache->seal, key);
	struct cache_key found;
	int64_t fetched_ms;

	if (cache_find_key(cache, key, &found) == 0)
		return found.is_forced ? CACHE_MISS_FORCED : CACHE_MISS_EXPIRED;
	if (cache_find_absent(cache, key, &fetched_ms) == 0)
		return CACHE_MISS_EXPIRED;
	return cache->evicted[hash % EVICTED_SLOTS] == hash ? CACHE_MISS_EVICTED : CACHE_MISS_COLD;
}
