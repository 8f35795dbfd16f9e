/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that changes the file.
 *
 * What a commit costs, by the median of 1,000 answers on a disk that needs 4 ms to sync: 0.1 ms
 * with synchronous=NORMAL, 5 ms with FULL. Commits are made on the reactor, one for each answer;
 * FULL would hold everybody up and limit the mount to 200 answers a second. So it is NORMAL, which
 * loses nothing when the process dies and never damages the file; and the log is synced by another
 * thread soon after something is in it (cache_log.c). A power failure takes back the
 * answers of the last few hundredths of a second, which are asked for again. What it may not take
 * back is a number that was given: slots are reserved in strides, by commits that are synced.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/model/node.h"
#include "kapturefs/store/cache_parts.h"

enum {
	SLOTS_STRIDE = 4096,
	SLOTS_NEEDED_MAX = 3, /* by one answer: a customer, its id, its key */
};

int cache_new_slot(struct cache *cache, uint32_t *ret)
{
	if (cache->slot_next > NODE_SLOT_MAX)
		return -ENOSPC;
	assert(cache->slot_next < cache->slots_reserved);
	*ret = (uint32_t)cache->slot_next++;
	return 0;
}

int cache_write_slots(struct cache *cache, uint64_t reserved)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, reserved);
	return rows_write_property(cache, "slots", text);
}

/* End the transaction: as @r says, and if that fails, as if it had never begun. */
static int conclude(struct cache *cache, int r)
{
	if (!r)
		r = rows_run(cache, COMMIT);
	if (r && cache->database && !sqlite3_get_autocommit(cache->database) &&
	    rows_run(cache, ROLLBACK))
		log_error("cache: rollback failed");
	return r;
}

static int reserve_synced(struct cache *cache, uint64_t reserved)
{
	int back;
	int r;

	r = database_run(cache->database, "PRAGMA main.synchronous = FULL");
	if (!r)
		r = rows_run(cache, BEGIN);
	if (!r)
		r = conclude(cache, cache_write_slots(cache, reserved));
	back = database_run(cache->database, "PRAGMA main.synchronous = NORMAL");
	return r ? r : back;
}

static int reserve_slots(struct cache *cache)
{
	uint64_t reserved = cache->slot_next + SLOTS_STRIDE;
	int r;

	if (cache->slot_next + SLOTS_NEEDED_MAX <= cache->slots_reserved)
		return 0;
	r = cache->mode == CACHE_IN_MEMORY ? 0 : reserve_synced(cache, reserved);
	if (!r)
		cache->slots_reserved = reserved;
	return r;
}

int cache_take_slot(struct cache *cache, uint32_t *ret)
{
	int r;

	do {
		r = reserve_slots(cache);
	} while (cache_rescue(cache, r));
	return r ? r : cache_new_slot(cache, ret);
}

int cache_write_listing(struct cache *cache, enum key_kind kind, int64_t changed_ms)
{
	char name[24];
	char text[24];

	snprintf(name, sizeof(name), "listing-%s", key_kind_facts(kind)->word);
	snprintf(text, sizeof(text), "%" PRId64, changed_ms);
	return rows_write_property(cache, name, text);
}

int64_t cache_next_change_ms(const struct cache *cache, enum key_kind kind, int64_t now_ms)
{
	int64_t previous_ms = cache->listing_changed_ms[kind];

	return now_ms > previous_ms ? now_ms : previous_ms + 1;
}

static int write_listings(struct cache *cache, int64_t now_ms, const struct cache_change *change,
                          int64_t changed_ms[KEY_LISTINGS])
{
	int r = 0;

	memcpy(changed_ms, cache->listing_changed_ms, sizeof(cache->listing_changed_ms));
	for (enum key_kind kind = 0; !r && kind < KEY_LISTINGS; kind++) {
		if (!change->listing[kind])
			continue;
		changed_ms[kind] = cache_next_change_ms(cache, kind, now_ms);
		r = cache_write_listing(cache, kind, changed_ms[kind]);
	}
	return r;
}

int cache_write_change_time(struct cache *cache, int64_t changed_ms)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, changed_ms);
	return rows_write_property(cache, "changed", text);
}

static int write_once(struct cache *cache, cache_work_fn *work, const void *arguments,
                      int64_t now_ms, struct cache_change *change)
{
	int64_t changed_ms[KEY_LISTINGS];
	int64_t pages;
	int r;

	if (now_ms)
		snapshots_set_time(cache->snapshots, now_ms);
	cache->has_changed = false;
	cache->written_bytes = 0;
	r = reserve_slots(cache);
	if (!r)
		r = cache_count_pages(cache, &pages);
	if (!r)
		r = rows_run(cache, BEGIN);
	if (r)
		return r;

	r = work(cache, arguments, now_ms, change);
	if (!r)
		r = write_listings(cache, now_ms, change, changed_ms);
	if (!r && cache->has_changed)
		r = cache_write_change_time(cache, snapshots_next_change_ms(cache->snapshots));
	if (!r)
		r = cache_check_limits(cache, pages);
	r = conclude(cache, r);
	if (r)
		return r;

	if (cache->has_changed) {
		snapshots_count_change(cache->snapshots);
		cache->has_change_time = true;
	}
	memcpy(cache->listing_changed_ms, changed_ms, sizeof(changed_ms));
	cache->log.is_unsynced = cache->mode == CACHE_ON_FILE;
	return 0;
}

int cache_write(struct cache *cache, cache_work_fn *work, const void *arguments, int64_t now_ms,
                struct cache_change *ret)
{
	struct cache_change change;
	int r;

	cache_check_file(cache);
	do {
		change = (struct cache_change){ 0 };
		r = write_once(cache, work, arguments, now_ms, &change);
		if (r)
			cache_change_fini(&change);
	} while (cache_rescue(cache, r));

	if (!r)
		*ret = change;
	return r;
}

void cache_change_fini(struct cache_change *change)
{
	record_unref(steal(&change->customer.record));
	record_unref(steal(&change->previous));
	record_unref(steal(&change->other.record));
	free(steal(&change->keys));
	change->key_count = 0;
	free(steal(&change->places));
	change->place_count = 0;
}
