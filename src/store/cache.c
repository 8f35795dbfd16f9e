/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_rows.h"

static int read_property(struct cache *cache, const char *name, char ret[PROPERTY_SIZE])
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_PROPERTY];
	const char *value;
	int r;

	rows_bind_text(statement, 1, name);
	r = rows_step(cache, statement);
	if (r)
		return r;

	value = (const char *)sqlite3_column_text(statement, 0);
	if (!value || strlen(value) >= PROPERTY_SIZE)
		return CACHE_NONE;
	strcpy(ret, value);
	return 0;
}

/* A cache belongs to the source that made it. */
static int claim_for_source(struct cache *cache, const char *source)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_PROPERTY];
	const char *owner;
	int r;

	rows_bind_text(statement, 1, "source");
	r = rows_step(cache, statement);
	if (r == CACHE_NONE)
		return rows_write_property(cache, "source", source);
	if (r)
		return r;

	owner = (const char *)sqlite3_column_text(statement, 0);
	return owner && strcmp(owner, source) == 0 ? 0 : CACHE_OTHER_OWNER;
}

static int load_listings(struct cache *cache)
{
	int r;

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_LISTING];

		rows_bind_integer(statement, 1, kind);
		r = rows_step(cache, statement);
		if (r < 0)
			return r;
		if (r == 0)
			cache->listing_changed_ms[kind] = sqlite3_column_int64(statement, 0);
	}
	return 0;
}

static int open_database(struct cache *cache, const char *path)
{
	int r = database_open(path, rows_schema(), &cache->database);

	switch (r) {
	case DATABASE_BUSY:
		return CACHE_BUSY;
	case DATABASE_FOREIGN:
		return CACHE_FOREIGN;
	case DATABASE_NEWER:
		return CACHE_NEWER;
	default:
		return r;
	}
}

int cache_open(const char *path, const char *source, struct cache **ret)
{
	cleanup(cache_closep) struct cache *cache = NULL;
	int r;

	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;

	r = open_database(cache, path);
	if (r)
		return r;

	r = rows_prepare(cache);
	if (r)
		return r;
	r = claim_for_source(cache, source);
	if (r)
		return r;
	r = read_property(cache, "account", cache->account);
	if (r < 0)
		return r;
	r = load_listings(cache);
	if (r)
		return r;

	*ret = steal(&cache);
	return 0;
}

void cache_close(struct cache *cache)
{
	if (!cache)
		return;

	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(cache->statements[i]);
	database_close(cache->database);
	free(cache);
}

const char *cache_account(const struct cache *cache)
{
	return cache->account;
}

int64_t cache_listing_changed_ms(const struct cache *cache, enum key_kind kind)
{
	return cache->listing_changed_ms[kind];
}

int cache_find_key(struct cache *cache, const struct key *key, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[FIND_KEY];

	rows_bind_key(statement, key);
	return rows_take_key(cache, statement, ret);
}

int cache_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_KEY];

	rows_bind_integer(statement, 1, slot);
	return rows_take_key(cache, statement, ret);
}

int cache_next_key(struct cache *cache, enum key_kind kind, uint32_t slot, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[NEXT_KEY];

	rows_bind_integer(statement, 1, kind);
	rows_bind_integer(statement, 2, slot);
	return rows_take_key(cache, statement, ret);
}

int cache_find_absent(struct cache *cache, const struct key *key, int64_t *ret_fetched_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[FIND_ABSENT];
	int r;

	rows_bind_key(statement, key);
	r = rows_step(cache, statement);
	if (r)
		return r;

	*ret_fetched_ms = sqlite3_column_int64(statement, 0);
	return 0;
}

int cache_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_CUSTOMER];
	cleanup(record_unrefp) struct record *record = NULL;
	int r;

	rows_bind_integer(statement, 1, slot);
	r = rows_step(cache, statement);
	if (r)
		return r;

	r = payload_read_customer(sqlite3_column_blob(statement, 2),
	                          (size_t)sqlite3_column_bytes(statement, 2), &record);
	if (!r)
		r = record_load_identity(record, sqlite3_column_blob(statement, 1),
		                         (size_t)sqlite3_column_bytes(statement, 1));
	if (r) {
		log_error("cache: unreadable customer error=%s", strerrorname_np(-r));
		return r == -ENOMEM ? r : -EIO;
	}

	ret->record = steal(&record);
	ret->slot = slot;
	ret->fetched_ms = sqlite3_column_int64(statement, 0);
	ret->keys = (uint32_t)sqlite3_column_int64(statement, 3);
	return 0;
}
