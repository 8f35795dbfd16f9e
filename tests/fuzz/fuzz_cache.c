/* SPDX-License-Identifier: MIT */
/*
 * A row of the cache whose bytes are not as they were written: what the disk made of it, or, with a
 * checksum that fits, what no version of ours has written. It is read without a crash; without the
 * right checksum nothing of it is believed; and the next answer of the API puts everything right.
 *
 * The input is a byte that says what is damaged and how, and the bytes that are there then.
 */

#include <errno.h>
#include <sqlite3.h>

#include "fuzz.h"
#include "values.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

enum {
	CUSTOMER = 42,
	FETCHED_MS = 1000,
	/* What the first byte says. */
	IN_KEY = 1,      /* the key's text; else in the customer's row: */
	IN_IDENTITY = 2, /* ... the identity of its members, else the JSON */
	IS_SEALED = 4,   /* the checksum fits */
	IS_PACKED = 8,   /* the bytes are packed as JSON is */
};

struct damaged {
	struct cache *cache;
	struct key id;
	struct cache_key key;
	uint8_t what;
	struct input bytes;
	bool is_the_same; /* as it was written */
};

struct column {
	const void *bytes;
	size_t length;
};

static void store(struct damaged *damaged, unsigned version)
{
	cleanup(record_unrefp) struct record *record = value_record(CUSTOMER, version, false);
	struct cache_change change;

	assert_int_equal(cache_store(damaged->cache, &damaged->id, record, FETCHED_MS, &change), 0);
	cache_change_fini(&change);
	assert_int_equal(cache_find_key(damaged->cache, &damaged->id, &damaged->key), 0);
}

/* Damage */

static sqlite3_stmt *prepare(struct damaged *damaged, const char *text)
{
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(damaged->cache->database, text, -1, &statement, NULL),
	                 SQLITE_OK);
	return statement;
}

static void finish(sqlite3_stmt *statement)
{
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_finalize(statement);
}

static void read_column(sqlite3_stmt *statement, int place, struct column *ret)
{
	ret->bytes = sqlite3_column_blob(statement, place);
	ret->length = (size_t)sqlite3_column_bytes(statement, place);
}

static void replace(struct damaged *damaged, struct column *column)
{
	struct column input = { damaged->bytes.bytes, damaged->bytes.length };
	const char *packed;

	if (damaged->what & IS_PACKED) {
		assert_int_equal(codec_pack(damaged->cache->codec, input.bytes, input.length,
		                            &packed, &input.length),
		                 0);
		input.bytes = packed;
	}
	damaged->is_the_same =
	        input.length == column->length &&
	        (!input.length || memcmp(input.bytes, column->bytes, input.length) == 0);
	*column = input;
}

static int64_t seal_customer(struct damaged *damaged, const struct column columns[2])
{
	struct seal *seal = damaged->cache->seal;

	seal_begin(seal, SEAL_CUSTOMER);
	seal_add_integer(seal, damaged->key.customer);
	seal_add_integer(seal, FETCHED_MS);
	for (int i = 0; i < 2; i++)
		seal_add_bytes(seal, columns[i].bytes, columns[i].length);
	return seal_end(seal);
}

static void damage_customer(struct damaged *damaged)
{
	sqlite3_stmt *read = prepare(damaged, "SELECT identity, json, sum FROM customer");
	sqlite3_stmt *write =
	        prepare(damaged, "UPDATE customer SET identity = ?1, json = ?2, sum = ?3");
	struct column columns[2];
	int64_t sum;

	assert_int_equal(sqlite3_step(read), SQLITE_ROW);
	for (int i = 0; i < 2; i++)
		read_column(read, i, &columns[i]);
	sum = sqlite3_column_int64(read, 2);
	replace(damaged, &columns[damaged->what & IN_IDENTITY ? 0 : 1]);
	if (damaged->what & IS_SEALED)
		sum = seal_customer(damaged, columns);

	for (int i = 0; i < 2; i++)
		sqlite3_bind_blob64(write, 1 + i, columns[i].length ? columns[i].bytes : "",
		                    columns[i].length, SQLITE_TRANSIENT);
	sqlite3_bind_int64(write, 3, sum);
	sqlite3_finalize(read);
	finish(write);
}

static int64_t seal_key(struct damaged *damaged, const struct column *text)
{
	struct seal *seal = damaged->cache->seal;

	seal_begin(seal, SEAL_KEY);
	seal_add_integer(seal, damaged->key.key.kind);
	seal_add_integer(seal, damaged->key.slot);
	seal_add_integer(seal, damaged->key.customer);
	seal_add_integer(seal, damaged->key.fetched_ms);
	seal_add_integer(seal, damaged->key.is_forced);
	seal_add_bytes(seal, text->bytes, text->length);
	return seal_end(seal);
}

static void damage_key(struct damaged *damaged)
{
	sqlite3_stmt *read = prepare(damaged, "SELECT text, sum FROM key");
	sqlite3_stmt *write = prepare(damaged, "UPDATE key SET text = CAST(?1 AS TEXT), sum = ?2");
	struct column text;
	int64_t sum;

	assert_int_equal(sqlite3_step(read), SQLITE_ROW);
	read_column(read, 0, &text);
	sum = sqlite3_column_int64(read, 1);
	replace(damaged, &text);
	if (damaged->what & IS_SEALED)
		sum = seal_key(damaged, &text);

	sqlite3_bind_blob64(write, 1, text.length ? text.bytes : "", text.length, SQLITE_TRANSIENT);
	sqlite3_bind_int64(write, 2, sum);
	sqlite3_finalize(read);
	finish(write);
}

/* Looking */

/* All of what is read can be looked at. */
static void walk(const struct record *record)
{
	const struct member *member;
	size_t length;

	assert_non_null(record_json(record, &length));
	for (uint32_t i = 0; (member = record_member(record, i)); i++) {
		assert_int_equal(strlen(member->name), member->name_length);
		assert_true(!member->value_length || member->value[member->value_length - 1]);
	}
	assert_int_equal(record_member_count(record) > 0, true);
}

static bool has_value(const struct record *record, unsigned version)
{
	char value[VALUE_SIZE];
	size_t length;

	value_print(value, CUSTOMER, version);
	return strstr(record_json(record, &length), value) != NULL;
}

static bool take_key(void *userdata, const struct cache_key *key)
{
	(void)userdata;
	assert_true(strlen(key->key.text) <= KEY_TEXT_MAX);
	return true;
}

static bool find_id(void *userdata, const struct cache_key *key)
{
	bool *is_listed = userdata;

	*is_listed = strcmp(key->key.text, "42") == 0;
	return !*is_listed;
}

static void look(struct damaged *damaged)
{
	struct cache_customer customer;
	struct cache_key found;
	bool is_believed = damaged->is_the_same || damaged->what & IS_SEALED;
	int r;

	assert_int_equal(cache_list_keys(damaged->cache, KEY_ID, 0, take_key, NULL), 0);
	r = cache_find_key(damaged->cache, &damaged->id, &found);
	assert_true(r == 0 || r == CACHE_NONE);
	/* To find a key its text is not read, but the checksum, which tells of another. */
	assert_true(r || damaged->is_the_same || !(damaged->what & IN_KEY) ||
	            !(damaged->what & IS_SEALED));
	r = cache_read_customer(damaged->cache, damaged->key.customer, &customer);
	assert_true(r == 0 || r == CACHE_NONE);
	if (r)
		return;
	assert_true(is_believed || damaged->what & IN_KEY);
	walk(customer.record);
	record_unref(customer.record);
}

static void assert_next_answer_mends_it(struct damaged *damaged)
{
	struct cache_customer customer;
	bool is_listed = false;

	store(damaged, 2);
	assert_int_equal(cache_list_keys(damaged->cache, KEY_ID, 0, find_id, &is_listed), 0);
	assert_true(is_listed);
	assert_int_equal(cache_read_customer(damaged->cache, damaged->key.customer, &customer), 0);
	assert_true(has_value(customer.record, 2));
	assert_false(has_value(customer.record, 1));
	record_unref(customer.record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct damaged damaged = { .bytes = { bytes, length } };

	log_set_level(LOG_LEVEL_ERROR);
	damaged.what = input_byte(&damaged.bytes);
	assert_int_equal(key_parse(KEY_ID, "42", 2, &damaged.id), 0);
	assert_int_equal(cache_open(":memory:", "https://x", &damaged.cache), 0);
	store(&damaged, 1);
	if (damaged.what & IN_KEY)
		damage_key(&damaged);
	else
		damage_customer(&damaged);
	look(&damaged);
	assert_next_answer_mends_it(&damaged);
	cache_close(damaged.cache);
	return 0;
}
