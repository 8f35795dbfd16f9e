/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that keeps answers. All but the functions at the end run inside a
 * transaction.
 */

#include <errno.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

/* Damage may have cut the index off from a row that is there. */
static int delete_unfound(struct cache *cache, const struct key *key, uint32_t customer,
                          struct cache_change *change)
{
	struct cache_key found;
	int r;

	for (;;) {
		cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];

		rows_bind_integer(keys, 1, customer);
		do {
			r = rows_take_key_of(cache, keys, customer, &found);
		} while (r == ROWS_DAMAGED || (!r && !key_equal(&found.key, key)));
		if (r)
			return r < 0 ? r : 0;

		rows_reset(&keys);
		r = cache_delete_key(cache, &found, change);
		if (r)
			return r;
	}
}

static int insert_key(struct cache *cache, const struct key *key, uint32_t customer, int64_t now_ms,
                      struct cache_change *change)
{
	struct cache_key row = {
		.key = *key,
		.customer = customer,
		.fetched_ms = now_ms,
		.since_ms = change->previous ? now_ms : 0,
	};
	int r;

	r = delete_unfound(cache, key, customer, change);
	row.slot = cache_reserved_slot(cache, key, change->customer.record);
	if (!r && !row.slot)
		r = cache_new_slot(cache, &row.slot);
	if (!r)
		r = rows_write_key(cache, &row);
	if (!r)
		r = rows_expect_key(cache, key, customer);
	if (r)
		return r;

	change->listing[key->kind] = true;
	change->links = change->previous;
	cache_note_return(cache, key);
	return 0;
}

int cache_lead_key(struct cache *cache, const struct key *key, uint32_t customer, int64_t now_ms,
                   struct cache_change *change)
{
	struct cache_key found;
	int r;

	r = rows_find_key(cache, key, &found);
	if (r == 0 && found.customer == customer) {
		found.fetched_ms = now_ms;
		found.is_forced = false;
		found.is_vague = false;
		return rows_refresh_key(cache, &found);
	}
	if (r == 0)
		r = cache_delete_key(cache, &found, change);
	else if (r == ROWS_DAMAGED)
		r = cache_delete_damaged_key(cache, key, change);
	if (r < 0)
		return r;

	r = rows_delete_absent(cache, key);
	if (r)
		return r;
	return insert_key(cache, key, customer, now_ms, change);
}

/* From now on dates can be asked for. */
static int claim_for_account(struct cache *cache, const char *account, struct cache_change *change)
{
	if (!*account || strcmp(cache->account, account) == 0)
		return 0;
	if (*cache->account) {
		log_error("cache: answer of another account refused");
		return -EPROTO;
	}
	if (strlen(account) >= ACCOUNT_SIZE)
		return -EPROTO;
	change->listing[KEY_DATE] = true;
	return rows_write_property(cache, "account", account);
}

/* Where the customer behind @id is kept: *@ret is 0 if it is not, or was damaged and had to go. */
static int find_known(struct cache *cache, const struct key *id, uint32_t *ret,
                      struct cache_change *change)
{
	struct cache_customer known;
	struct cache_key found;
	int r;

	*ret = 0;
	r = rows_find_key(cache, id, &found);
	if (r)
		return r < 0 ? r : 0;
	r = rows_read_customer(cache, found.customer, &known);
	if (r < 0)
		return r;
	/* Its ordinals are not known any more, so its number may not be used for others. */
	if (r)
		return cache_delete_customer(cache, found.customer, change);

	change->previous = known.record;
	*ret = found.customer;
	return 0;
}

int cache_write_used(struct cache *cache, uint32_t slot, int64_t now_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_USE];

	rows_bind_integer(statement, 1, slot);
	rows_bind_integer(statement, 2, now_ms);
	return rows_execute(cache, statement);
}

struct shown {
	struct cache *cache;
	uint32_t customer;
};

static bool is_shown(void *userdata, uint32_t ordinal, uint16_t version)
{
	const struct shown *shown = userdata;
	struct cache *cache = shown->cache;

	return cache->is_shown &&
	       cache->is_shown(cache->is_shown_userdata, shown->customer, ordinal, version);
}

/*
 * Give @record its identity. A customer whose ordinals run out begins anew, as another customer:
 * a number that the kernel may know must not be used for anything else.
 */
static int settle(struct cache *cache, struct record *record, uint32_t *slot, int64_t now_ms,
                  struct cache_change *change)
{
	struct shown shown = { cache, *slot };
	const struct record_moment moment = { now_ms, is_shown, &shown };
	int r = record_settle(record, change->previous, &moment, &change->values);

	if (r != -EFBIG || !change->previous)
		return r;
	r = cache_delete_customer(cache, *slot, change);
	if (r)
		return r;

	*slot = 0;
	record_unref(steal(&change->previous));
	return record_settle(record, NULL, &moment, &change->values);
}

/*
 * Whoever reads by @key and had another customer sees one who is new to him: so nothing of this one
 * may be older than that.
 */
static int raise_times(struct cache *cache, const struct key *key, struct record *record,
                       int64_t now_ms, struct cache_change *change)
{
	struct cache_key found;
	int r = rows_find_key(cache, key, &found);

	if (r < 0)
		return r;
	change->times = r ? cache_was_of_another(cache, key, record)
	                  : found.customer != change->customer.slot;
	if (change->times)
		record_raise(record, now_ms);
	return 0;
}

/*
 * Where no value changed the record stays what it was, down to the text that it came in: so what
 * shows its JSON changes only when its time does.
 */
static int write_customer(struct cache *cache, const struct key *key, const struct key *id,
                          struct record *record, int64_t now_ms, struct cache_change *change)
{
	uint32_t slot;
	bool is_new;
	int r;

	r = find_known(cache, id, &slot, change);
	if (!r)
		r = settle(cache, record, &slot, now_ms, change);
	if (r)
		return r;

	is_new = slot == 0;
	if (is_new)
		record_begin_at(record, cache_reserved_ordinal(cache, id));
	if (change->previous && !change->values)
		record = change->previous;
	change->customer.slot = slot;
	r = is_new ? cache_new_slot(cache, &slot) : raise_times(cache, key, record, now_ms, change);
	if (!r)
		r = rows_write_customer(cache, slot, record, now_ms);
	if (!r && is_new)
		r = cache_write_used(cache, slot, now_ms);
	if (r)
		return r;

	change->customer.slot = slot;
	change->customer.record = record_ref(record);
	return 0;
}

int cache_note_keys(struct cache *cache, struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];
	struct cache_key found;
	int r;

	rows_bind_integer(keys, 1, change->customer.slot);
	for (;;) {
		r = rows_take_key_of(cache, keys, change->customer.slot, &found);
		if (r == ROWS_DAMAGED)
			continue;
		if (r)
			return r < 0 ? r : 0;

		change->customer.keys++;
		r = cache_note_key(change, found.slot);
		if (r)
			return r;
	}
}

static int describe(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	int r = rows_read_customer(cache, slot, &change->customer);

	/* Of a date there is a roster. */
	if (r < 0)
		return r;
	change->customer.slot = slot;
	change->customer.keys = 0;
	change->rules = true;
	r = cache_note_keys(cache, change);
	return r || change->key_count ? r : CACHE_NONE;
}

int cache_describe(struct cache *cache, uint32_t slot, struct cache_change *ret)
{
	int r;

	do {
		*ret = (struct cache_change){ 0 };
		r = describe(cache, slot, ret);
		if (r)
			cache_change_fini(ret);
	} while (cache_rescue(cache, r));
	return r;
}

/* As rows_expect_key(). */
static int expect_customer(struct cache *cache, uint32_t slot)
{
	struct cache_customer customer;
	int r = rows_peek_customer(cache, slot, &customer);

	return r > 0 ? rows_disordered(cache) : r;
}

struct answer {
	const struct key *key;
	struct record *record;
};

struct lead {
	const struct key *key;
	const struct record *record;
};

static int store_record(struct cache *cache, const void *arguments, int64_t now_ms,
                        struct cache_change *change)
{
	const struct answer *answer = arguments;
	const char *id_text = record_id(answer->record);
	struct key id;
	int r;

	if (key_parse(KEY_ID, id_text, strlen(id_text), &id))
		return -EPROTO;
	r = claim_for_account(cache, record_account(answer->record), change);
	if (!r)
		r = write_customer(cache, answer->key, &id, answer->record, now_ms, change);
	if (!r)
		r = cache_lead_key(cache, &id, change->customer.slot, now_ms, change);
	if (!r && !key_equal(&id, answer->key))
		r = cache_lead_key(cache, answer->key, change->customer.slot, now_ms, change);
	if (!r)
		r = expect_customer(cache, change->customer.slot);
	if (r)
		return r;

	change->customer.fetched_ms = now_ms;
	change->customer.changed_ms = record_member(change->customer.record, 0)->changed_ms;
	return cache_note_keys(cache, change);
}

/* The customer of the record as it is known, which nothing changes. */
static int find_later(struct cache *cache, const struct record *record, struct cache_change *change)
{
	const char *id_text = record_id(record);
	struct cache_key found;
	struct key id;
	int r;

	if (key_parse(KEY_ID, id_text, strlen(id_text), &id))
		return -EPROTO;
	r = rows_find_key(cache, &id, &found);
	if (!r)
		r = rows_read_customer(cache, found.customer, &change->customer);
	if (r)
		return r < 0 ? r : CACHE_NONE;
	change->customer.keys = 0;
	return 0;
}

/* Its times may have changed, and nothing else. */
static int write_later(struct cache *cache, const struct lead *lead, int64_t now_ms,
                       struct cache_change *change)
{
	struct cache_customer *customer = &change->customer;
	int64_t changed_ms;
	int r;

	r = raise_times(cache, lead->key, customer->record, now_ms, change);
	changed_ms = record_member(customer->record, 0)->changed_ms;
	if (!r && changed_ms != customer->changed_ms)
		r = rows_write_customer(cache, customer->slot, customer->record,
		                        customer->fetched_ms);
	if (r)
		return r;
	customer->changed_ms = changed_ms;
	change->previous = record_ref(customer->record);
	return 0;
}

static int store_lead(struct cache *cache, const void *arguments, int64_t now_ms,
                      struct cache_change *change)
{
	const struct lead *lead = arguments;
	int r;

	r = claim_for_account(cache, record_account(lead->record), change);
	if (!r)
		r = find_later(cache, lead->record, change);
	if (!r)
		r = write_later(cache, lead, now_ms, change);
	if (!r)
		r = cache_lead_key(cache, lead->key, change->customer.slot, now_ms, change);
	if (!r)
		r = expect_customer(cache, change->customer.slot);
	return r ? r : cache_note_keys(cache, change);
}

/* The id names the customer itself: without it the customer goes, with all that leads there. */
static int delete_whole(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	int r;

	r = cache_note_previous(cache, slot, change);
	return r < 0 ? r : cache_delete_customer(cache, slot, change);
}

static int store_absence(struct cache *cache, const void *arguments, int64_t now_ms,
                         struct cache_change *change)
{
	const struct answer *answer = arguments;
	struct cache_key found;
	int r;

	r = rows_find_key(cache, answer->key, &found);
	if (r == 0 && answer->key->kind == KEY_ID) {
		change->customer.slot = found.customer;
		r = delete_whole(cache, found.customer, change);
	} else if (r == 0) {
		r = cache_delete_key(cache, &found, change);
	} else if (r == ROWS_DAMAGED) {
		r = cache_delete_damaged_key(cache, answer->key, change);
	}
	if (r >= 0)
		r = rows_expect_key(cache, answer->key, 0);
	if (!r && answer->key->kind == KEY_ID)
		r = cache_leave_rosters(cache, answer->key, now_ms, change);
	return r ? r : rows_write_absent(cache, answer->key, now_ms);
}

static void end_reservation_of(struct cache *cache, const struct record *record)
{
	const char *text = record_id(record);
	struct key id;

	if (key_parse(KEY_ID, text, strlen(text), &id) == 0)
		cache_end_reservation(cache, &id);
}

int cache_store(struct cache *cache, const struct key *key, struct record *record, int64_t now_ms,
                struct cache_change *ret)
{
	const struct answer answer = { key, record };
	const char *account = record_account(record);
	int r;

	r = cache_write(cache, store_record, &answer, now_ms, ret);
	if (r)
		return r;
	end_reservation_of(cache, record);
	cache_end_reservation(cache, key);

	if (!*cache->account)
		strcpy(cache->account, account);
	cache_touch(cache, ret->customer.slot, now_ms);
	return 0;
}

int cache_store_lead(struct cache *cache, const struct key *key, const struct record *record,
                     int64_t now_ms, struct cache_change *ret)
{
	const struct lead lead = { key, record };
	int r = cache_write(cache, store_lead, &lead, now_ms, ret);

	if (r)
		return r;
	cache_end_reservation(cache, key);
	cache_touch(cache, ret->customer.slot, now_ms);
	return 0;
}

int cache_store_absent(struct cache *cache, const struct key *key, int64_t now_ms,
                       struct cache_change *ret)
{
	const struct answer answer = { .key = key };
	int r;

	r = cache_write(cache, store_absence, &answer, now_ms, ret);
	cache_drop_recent(cache, 0);
	if (r)
		return r;
	if (key->kind == KEY_ID)
		(void)!cache_end_reservations(cache, key, key->text, ret);
	else
		cache_end_reservation(cache, key);
	return 0;
}

static int drop_absence(struct cache *cache, const void *arguments, int64_t now_ms,
                        struct cache_change *change)
{
	(void)now_ms;
	(void)change;
	return rows_delete_absent(cache, arguments);
}

int cache_drop_absence(struct cache *cache, const struct key *key, int64_t now_ms)
{
	struct cache_change change;
	int64_t fetched_ms;
	int r = cache_find_absent(cache, key, &fetched_ms);

	if (r)
		return r < 0 ? r : 0;
	r = cache_write(cache, drop_absence, key, now_ms, &change);
	if (!r)
		cache_change_fini(&change);
	return r;
}
