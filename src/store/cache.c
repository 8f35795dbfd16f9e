/* SPDX-License-Identifier: MIT */
/*
 * The schema, and what holds in it between two transactions:
 *
 *   customer  one row a customer: the object as sent, and the identity
 *             (ordinals and times) of its members beside it
 *   key       one row a key that leads to a customer; every customer has at least
 *             its id's. A row's text and customer never change
 *   absent    one row a key of which the API said that nobody has it; such a
 *             key has no row in key
 *   listing   one row a kind: when a key of the kind last came or went
 *   property  the source and the account the answers belong to
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/io/database.h"
#include "kapturefs/model/node.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/store/cache.h"

/* "KAPF", so that file(1) and we can tell. */
enum {
	APPLICATION_ID = 0x4b415046
};

static const char *const migrations[] = {
	"CREATE TABLE property (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE customer ("
	"  slot INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  fetched_ms INTEGER NOT NULL,"
	"  identity BLOB NOT NULL,"
	"  json BLOB NOT NULL);"
	"CREATE TABLE key ("
	"  slot INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  kind INTEGER NOT NULL,"
	"  text TEXT NOT NULL,"
	"  customer INTEGER NOT NULL REFERENCES customer (slot),"
	"  fetched_ms INTEGER NOT NULL,"
	"  UNIQUE (kind, text));"
	"CREATE INDEX key_listing ON key (kind, slot);"
	"CREATE INDEX key_customer ON key (customer);"
	"CREATE TABLE absent ("
	"  kind INTEGER NOT NULL,"
	"  text TEXT NOT NULL,"
	"  fetched_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (kind, text)) WITHOUT ROWID;"
	"CREATE TABLE listing (kind INTEGER PRIMARY KEY, changed_ms INTEGER NOT NULL);",
	NULL,
};

static const struct database_schema schema = { APPLICATION_ID, migrations };

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND_KEY,
	READ_KEY,
	NEXT_KEY,
	FIND_ABSENT,
	READ_CUSTOMER,
	INSERT_CUSTOMER,
	UPDATE_CUSTOMER,
	DELETE_CUSTOMER,
	INSERT_KEY,
	REFRESH_KEY,
	DELETE_KEY,
	LIST_KINDS,
	COUNT_KEYS,
	INSERT_ABSENT,
	DELETE_ABSENT,
	READ_LISTING,
	WRITE_LISTING,
	READ_PROPERTY,
	WRITE_PROPERTY,
	STATEMENTS,
};

#define KEY_COLUMNS "SELECT slot, customer, fetched_ms, kind, text FROM key "

static const char *const statement_texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[FIND_KEY] = KEY_COLUMNS "WHERE kind = ?1 AND text = ?2",
	[READ_KEY] = KEY_COLUMNS "WHERE slot = ?1",
	[NEXT_KEY] = KEY_COLUMNS "WHERE kind = ?1 AND slot > ?2 ORDER BY slot LIMIT 1",
	[FIND_ABSENT] = "SELECT fetched_ms FROM absent WHERE kind = ?1 AND text = ?2",
	[READ_CUSTOMER] = "SELECT fetched_ms, identity, json,"
	                  "  (SELECT count(*) FROM key WHERE customer = ?1)"
	                  " FROM customer WHERE slot = ?1",
	[INSERT_CUSTOMER] = "INSERT INTO customer (fetched_ms, identity, json) VALUES (?1, ?2, ?3)",
	[UPDATE_CUSTOMER] = "UPDATE customer SET fetched_ms = ?1, identity = ?2, json = ?3"
	                    " WHERE slot = ?4",
	[DELETE_CUSTOMER] = "DELETE FROM customer WHERE slot = ?1",
	[INSERT_KEY] = "INSERT INTO key (kind, text, customer, fetched_ms) VALUES (?1, ?2, ?3, ?4)",
	[REFRESH_KEY] = "UPDATE key SET fetched_ms = ?1 WHERE slot = ?2",
	[DELETE_KEY] = "DELETE FROM key WHERE slot = ?1",
	[LIST_KINDS] = KEY_COLUMNS "WHERE customer = ?1 ORDER BY slot LIMIT 1",
	[COUNT_KEYS] = "SELECT count(*) FROM key WHERE customer = ?1",
	[INSERT_ABSENT] =
	        "INSERT OR REPLACE INTO absent (kind, text, fetched_ms) VALUES (?1, ?2, ?3)",
	[DELETE_ABSENT] = "DELETE FROM absent WHERE kind = ?1 AND text = ?2",
	[READ_LISTING] = "SELECT changed_ms FROM listing WHERE kind = ?1",
	[WRITE_LISTING] = "INSERT OR REPLACE INTO listing (kind, changed_ms) VALUES (?1, ?2)",
	[READ_PROPERTY] = "SELECT value FROM property WHERE name = ?1",
	[WRITE_PROPERTY] = "INSERT OR REPLACE INTO property (name, value) VALUES (?1, ?2)",
};

enum {
	PROPERTY_SIZE = 64
};

struct cache {
	sqlite3 *database;
	sqlite3_stmt *statements[STATEMENTS];
	char account[PROPERTY_SIZE];
	int64_t listing_changed_ms[KEY_KINDS];
};

/* A statement in use; its scope's end makes it ready for the next. */
static void statement_reset(sqlite3_stmt **statement)
{
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
}

/* Binding can only fail for lack of memory or by our own mistake in numbering; the step then fails or finds nothing. */
static void bind_integer(sqlite3_stmt *statement, int place, int64_t value)
{
	(void)sqlite3_bind_int64(statement, place, value);
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
	(void)sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *statement, int place, const char *bytes, size_t length)
{
	(void)sqlite3_bind_blob64(statement, place, bytes, length, SQLITE_STATIC);
}

static void bind_key(sqlite3_stmt *statement, const struct key *key)
{
	bind_integer(statement, 1, key->kind);
	bind_text(statement, 2, key->text);
}

/* Returns 0 with a row, CACHE_NONE without, or a negative errno. */
static int step(struct cache *cache, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 0;
	if (code == SQLITE_DONE)
		return CACHE_NONE;
	return database_errno(cache->database, code, "query");
}

/* For statements that return no row: 0 or a negative errno. */
static int execute(struct cache *cache, sqlite3_stmt *statement)
{
	int r = step(cache, statement);

	return r == CACHE_NONE ? 0 : r;
}

static int run(struct cache *cache, enum statement which)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[which];

	return execute(cache, statement);
}

static int read_property(struct cache *cache, const char *name, char ret[PROPERTY_SIZE])
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[READ_PROPERTY];
	const char *value;
	int r;

	bind_text(statement, 1, name);
	r = step(cache, statement);
	if (r)
		return r;

	value = (const char *)sqlite3_column_text(statement, 0);
	if (!value || strlen(value) >= PROPERTY_SIZE)
		return CACHE_NONE;
	strcpy(ret, value);
	return 0;
}

static int write_property(struct cache *cache, const char *name, const char *value)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[WRITE_PROPERTY];

	bind_text(statement, 1, name);
	bind_text(statement, 2, value);
	return execute(cache, statement);
}

/* A cache belongs to the source that made it. */
static int claim_for_source(struct cache *cache, const char *source)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[READ_PROPERTY];
	const char *owner;
	int r;

	bind_text(statement, 1, "source");
	r = step(cache, statement);
	if (r == CACHE_NONE)
		return write_property(cache, "source", source);
	if (r)
		return r;

	owner = (const char *)sqlite3_column_text(statement, 0);
	return owner && strcmp(owner, source) == 0 ? 0 : CACHE_OTHER_OWNER;
}

static int load_listings(struct cache *cache)
{
	int r;

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[READ_LISTING];

		bind_integer(statement, 1, kind);
		r = step(cache, statement);
		if (r < 0)
			return r;
		if (r == 0)
			cache->listing_changed_ms[kind] = sqlite3_column_int64(statement, 0);
	}
	return 0;
}

static int open_database(struct cache *cache, const char *path)
{
	int r = database_open(path, &schema, &cache->database);

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

	for (int i = 0; i < STATEMENTS; i++) {
		r = database_prepare(cache->database, statement_texts[i], &cache->statements[i]);
		if (r)
			return r;
	}

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

/* Read the row of KEY_COLUMNS that @statement finds. */
static int take_key(struct cache *cache, sqlite3_stmt *statement, struct cache_key *ret)
{
	const char *text;
	int64_t kind;
	int r;

	r = step(cache, statement);
	if (r)
		return r;

	kind = sqlite3_column_int64(statement, 3);
	text = (const char *)sqlite3_column_text(statement, 4);
	if (kind < 0 || kind >= KEY_KINDS || !text || strlen(text) > KEY_TEXT_MAX)
		return -EIO;

	ret->slot = (uint32_t)sqlite3_column_int64(statement, 0);
	ret->customer = (uint32_t)sqlite3_column_int64(statement, 1);
	ret->fetched_ms = sqlite3_column_int64(statement, 2);
	ret->key.kind = (enum key_kind)kind;
	strcpy(ret->key.text, text);
	return 0;
}

int cache_find_key(struct cache *cache, const struct key *key, struct cache_key *ret)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[FIND_KEY];

	bind_key(statement, key);
	return take_key(cache, statement, ret);
}

int cache_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[READ_KEY];

	bind_integer(statement, 1, slot);
	return take_key(cache, statement, ret);
}

int cache_next_key(struct cache *cache, enum key_kind kind, uint32_t slot, struct cache_key *ret)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[NEXT_KEY];

	bind_integer(statement, 1, kind);
	bind_integer(statement, 2, slot);
	return take_key(cache, statement, ret);
}

int cache_find_absent(struct cache *cache, const struct key *key, int64_t *ret_fetched_ms)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[FIND_ABSENT];
	int r;

	bind_key(statement, key);
	r = step(cache, statement);
	if (r)
		return r;

	*ret_fetched_ms = sqlite3_column_int64(statement, 0);
	return 0;
}

int cache_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[READ_CUSTOMER];
	cleanup(record_unrefp) struct record *record = NULL;
	int r;

	bind_integer(statement, 1, slot);
	r = step(cache, statement);
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

/* What follows runs inside a transaction. */

static int insert_key(struct cache *cache, const struct key *key, uint32_t customer, int64_t now_ms,
                      struct cache_change *change)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[INSERT_KEY];
	int r;

	bind_key(statement, key);
	bind_integer(statement, 3, customer);
	bind_integer(statement, 4, now_ms);
	r = execute(cache, statement);
	if (r)
		return r;
	if (sqlite3_last_insert_rowid(cache->database) > NODE_SLOT_MAX)
		return -ENOSPC;

	change->listing[key->kind] = true;
	return 0;
}

static int refresh_key(struct cache *cache, uint32_t slot, int64_t now_ms)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[REFRESH_KEY];

	bind_integer(statement, 1, now_ms);
	bind_integer(statement, 2, slot);
	return execute(cache, statement);
}

static int delete_key(struct cache *cache, const struct cache_key *found,
                      struct cache_change *change)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[DELETE_KEY];

	bind_integer(statement, 1, found->slot);
	change->listing[found->key.kind] = true;
	return execute(cache, statement);
}

static int delete_absent(struct cache *cache, const struct key *key)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[DELETE_ABSENT];

	bind_key(statement, key);
	return execute(cache, statement);
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
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[which];
	char *identity;
	size_t identity_length;
	size_t json_length;
	const char *json = record_json(record, &json_length);
	int r;

	r = record_save_identity(record, &identity, &identity_length);
	if (r)
		return r;

	bind_integer(statement, 1, now_ms);
	bind_blob(statement, 2, identity, identity_length);
	bind_blob(statement, 3, json, json_length);
	if (*slot)
		bind_integer(statement, 4, *slot);
	r = execute(cache, statement);
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
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[COUNT_KEYS];
	int r;

	bind_integer(statement, 1, customer);
	r = step(cache, statement);
	if (r)
		return r < 0 ? r : -EIO;

	*ret = (uint32_t)sqlite3_column_int64(statement, 0);
	return 0;
}

static int write_listings(struct cache *cache, int64_t now_ms, const struct cache_change *change,
                          int64_t changed_ms[KEY_KINDS])
{
	int r;

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[WRITE_LISTING];
		int64_t previous_ms = cache->listing_changed_ms[kind];

		changed_ms[kind] = previous_ms;
		if (!change->listing[kind])
			continue;

		changed_ms[kind] = now_ms > previous_ms ? now_ms : previous_ms + 1;
		bind_integer(statement, 1, kind);
		bind_integer(statement, 2, changed_ms[kind]);
		r = execute(cache, statement);
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
	return write_property(cache, "account", account);
}

static int store_record(struct cache *cache, const struct key *key, struct record *record,
                        int64_t now_ms, struct cache_change *change)
{
	cleanup(record_unrefp) struct record *previous = NULL;
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
		previous = known.record;
	}

	r = record_settle(record, previous, now_ms, &change->values);
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
	return count_keys(cache, slot, &change->customer.keys);
}

/* The id names the customer itself: without it the customer goes, with all that leads there. */
static int delete_customer(struct cache *cache, uint32_t slot, struct cache_change *change)
{
	cleanup(statement_reset) sqlite3_stmt *deletion = cache->statements[DELETE_CUSTOMER];
	struct cache_key found;
	int r;

	for (;;) {
		cleanup(statement_reset) sqlite3_stmt *keys = cache->statements[LIST_KINDS];

		bind_integer(keys, 1, slot);
		r = take_key(cache, keys, &found);
		if (r)
			break;
		r = delete_key(cache, &found, change);
		if (r)
			break;
	}
	if (r < 0)
		return r;

	bind_integer(deletion, 1, slot);
	return execute(cache, deletion);
}

static int store_absence(struct cache *cache, const struct key *key, int64_t now_ms,
                         struct cache_change *change)
{
	cleanup(statement_reset) sqlite3_stmt *statement = cache->statements[INSERT_ABSENT];
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

	bind_key(statement, key);
	bind_integer(statement, 3, now_ms);
	return execute(cache, statement);
}

/* One transaction around the storing of an answer; @record is NULL for an absence. */
static int store(struct cache *cache, const struct key *key, struct record *record, int64_t now_ms,
                 struct cache_change *change)
{
	int64_t changed_ms[KEY_KINDS];
	int r;

	r = run(cache, BEGIN);
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
		r = run(cache, COMMIT);
	if (r) {
		if (!sqlite3_get_autocommit(cache->database) && run(cache, ROLLBACK))
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
}
