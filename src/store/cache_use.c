/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that knows when customers were used, and which keys were evicted for want of
 * use.
 */

#include <string.h>

#include "kapturefs/store/cache_parts.h"

static int write_touched(struct cache *cache, const void *arguments, int64_t now_ms,
                         struct cache_change *change)
{
	int r = 0;

	(void)arguments;
	(void)now_ms;
	(void)change;
	for (size_t i = 0; !r && i < TOUCHED_SLOTS; i++) {
		if (cache->touched.slots[i].customer)
			r = rows_run_on(cache, UPDATE_USE, cache->touched.slots[i].customer,
			                cache->touched.slots[i].used_ms);
	}
	return r;
}

/* What cannot be written down is lost: it only tells what to evict first. */
void cache_flush_touched(struct cache *cache)
{
	struct cache_change change;

	if (cache->touched.count == 0)
		return;
	if (cache_write(cache, write_touched, NULL, 0, &change) == 0)
		cache_change_fini(&change);
	memset(&cache->touched, 0, sizeof(cache->touched));
}

void cache_touch(struct cache *cache, uint32_t slot, int64_t now_ms)
{
	struct cache_touched *touched = &cache->touched;
	size_t place = slot * UINT32_C(2654435761) % TOUCHED_SLOTS;

	while (touched->slots[place].customer && touched->slots[place].customer != slot)
		place = (place + 1) % TOUCHED_SLOTS;
	touched->count += touched->slots[place].customer == 0;
	touched->slots[place].customer = slot;
	touched->slots[place].used_ms = now_ms;
	if (touched->count > TOUCHED_SLOTS / 4 * 3)
		cache_flush_touched(cache);
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
