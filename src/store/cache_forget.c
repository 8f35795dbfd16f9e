/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that removes.
 *
 * SQLite is told to overwrite what is deleted (secure_delete), but that is on the pages of the
 * file; the write-ahead log still has the pages as they were. So forgetting ends in a checkpoint
 * that cuts the log to nothing. What was set aside is not read any more, so it goes as a whole.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

/* Inside a transaction */

static int append(uint32_t **numbers, size_t *count, uint32_t number)
{
	uint32_t *grown = reallocarray(*numbers, *count + 1, sizeof(**numbers));

	if (!grown)
		return -ENOMEM;
	grown[(*count)++] = number;
	*numbers = grown;
	return 0;
}

int cache_note_key(struct cache_change *change, uint32_t slot)
{
	return append(&change->keys, &change->key_count, slot);
}

int cache_note_places(struct cache_change *change, const struct roster *roster)
{
	int r = 0;

	for (uint32_t place = 1; !r && place <= roster->ids.count; place++) {
		if (!roster_at(roster, place))
			r = append(&change->places, &change->place_count, place);
	}
	return r;
}

/* The customer from whom the key @found has gone, if there is one, and it is not what changed. */
static int note_other(struct cache *cache, const struct cache_key *found,
                      struct cache_change *change)
{
	struct cache_customer other;
	int r;

	if (found->key.kind == KEY_DATE || found->customer == change->customer.slot)
		return 0;
	r = rows_read_customer(cache, found->customer, &other);
	if (r)
		return r < 0 ? r : 0;
	record_unref(change->other.record);
	change->other = other;
	return 0;
}

int cache_delete_key(struct cache *cache, const struct cache_key *found,
                     struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[DELETE_KEY];
	int64_t before = rows_changes(cache);
	int r;

	r = cache_note_key(change, found->slot);
	if (r)
		return r;
	change->listing[found->key.kind] = true;
	change->has_led |= found->key.kind != KEY_DATE;
	rows_bind_integer(statement, 1, found->key.kind);
	rows_bind_integer(statement, 2, found->slot);
	r = rows_execute(cache, statement);
	if (!r)
		r = rows_expect_changes(cache, before);
	return r ? r : note_other(cache, found, change);
}

int cache_delete_damaged_key(struct cache *cache, const struct key *key,
                             struct cache_change *change)
{
	int64_t before = rows_changes(cache);
	int r;

	change->listing[key->kind] = true;
	r = rows_run_on(cache, DELETE_KEYS_BY_HASH, seal_key_hash(cache->seal, key), 0);
	return r ? r : rows_expect_changes(cache, before);
}

static int note_keys_of(struct cache *cache, uint32_t customer, struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];
	struct cache_key found;
	int r;

	rows_bind_integer(keys, 1, customer);
	for (;;) {
		r = rows_take_key_of(cache, keys, customer, &found);
		if (r == ROWS_DAMAGED)
			continue;
		if (r)
			return r < 0 ? r : 0;

		change->listing[found.key.kind] = true;
		change->has_led |= found.key.kind != KEY_DATE;
		r = cache_note_key(change, found.slot);
		if (r)
			return r;
	}
}

int cache_delete_customer(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	int r;

	change->has_gone = true;
	r = note_keys_of(cache, slot, change);
	if (!r)
		r = rows_run_on(cache, DELETE_KEYS_OF_CUSTOMER, slot, 0);
	if (!r)
		r = cache_note_row(cache, slot, NULL, 0);
	if (!r)
		r = rows_run_on(cache, DELETE_CUSTOMER, slot, 0);
	if (!r)
		r = rows_run_on(cache, DELETE_ROSTER, slot, 0);
	cache_drop_recent(cache, slot);
	if (!r)
		r = cache_delete_words(cache, slot);
	if (!r)
		r = rows_run_on(cache, DELETE_USE, slot, 0);
	return r;
}

/* What the customer was, for those who have its values in other places. */
int cache_note_previous(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	struct cache_customer known;
	int r;

	r = rows_read_customer(cache, slot, &known);
	if (r == 0)
		change->previous = known.record;
	return r;
}

/* Whoever came in its place when the row of its id was damaged is the same customer. */
static int forget_id(struct cache *cache, const struct key *id, struct cache_change *change)
{
	struct cache_key found;
	int r;

	r = rows_find_key(cache, id, &found);
	if (r == 0)
		r = cache_delete_customer(cache, found.customer, change);
	else if (r == ROWS_DAMAGED)
		r = cache_delete_damaged_key(cache, id, change);
	if (r < 0)
		return r;
	r = rows_expect_key(cache, id, 0);
	/* A date that shows the id without its customer would have been asked in vain. */
	return r ? r : cache_delete_rosters_with(cache, id->text, change);
}

static int forget_customer(struct cache *cache, const void *arguments, int64_t now_ms,
                           struct cache_change *change)
{
	const uint32_t *slot = arguments;
	struct key id;
	int r;

	(void)now_ms;
	r = cache_note_previous(cache, *slot, change);
	if (r < 0 || r == CACHE_NONE)
		return r;
	change->customer.slot = *slot;
	change->is_forgotten = true;
	r = cache_delete_customer(cache, *slot, change);
	if (!r)
		r = sieve_note(cache, *slot, SIEVE_FORGOTTEN);
	if (!r && change->previous &&
	    key_parse(KEY_ID, record_id(change->previous), strlen(record_id(change->previous)),
	              &id) == 0)
		r = forget_id(cache, &id, change);
	return r;
}

/* Nobody is known by @key, but that may be known, and an id may be in a roster. */
static int forget_unknown(struct cache *cache, const struct key *key, struct cache_change *change)
{
	int64_t fetched_ms;
	int absent;
	int r;

	absent = rows_find_absent(cache, key, &fetched_ms);
	if (absent < 0)
		return absent;
	r = absent == CACHE_NONE ? 0 : rows_delete_absent(cache, key);
	if (!r && key->kind == KEY_ID)
		r = cache_delete_rosters_with(cache, key->text, change);
	if (r)
		return r;
	return absent == CACHE_NONE && !change->key_count ? CACHE_NONE : 0;
}

static int forget_found(struct cache *cache, const struct cache_key *found, int64_t now_ms,
                        struct cache_change *change)
{
	int r;

	if (found->key.kind == KEY_DATE)
		return cache_delete_customer(cache, found->customer, change);
	r = forget_customer(cache, &found->customer, now_ms, change);
	return r == CACHE_NONE ? cache_delete_key(cache, found, change) : r;
}

static int forget_key(struct cache *cache, const void *arguments, int64_t now_ms,
                      struct cache_change *change)
{
	const struct key *key = arguments;
	struct cache_key found;
	int r;

	r = rows_find_key(cache, key, &found);
	if (r == CACHE_NONE)
		return forget_unknown(cache, key, change);
	if (r == 0)
		r = forget_found(cache, &found, now_ms, change);
	else if (r == ROWS_DAMAGED)
		r = cache_delete_damaged_key(cache, key, change);
	return r ? r : rows_expect_key(cache, key, 0);
}

static int force_key(struct cache *cache, uint32_t slot)
{
	struct cache_key found;
	int r;

	r = rows_read_key(cache, slot, &found);
	if (r)
		return r < 0 ? r : 0;
	found.is_forced = true;
	return rows_refresh_key(cache, &found);
}

static int expire_customer(struct cache *cache, const void *arguments, int64_t now_ms,
                           struct cache_change *change)
{
	const uint32_t *slot = arguments;
	int r;

	(void)now_ms;
	r = note_keys_of(cache, *slot, change);
	for (size_t i = 0; !r && i < change->key_count; i++)
		r = force_key(cache, change->keys[i]);
	if (r)
		return r;

	/* No key has come or gone. */
	for (int kind = 0; kind < KEY_LISTINGS; kind++)
		change->listing[kind] = false;
	change->has_led = false;
	return change->key_count ? 0 : CACHE_NONE;
}

/* Outside */

int cache_expire(struct cache *cache, uint32_t slot)
{
	struct cache_change change;
	int r;

	r = cache_write(cache, expire_customer, &slot, 0, &change);
	if (!r)
		cache_change_fini(&change);
	return r;
}

static int leave_no_byte(struct cache *cache)
{
	int r;

	cache->log.has_remains = true;
	r = cache_log_cut(cache);
	if (!r)
		r = cache_remove_aside(cache);
	if (!r && cache->mode != CACHE_OVER_FILE)
		return 0;
	log_warning("cache: what was forgotten has left bytes behind");
	(void)cache_rescue(cache, r);
	return CACHE_REMAINS;
}

/* What may be told of a file that cannot be changed: not the errors of opening it. */
static int disk_error(int r)
{
	switch (r) {
	case -ENOSPC:
	case -EROFS:
	case -ENOMEM:
		return r;
	default:
		return -EIO;
	}
}

/* Whoever reads what all customers were does not go on to read of those who are forgotten. */
static int end_exports(struct cache *cache, int r, struct cache_change *change)
{
	bool were_any = snapshots_forget_gone(cache->snapshots);

	if (r == CACHE_NONE && were_any) {
		*change = (struct cache_change){ 0 };
		r = 0;
	}
	if (!r)
		change->ended = snapshots_take_ended(cache->snapshots);
	return r;
}

/* What is read in the file but can only be changed in memory cannot be removed from the file. */
static int forget(struct cache *cache, cache_work_fn *work, const void *arguments, int64_t now_ms,
                  struct cache_change *ret)
{
	int remains;
	int r;

	if (cache->mode == CACHE_OVER_FILE) {
		r = cache_write_down(cache);
		if (r)
			return disk_error(r);
	}
	cache->is_letting_go = true;
	r = cache_write(cache, work, arguments, now_ms, ret);
	cache->is_letting_go = false;
	if (r < 0)
		return disk_error(r);
	r = end_exports(cache, r, ret);
	/* What is not known (any more) may still be in a file that was set aside, even just now. */
	remains = leave_no_byte(cache);
	return r ? r : remains;
}

int cache_forget(struct cache *cache, uint32_t slot, int64_t now_ms, struct cache_change *ret)
{
	return forget(cache, forget_customer, &slot, now_ms, ret);
}

int cache_forget_key(struct cache *cache, const struct key *key, int64_t now_ms,
                     struct cache_change *ret)
{
	struct cache_change change = { 0 };
	int r = forget(cache, forget_key, key, now_ms, &change);
	const char *id = change.previous ? record_id(change.previous) : NULL;

	if (r >= 0)
		(void)!cache_end_reservations(cache, key, id, &change);
	if (r == CACHE_NONE && change.key_count)
		r = 0;
	if (r == 0 || r == CACHE_REMAINS)
		*ret = change;
	return r;
}
