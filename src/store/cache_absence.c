/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that lets absences go when they do not count any more. The file has no key of
 * them, but hashes; and what they are hashed with, so that who has the file can try all phone
 * numbers of a country in minutes.
 *
 * Some go at a time, and a second's worth before the log is cut, as that syncs.
 */

#include "kapturefs/store/cache_parts.h"

enum {
	ABSENCES_A_STEP = 32,
	PAUSE_MS = 1000, /* and until those who waited for one have read it */
};

void cache_keep_absences(struct cache *cache, uint64_t ttl_ms)
{
	cache->absences.ttl_ms = ttl_ms < INT64_MAX ? (int64_t)ttl_ms : INT64_MAX;
	if (cache->absences.ttl_ms < PAUSE_MS)
		cache->absences.ttl_ms = PAUSE_MS;
	cache->absences.due_ms = 0;
}

int cache_drop_old_absences(struct cache *cache, int64_t now_ms)
{
	if (cache->absences.ttl_ms == INT64_MAX)
		return 0;
	return rows_run_on(cache, DELETE_OLD_ABSENT, now_ms - cache->absences.ttl_ms, INT32_MAX);
}

/* A clock that was set back does not put it off. */
static bool is_due(const struct cache *cache, int64_t now_ms)
{
	return cache->absences.ttl_ms != INT64_MAX &&
	       (now_ms >= cache->absences.due_ms || now_ms < cache->absences.due_ms - PAUSE_MS);
}

static int drop_some(struct cache *cache, const void *arguments, int64_t now_ms,
                     struct cache_change *change)
{
	int64_t before = rows_changes(cache);
	int r;

	(void)arguments;
	(void)change;
	r = rows_run_on(cache, DELETE_OLD_ABSENT, now_ms - cache->absences.ttl_ms, ABSENCES_A_STEP);
	return r ? r : rows_expect_changes(cache, before);
}

static int expire_some(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	int r;

	cache->is_letting_go = true;
	r = cache_write(cache, drop_some, NULL, now_ms, ret);
	cache->is_letting_go = false;
	cache->log.has_remains = cache->absences.have_gone = true;
	return r < 0 ? r : CACHE_MORE;
}

int cache_expire_absences(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	int64_t oldest_ms;
	int r;

	if (!is_due(cache, now_ms))
		return 0;
	r = rows_number(cache, OLDEST_ABSENT, &oldest_ms);
	if (r == 0 && oldest_ms <= now_ms - cache->absences.ttl_ms)
		return expire_some(cache, now_ms, ret);
	cache->absences.due_ms = now_ms + PAUSE_MS;
	cache->log.is_to_be_cut |= cache->absences.have_gone;
	cache->absences.have_gone = false;
	return r < 0 ? r : 0;
}

uint64_t cache_absences_due_in(struct cache *cache, int64_t now_ms)
{
	int64_t oldest_ms;
	int64_t wait_ms;

	if (cache->absences.ttl_ms == INT64_MAX || rows_number(cache, OLDEST_ABSENT, &oldest_ms))
		return UINT64_MAX;
	wait_ms = oldest_ms + cache->absences.ttl_ms - now_ms;
	return wait_ms > PAUSE_MS ? (uint64_t)wait_ms : PAUSE_MS;
}
