/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that keeps answers. All but the functions at the end run inside a
 * transaction.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/model/node.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_rows.h"

static int insert_key(struct cache *cache, const struct key *key, uint32_t customer, int64_t now_ms,
                      struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[INSERT_KEY];
	int r;

	rows_bind_key(statement, key);
	rows_bind_integer(statement, 3, customer);
	rows_bind_integer(statement, 4, now_ms);
	r = rows_execute(cache, statement);
	if (r)
		return r;
	if (sqlite3_last_insert_rowid(cache->database) > NODE_SLOT_MAX)
		return -ENOSPC;

	change->listing[key->kind] = true;
	return 0;
}

static int refresh_key(struct cache *cache, uint32_t slot, int64_t now_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[REFRESH_KEY];

	rows_bind_integer(statement, 1, now_ms);
	rows_bind_integer(statement, 2, slot);
	return rows_execute(cache, statement);
}

static int note_key(struct cache_change *change, uint32_t slot)
{
	uint32_t *grown = reallocarray(change->keys, change->key_count + 1, sizeof(*change->keys));

	if (!grown)
		return -ENOMEM;
	change->keys = grown;
	change->keys[change->key_count++] = slot;
	return 0;
}

static int delete_key(struct cache *cache, const struct cache_key *found,
                      struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[DELETE_KEY];
	int r;

	r = note_key(change, found->slot);
	if (r)
		return r;
	rows_bind_integer(statement, 1, found->slot);
	change->listing[found->key.kind] = true;
	return rows_execute(cache, statement);
}

static int delete_absent(struct cache *cache, const struct key *key)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[DELETE_ABSENT];

	rows_bind_key(statement, key);
	return rows_execute(cache, statement);
}

/* Make @key lead to @customer as of now. */
static int lead_key(struct cache *cache, const struct key *key, uint32_t customer, int64_t now_ms,
                    struct cache_change *change)
{
	struct cache_key found;
	int r;

	r = cache_find_key(cache, key, &found);
	if (r < 0)
		return r;
	if (r == 0 && found.customer == customer)
		return refresh_key(cache, found.slot, now_ms);
	if (r == 0) {
		r = delete_key(cache, &found, change);
		if (r)
			return r;
	}

	r = delete_absent(cache, key);
	if (r)
		return r;
	return insert_key(cache, key, customer, now_ms, change);
}

static int write_customer(struct cache *cache, const struct record *record, int64_t now_ms,
                          uint32_t *slot)
{
	enum statement which = *slot ? UPDATE_CUSTOMER : INSERT_CUSTOMER;
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[which];
	char *identity;
	size_t identity_length;
	size_t json_length;
	const char *json = record_json(record, &json_length);
	int r;

	r = record_save_identity(record, &identity, &identity_length);
	if (r)
		return r;

	rows_bind_integer(statement, 1, now_ms);
	rows_bind_blob(statement, 2, identity, identity_length);
	rows_bind_blob(statement, 3, json, json_length);
	if (*slot)
		rows_bind_integer(statement, 4, *slot);
	r = rows_execute(cache, statement);
	free(identity);
	if (r || *slot)
		return r;

	if (sqlite3_last_insert_rowid(cache->database) > NODE_SLOT_MAX)
		return -ENOSPC;
	*slot = (uint32_t)sqlite3_last_insert_rowid(cache->database);
	return 0;
}

static int count_keys(struct cache *cache, uint32_t customer, uint32_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[COUNT_KEYS];
	int r;

	rows_bind_integer(statement, 1, customer);
	r = rows_step(cache, statement);
	if (r)
		return r < 0 ? r : -EIO;

	*ret = (uint32_t)sqlite3_column_int64(statement, 0);
	return 0;
}

static int note_keys(struct cache *cache, uint32_t customer, struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];
	struct cache_key found;
	int r;

	rows_bind_integer(keys, 1, customer);
	while (!(r = rows_take_key(cache, keys, &found))) {
		r = note_key(change, found.slot);
		if (r)
			return r;
	}
	return r < 0 ? r : 0;
}

static int write_listings(struct cache *cache, int64_t now_ms, const struct cache_change *change,
                          int64_t changed_ms[KEY_KINDS])
{
	int r;

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_LISTING];
		int64_t previous_ms = cache->listing_changed_ms[kind];

		changed_ms[kind] = previous_ms;
		if (!change->listing[kind])
			continue;

		changed_ms[kind] = now_ms > previous_ms ? now_ms : previous_ms + 1;
		rows_bind_integer(statement, 1, kind);
		rows_bind_integer(statement, 2, changed_ms[kind]);
		r = rows_execute(cache, statement);
		if (r)
			return r;
	}
	return 0;
}

static int claim_for_account(struct cache *cache, const char *account)
{
	if (!*account || strcmp(cache->account, account) == 0)
		return 0;
	if (*cache->account) {
		log_error("cache: answer of another account refused");
		return -EPROTO;
	}
	if (strlen(account) >= PROPERTY_SIZE)
		return -EPROTO;
	return rows_write_property(cache, "account", account);
}

static int store_record(struct cache *cache, const struct key *key, struct record *record,
                        int64_t now_ms, struct cache_change *change)
{
	struct cache_customer known = { 0 };
	struct cache_key id_key;
	struct key id;
	uint32_t slot = 0;
	int r;

	r = key_parse(KEY_ID, record_id(record), strlen(record_id(record)), &id);
	if (r)
		return -EPROTO;

	r = cache_find_key(cache, &id, &id_key);
	if (r < 0)
		return r;
	if (r == 0) {
		slot = id_key.customer;
		r = cache_read_customer(cache, slot, &known);
		if (r < 0)
			return r;
		change->previous = known.record;
	}

	r = record_settle(record, change->previous, now_ms, &change->values);
	if (!r)
		r = write_customer(cache, record, now_ms, &slot);
	if (!r)
		r = lead_key(cache, &id, slot, now_ms, change);
	if (!r && !key_equal(&id, key))
		r = lead_key(cache, key, slot, now_ms, change);
	if (r)
		return r;

	change->customer.record = record_ref(record);
	change->customer.slot = slot;
	change->customer.fetched_ms = now_ms;
	if (change->values) {
		r = note_keys(cache, slot, change);
		if (r)
			return r;
	}
	return count_keys(cache, slot, &change->customer.keys);
}

/* The id names the customer itself: without it the customer goes, with all that leads there. */
static int delete_customer(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *deletion = cache->statements[DELETE_CUSTOMER];
	struct cache_customer known = { 0 };
	struct cache_key found;
	int r;

	r = cache_read_customer(cache, slot, &known);
	if (r < 0)
		return r;
	change->previous = known.record;

	for (;;) {
		cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];

		rows_bind_integer(keys, 1, slot);
		r = rows_take_key(cache, keys, &found);
		if (r)
			break;
		r = delete_key(cache, &found, change);
		if (r)
			break;
	}
	if (r < 0)
		return r;

	rows_bind_integer(deletion, 1, slot);
	return rows_execute(cache, deletion);
}

static int store_absence(struct cache *cache, const struct key *key, int64_t now_ms,
                         struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[INSERT_ABSENT];
	struct cache_key found;
	int r;

	r = cache_find_key(cache, key, &found);
	if (r < 0)
		return r;
	if (r == 0) {
		r = key->kind == KEY_ID ? delete_customer(cache, found.customer, change)
		                        : delete_key(cache, &found, change);
		if (r)
			return r;
		change->customer.slot = found.customer;
	}

	rows_bind_key(statement, key);
	rows_bind_integer(statement, 3, now_ms);
	return rows_execute(cache, statement);
}

/* One transaction around the storing of an answer; @record is NULL for an absence. */
static int store(struct cache *cache, const struct key *key, struct record *record, int64_t now_ms,
                 struct cache_change *change)
{
	int64_t changed_ms[KEY_KINDS];
	int r;

	r = rows_run(cache, BEGIN);
	if (r)
		return r;

	if (record)
		r = claim_for_account(cache, record_account(record));
	if (!r)
		r = record ? store_record(cache, key, record, now_ms, change)
		           : store_absence(cache, key, now_ms, change);
	if (!r)
		r = write_listings(cache, now_ms, change, changed_ms);
	if (!r)
		r = rows_run(cache, COMMIT);
	if (r) {
		if (!sqlite3_get_autocommit(cache->database) && rows_run(cache, ROLLBACK))
			log_error("cache: rollback failed");
		return r;
	}

	memcpy(cache->listing_changed_ms, changed_ms, sizeof(changed_ms));
	if (record && !*cache->account && strlen(record_account(record)) < PROPERTY_SIZE)
		strcpy(cache->account, record_account(record));
	return 0;
}

static int store_whole(struct cache *cache, const struct key *key, struct record *record,
                       int64_t now_ms, struct cache_change *ret)
{
	struct cache_change change = { 0 };
	int r;

	r = store(cache, key, record, now_ms, &change);
	if (r) {
		cache_change_fini(&change);
		return r;
	}
	*ret = change;
	return 0;
}

int cache_store(struct cache *cache, const struct key *key, struct record *record, int64_t now_ms,
                struct cache_change *ret)
{
	return store_whole(cache, key, record, now_ms, ret);
}

int cache_store_absent(struct cache *cache, const struct key *key, int64_t now_ms,
                       struct cache_change *ret)
{
	return store_whole(cache, key, NULL, now_ms, ret);
}

void cache_change_fini(struct cache_change *change)
{
	record_unref(steal(&change->customer.record));
	record_unref(steal(&change->previous));
	free(steal(&change->keys));
}
