/* SPDX-License-Identifier: MIT */
/* The part of cache that keeps who was created on a day. */

#include <stdio.h>
#include <string.h>

#include "kapturefs/store/cache_parts.h"

/* Reading */

void cache_drop_recent(struct cache *cache, uint32_t slot)
{
	if (slot && slot != cache->recent.slot)
		return;
	roster_fini(&cache->recent.roster);
	cache->recent.slot = 0;
}

/* Whoever lists a day looks at each customer in it. */
static int read_recent(struct cache *cache, uint32_t slot)
{
	int r;

	if (cache->recent.slot == slot)
		return 0;
	cache_drop_recent(cache, 0);
	r = rows_read_roster(cache, slot, &cache->recent.roster, &cache->recent.changed_ms);
	if (!r)
		cache->recent.slot = slot;
	return r;
}

int cache_read_roster(struct cache *cache, uint32_t slot, const struct roster **ret,
                      int64_t *ret_changed_ms)
{
	int r;

	do {
		r = read_recent(cache, slot);
	} while (cache_rescue(cache, r));
	if (r)
		return r == ROWS_DAMAGED ? CACHE_NONE : r;
	*ret = &cache->recent.roster;
	*ret_changed_ms = cache->recent.changed_ms;
	return 0;
}

/* Inside a transaction */

struct answer {
	const struct key *key;
	const struct roster *roster;
	const char *account; /* whose customers they are */
};

/* The customer, so to speak, of the first day that is kept. */
static int first_day(struct cache *cache, uint32_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_KEYS];
	int r;

	rows_bind_integer(statement, 1, KEY_DATE);
	rows_bind_integer(statement, 2, 0);
	r = rows_step(cache, statement);
	if (!r)
		*ret = (uint32_t)sqlite3_column_int64(statement, 2);
	return r;
}

static int delete_found(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	int64_t before = rows_changes(cache);
	int r = cache_delete_customer(cache, slot, change);

	return r ? r : rows_expect_changes(cache, before);
}

static int delete_days(struct cache *cache, struct cache_change *change)
{
	uint32_t slot;
	int r;

	while ((r = first_day(cache, &slot)) == 0) {
		r = delete_found(cache, slot, change);
		if (r)
			return r;
	}
	return r < 0 ? r : 0;
}

/* An earlier version did not say whose they are; it asked for those of the customers' account. */
static int read_whose(struct cache *cache, char ret[PROPERTY_SIZE])
{
	int r = rows_read_property(cache, "days-of", ret);

	if (r == CACHE_NONE)
		snprintf(ret, PROPERTY_SIZE, "%s", cache->account);
	else if (r)
		*ret = '\0';
	return r < 0 ? r : 0;
}

/* There is no telling whose customers are in a roster, and another account has others. */
static int keep_days_of(struct cache *cache, const void *arguments, int64_t now_ms,
                        struct cache_change *change)
{
	const struct answer *answer = arguments;
	char whose[PROPERTY_SIZE];
	int r;

	(void)now_ms;
	r = read_whose(cache, whose);
	if (r || strcmp(whose, answer->account) == 0)
		return r;
	r = delete_days(cache, change);
	return r ? r : rows_write_property(cache, "days-of", answer->account);
}

/*
 * The roster of the date @key: *@ret is 0 if none is kept, or it was damaged and had to go. Its
 * places are not known any more then, so its number may not be used again.
 */
static int find_known(struct cache *cache, const struct key *key, uint32_t *ret,
                      struct roster *ret_roster, int64_t *ret_changed_ms,
                      struct cache_change *change)
{
	struct cache_key found;
	int r;

	*ret = 0;
	r = rows_find_key(cache, key, &found);
	if (r)
		return r < 0 ? r : 0;
	r = rows_read_roster(cache, found.customer, ret_roster, ret_changed_ms);
	if (r < 0)
		return r;
	if (r)
		return cache_delete_customer(cache, found.customer, change);
	*ret = found.customer;
	return 0;
}

static int write_roster(struct cache *cache, const struct answer *answer, int64_t now_ms,
                        struct cache_change *change)
{
	cleanup(roster_fini) struct roster roster = { 0 };
	uint32_t *slot = &change->customer.slot;
	int64_t changed_ms = 0;
	bool has_changed;
	bool is_new;
	int r;

	r = find_known(cache, answer->key, slot, &roster, &changed_ms, change);
	if (!r)
		r = roster_follow(&roster, answer->roster, &has_changed);
	if (r)
		return r;

	is_new = *slot == 0;
	change->roster = !is_new && has_changed;
	if (is_new)
		r = cache_new_slot(cache, slot);
	else if (has_changed)
		r = cache_note_places(change, &roster);
	if (!r && (is_new || has_changed))
		r = rows_write_roster(cache, *slot, &roster,
		                      is_new || now_ms > changed_ms ? now_ms : changed_ms + 1);
	if (!r && is_new)
		r = cache_write_used(cache, *slot, now_ms);
	return r;
}

/* By a text: it counts for less time than by a list. */
static int mark_vague(struct cache *cache, const struct key *key)
{
	struct cache_key found;
	int r = rows_find_key(cache, key, &found);

	if (r)
		return r < 0 ? r : 0;
	found.is_vague = true;
	return rows_refresh_key(cache, &found);
}

static int store_roster(struct cache *cache, const void *arguments, int64_t now_ms,
                        struct cache_change *change)
{
	const struct answer *answer = arguments;
	int r;

	r = keep_days_of(cache, arguments, now_ms, change);
	if (!r)
		r = write_roster(cache, answer, now_ms, change);
	if (!r)
		r = cache_lead_key(cache, answer->key, change->customer.slot, now_ms, change);
	if (!r && answer->roster->is_vague)
		r = mark_vague(cache, answer->key);
	if (!r)
		r = cache_note_keys(cache, change);
	return r;
}

int cache_delete_rosters_with(struct cache *cache, const char *id, struct cache_change *change)
{
	uint32_t slot;
	int r;

	while ((r = roster_index_find(cache, id, true, &slot)) == 0) {
		r = delete_found(cache, slot, change);
		if (r)
			return r;
	}
	return r < 0 ? r : 0;
}

/* A roster that cannot be read is no list any more. */
static int leave_roster(struct cache *cache, uint32_t slot, const struct key *id, int64_t now_ms,
                        struct cache_change *change)
{
	cleanup(roster_fini) struct roster roster = { 0 };
	int64_t changed_ms;
	int r;

	r = rows_read_roster(cache, slot, &roster, &changed_ms);
	if (r < 0)
		return r;
	if (r || !roster_find(&roster, id->text, strlen(id->text)))
		return delete_found(cache, slot, change);
	roster_remove(&roster, id->text);
	change->roster = true;
	r = cache_note_places(change, &roster);
	return r ? r
	         : rows_write_roster(cache, slot, &roster,
	                             now_ms > changed_ms ? now_ms : changed_ms + 1);
}

/* The key by date of the roster with @slot. */
static int key_of_roster(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];

	rows_bind_integer(keys, 1, slot);
	return rows_take_key_of(cache, keys, slot, ret);
}

int cache_leave_rosters(struct cache *cache, const struct key *id, int64_t now_ms,
                        struct cache_change *change)
{
	struct cache_key day;
	uint32_t slot;
	int r;

	while ((r = roster_index_find(cache, id->text, false, &slot)) == 0) {
		r = key_of_roster(cache, slot, &day);
		if (!r)
			r = cache_note_key(change, day.slot);
		if (r >= 0)
			r = leave_roster(cache, slot, id, now_ms, change);
		if (r)
			return r;
	}
	return r < 0 ? r : 0;
}

/* Outside */

int cache_find_day_with(struct cache *cache, const struct key *id, struct cache_key *ret)
{
	uint32_t slot;
	int r;

	do {
		r = roster_index_find(cache, id->text, false, &slot);
		if (!r)
			r = key_of_roster(cache, slot, ret);
	} while (cache_rescue(cache, r));
	return r == ROWS_DAMAGED ? CACHE_NONE : r;
}

int cache_keep_days_of(struct cache *cache, const char *account, int64_t now_ms)
{
	const struct answer answer = { .account = account };
	struct cache_change change;
	char whose[PROPERTY_SIZE];
	int r;

	r = read_whose(cache, whose);
	if (!r && strcmp(whose, account) == 0)
		return 0;
	r = cache_write(cache, keep_days_of, &answer, now_ms, &change);
	if (r)
		return r;
	cache_drop_recent(cache, 0);
	cache_change_fini(&change);
	return 0;
}

/* Whether the date @key is known to have had more customers. Returns 1, 0, or a negative errno. */
static int had_more(struct cache *cache, const struct key *key, uint32_t count)
{
	const struct roster *known;
	struct cache_key found;
	int64_t changed_ms;
	int r;

	r = cache_find_key(cache, key, &found);
	if (!r)
		r = cache_read_roster(cache, found.customer, &known, &changed_ms);
	if (r)
		return r < 0 ? r : 0;
	return known->present > count;
}

int cache_store_roster(struct cache *cache, const struct key *key, const struct roster *roster,
                       const char *account, int64_t now_ms, struct cache_change *ret)
{
	const struct answer answer = { key, roster, account };
	int r = roster->is_vague ? had_more(cache, key, roster->present) : 0;

	if (r)
		return r < 0 ? r : CACHE_CONTRADICTED;
	r = cache_write(cache, store_roster, &answer, now_ms, ret);
	cache_drop_recent(cache, 0);
	if (!r)
		cache_touch(cache, ret->customer.slot, now_ms);
	return r;
}
