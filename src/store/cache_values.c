/* SPDX-License-Identifier: MIT */
/*
 * The part of cache between rows and values: every row is sealed when it is written, and checked
 * when it is read.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/store/cache_parts.h"

enum { ROSTER_SIZE_MAX = 32 << 20 };

/* Keys */

/* The column `is_forced`, which had only that at first; above the flags, since_ms. */
enum { KEY_FORCED = 1, KEY_VAGUE = 2, KEY_SINCE = 4 };

static int64_t key_state(const struct cache_key *key)
{
	return key->since_ms * KEY_SINCE + (key->is_forced ? KEY_FORCED : 0) +
	       (key->is_vague ? KEY_VAGUE : 0);
}

static int64_t key_sum(struct cache *cache, const struct cache_key *key)
{
	seal_begin(cache->seal, SEAL_KEY);
	seal_add_integer(cache->seal, key->key.kind);
	seal_add_integer(cache->seal, key->slot);
	seal_add_integer(cache->seal, key->customer);
	seal_add_integer(cache->seal, key->fetched_ms);
	seal_add_integer(cache->seal, key_state(key));
	seal_add_bytes(cache->seal, key->key.text, strlen(key->key.text));
	return seal_end(cache->seal);
}

/* The rest of a row whose text is in @ret. */
static int take_key(struct cache *cache, sqlite3_stmt *statement, struct cache_key *ret)
{
	int64_t state;

	ret->key.kind = (enum key_kind)sqlite3_column_int(statement, 0);
	ret->slot = (uint32_t)sqlite3_column_int64(statement, 1);
	ret->customer = (uint32_t)sqlite3_column_int64(statement, 2);
	ret->fetched_ms = sqlite3_column_int64(statement, 3);
	state = sqlite3_column_int64(statement, 4);
	ret->is_forced = state & KEY_FORCED;
	ret->is_vague = state & KEY_VAGUE;
	ret->since_ms = state / KEY_SINCE;
	return sqlite3_column_int64(statement, 5) == key_sum(cache, ret) ? 0 : rows_damaged(cache);
}

int rows_take_key(struct cache *cache, sqlite3_stmt *statement, struct cache_key *ret)
{
	const char *text;
	size_t length;
	int r;

	r = rows_step(cache, statement);
	if (r)
		return r;

	text = (const char *)sqlite3_column_text(statement, 6);
	length = (size_t)sqlite3_column_bytes(statement, 6);
	if (!text || length > KEY_TEXT_MAX || strlen(text) != length)
		return rows_damaged(cache);
	memcpy(ret->key.text, text, length);
	ret->key.text[length] = '\0';
	return take_key(cache, statement, ret);
}

/* An index that is damaged may lead to rows that are not. */
int rows_take_key_of(struct cache *cache, sqlite3_stmt *statement, uint32_t customer,
                     struct cache_key *ret)
{
	int r = rows_take_key(cache, statement, ret);

	return !r && ret->customer != customer ? rows_damaged(cache) : r;
}

int rows_find_key(struct cache *cache, const struct key *key, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[FIND_KEY];
	bool is_damaged = false;
	int r;

	rows_bind_integer(statement, 1, seal_key_hash(cache->seal, key));
	rows_bind_integer(statement, 2, key->kind);
	while ((r = rows_step(cache, statement)) == 0) {
		/* Two keys of one hash are as likely as damage that keeps the checksum right. */
		ret->key = *key;
		if (take_key(cache, statement, ret) == 0)
			return 0;
		is_damaged = true;
	}
	return r == CACHE_NONE && is_damaged ? ROWS_DAMAGED : r;
}

int rows_expect_key(struct cache *cache, const struct key *key, uint32_t customer)
{
	struct cache_key found;
	int r = rows_find_key(cache, key, &found);
	bool is_as_said = customer ? r == 0 && found.customer == customer : r == CACHE_NONE;

	if (r < 0)
		return r;
	return is_as_said ? 0 : rows_disordered(cache);
}

int rows_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_KEY];

	rows_bind_integer(statement, 1, slot);
	return rows_take_key(cache, statement, ret);
}

static void bind_key(struct cache *cache, sqlite3_stmt *statement, const struct cache_key *key)
{
	rows_bind_integer(statement, 1, key->key.kind);
	rows_bind_integer(statement, 2, key->slot);
	rows_bind_integer(statement, 4, key->fetched_ms);
	rows_bind_integer(statement, 5, key_state(key));
	rows_bind_text(statement, 6, key->key.text);
	rows_bind_integer(statement, 7, key_sum(cache, key));
}

int rows_write_key(struct cache *cache, const struct cache_key *key)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_KEY];

	bind_key(cache, statement, key);
	rows_bind_integer(statement, 3, key->customer);
	rows_bind_integer(statement, 8, seal_key_hash(cache->seal, &key->key));
	return rows_execute(cache, statement);
}

int rows_refresh_key(struct cache *cache, const struct cache_key *key)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[REFRESH_KEY];
	int64_t before = rows_changes(cache);
	int r;

	bind_key(cache, statement, key);
	r = rows_execute(cache, statement);
	return r ? r : rows_expect_changes(cache, before);
}

/* Customers */

static int64_t customer_sum(struct cache *cache, uint32_t slot, const struct customer_row *row)
{
	seal_begin(cache->seal, SEAL_CUSTOMER);
	seal_add_integer(cache->seal, slot);
	seal_add_integer(cache->seal, row->fetched_ms);
	seal_add_bytes(cache->seal, row->identity, row->identity_length);
	seal_add_bytes(cache->seal, row->json, row->json_length);
	return seal_end(cache->seal);
}

int rows_take_row(struct cache *cache, sqlite3_stmt *statement, struct customer_row *ret)
{
	int r;

	r = rows_step(cache, statement);
	if (r)
		return r;
	*ret = (struct customer_row){
		.slot = (uint32_t)sqlite3_column_int64(statement, 0),
		.fetched_ms = sqlite3_column_int64(statement, 1),
		.identity = sqlite3_column_blob(statement, 2),
		.identity_length = (size_t)sqlite3_column_bytes(statement, 2),
		.json = sqlite3_column_blob(statement, 3),
		.json_length = (size_t)sqlite3_column_bytes(statement, 3),
		.sum = sqlite3_column_int64(statement, 4),
	};
	return 0;
}

bool rows_is_whole(struct cache *cache, const struct customer_row *row)
{
	return row->identity && row->json && row->sum == customer_sum(cache, row->slot, row);
}

static int build_record(struct cache *cache, const struct customer_row *row, struct record **ret)
{
	cleanup(record_unrefp) struct record *record = NULL;
	const char *json;
	size_t length;
	int r;

	r = codec_unpack(cache->codec, row->json, row->json_length, &json, &length);
	if (!r)
		r = payload_read_customer(json, length, &record);
	if (!r)
		r = record_load_identity(record, row->identity, row->identity_length);
	if (r)
		return r == -ENOMEM ? r : rows_damaged(cache);

	*ret = steal(&record);
	return 0;
}

/* What is in @ret_row is the statement's until it is reset. */
static int take_customer(struct cache *cache, sqlite3_stmt *statement, uint32_t slot,
                         struct customer_row *ret_row, struct cache_customer *ret)
{
	int r;

	rows_bind_integer(statement, 1, slot);
	r = rows_take_row(cache, statement, ret_row);
	if (r)
		return r;
	if (!rows_is_whole(cache, ret_row) || ret_row->slot != slot)
		return rows_damaged(cache);
	*ret = (struct cache_customer){ .slot = slot, .fetched_ms = ret_row->fetched_ms };
	return 0;
}

int rows_peek_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[PEEK_CUSTOMER];
	struct customer_row row;
	int r;

	r = take_customer(cache, statement, slot, &row, ret);
	if (r)
		return r;
	return record_identity_changed_ms(row.identity, row.identity_length, &ret->changed_ms)
	               ? rows_damaged(cache)
	               : 0;
}

int rows_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_CUSTOMER];
	struct cache_customer customer;
	struct customer_row row;
	int r;

	r = take_customer(cache, statement, slot, &row, &customer);
	if (!r)
		r = build_record(cache, &row, &customer.record);
	if (r)
		return r;
	customer.changed_ms = record_member(customer.record, 0)->changed_ms;
	customer.keys = (uint32_t)sqlite3_column_int64(statement, 5);
	*ret = customer;
	return 0;
}

static int write_customer_row(struct cache *cache, uint32_t slot, const struct customer_row *row)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_CUSTOMER];

	rows_bind_integer(statement, 1, slot);
	rows_bind_integer(statement, 2, row->fetched_ms);
	rows_bind_blob(statement, 3, row->identity, row->identity_length);
	rows_bind_blob(statement, 4, row->json, row->json_length);
	rows_bind_integer(statement, 5, customer_sum(cache, slot, row));
	cache->written_bytes += row->identity_length + row->json_length;
	return rows_execute(cache, statement);
}

int rows_write_customer(struct cache *cache, uint32_t slot, const struct record *record,
                        int64_t fetched_ms)
{
	struct customer_row row = { .fetched_ms = fetched_ms };
	char *identity;
	size_t length;
	const char *json = record_json(record, &length);
	int r;

	r = codec_pack(cache->codec, json, length, &row.json, &row.json_length);
	if (!r)
		r = record_save_identity(record, &identity, &row.identity_length);
	if (r)
		return r;

	row.identity = identity;
	r = cache_note_row(cache, slot, row.json, row.json_length);
	if (!r)
		r = write_customer_row(cache, slot, &row);
	if (!r)
		r = cache_write_words(cache, slot, record);
	free(identity);
	return r;
}

/* Rosters */

static int64_t roster_sum(struct cache *cache, uint32_t slot, int64_t changed_ms, const char *text,
                          size_t length)
{
	seal_begin(cache->seal, SEAL_ROSTER);
	seal_add_integer(cache->seal, slot);
	seal_add_integer(cache->seal, changed_ms);
	seal_add_bytes(cache->seal, text, length);
	return seal_end(cache->seal);
}

int rows_read_roster(struct cache *cache, uint32_t slot, struct roster *ret,
                     int64_t *ret_changed_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_ROSTER];
	int64_t changed_ms;
	const char *text;
	size_t length;
	int r;

	rows_bind_integer(statement, 1, slot);
	r = rows_step(cache, statement);
	if (r)
		return r;

	changed_ms = sqlite3_column_int64(statement, 0);
	text = (const char *)sqlite3_column_text(statement, 1);
	length = (size_t)sqlite3_column_bytes(statement, 1);
	if (!text ||
	    sqlite3_column_int64(statement, 2) != roster_sum(cache, slot, changed_ms, text, length))
		return rows_damaged(cache);
	r = roster_read(text, length, ret);
	if (r)
		return r == -ENOMEM ? r : rows_damaged(cache);
	*ret_changed_ms = changed_ms;
	return 0;
}

int rows_write_roster(struct cache *cache, uint32_t slot, const struct roster *roster,
                      int64_t changed_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_ROSTER];
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, ROSTER_SIZE_MAX);
	r = roster_write(roster, &text);
	if (r)
		return r;
	roster_index_add(&cache->roster_index, slot, text.data, text.length);
	rows_bind_integer(statement, 1, slot);
	rows_bind_integer(statement, 2, changed_ms);
	(void)sqlite3_bind_text64(statement, 3, text.data, text.length, SQLITE_STATIC, SQLITE_UTF8);
	rows_bind_integer(statement, 4,
	                  roster_sum(cache, slot, changed_ms, text.data, text.length));
	cache->written_bytes += text.length;
	return rows_execute(cache, statement);
}

/* Absences */

static int64_t absent_sum(struct cache *cache, const char hash[SEAL_ABSENT_SIZE],
                          int64_t fetched_ms)
{
	seal_begin(cache->seal, SEAL_ABSENT);
	seal_add_bytes(cache->seal, hash, SEAL_ABSENT_SIZE);
	seal_add_integer(cache->seal, fetched_ms);
	return seal_end(cache->seal);
}

int rows_find_absent(struct cache *cache, const struct key *key, int64_t *ret_fetched_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[FIND_ABSENT];
	char hash[SEAL_ABSENT_SIZE];
	int64_t fetched_ms;
	int r;

	seal_absent_hash(cache->seal, key, hash);
	rows_bind_blob(statement, 1, hash, sizeof(hash));
	r = rows_step(cache, statement);
	if (r)
		return r;

	fetched_ms = sqlite3_column_int64(statement, 0);
	if (sqlite3_column_int64(statement, 1) != absent_sum(cache, hash, fetched_ms))
		return rows_damaged(cache);
	*ret_fetched_ms = fetched_ms;
	return 0;
}

int rows_write_absent(struct cache *cache, const struct key *key, int64_t fetched_ms)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_ABSENT];
	char hash[SEAL_ABSENT_SIZE];

	seal_absent_hash(cache->seal, key, hash);
	rows_bind_blob(statement, 1, hash, sizeof(hash));
	rows_bind_integer(statement, 2, fetched_ms);
	rows_bind_integer(statement, 3, absent_sum(cache, hash, fetched_ms));
	return rows_execute(cache, statement);
}

int rows_delete_absent(struct cache *cache, const struct key *key)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[DELETE_ABSENT];
	char hash[SEAL_ABSENT_SIZE];

	seal_absent_hash(cache->seal, key, hash);
	rows_bind_blob(statement, 1, hash, sizeof(hash));
	return rows_execute(cache, statement);
}

/* Properties */

/* The secret is what the others are sealed with; it has a checksum in itself. */
static int64_t property_sum(struct cache *cache, const char *name, const char *value)
{
	if (strcmp(name, "secret") == 0)
		return 0;
	seal_begin(cache->seal, SEAL_PROPERTY);
	seal_add_bytes(cache->seal, name, strlen(name));
	seal_add_bytes(cache->seal, value, strlen(value));
	return seal_end(cache->seal);
}

int rows_read_property(struct cache *cache, const char *name, char ret[PROPERTY_SIZE])
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_PROPERTY];
	const char *value;
	int r;

	rows_bind_text(statement, 1, name);
	r = rows_step(cache, statement);
	if (r)
		return r;

	value = (const char *)sqlite3_column_text(statement, 0);
	if (!value || strlen(value) >= PROPERTY_SIZE ||
	    sqlite3_column_int64(statement, 1) != property_sum(cache, name, value))
		return rows_damaged(cache);
	strcpy(ret, value);
	return 0;
}

int rows_write_property(struct cache *cache, const char *name, const char *value)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_PROPERTY];

	rows_bind_text(statement, 1, name);
	rows_bind_text(statement, 2, value);
	rows_bind_integer(statement, 3, property_sum(cache, name, value));
	return rows_execute(cache, statement);
}
