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

#include <errno.h>
#include <string.h>

#include "kapturefs/store/cache_rows.h"

/* "KAPF", so that file(1) and we can tell. */
enum { APPLICATION_ID = 0x4b415046 };

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
	[KEYS_OF_CUSTOMER] = KEY_COLUMNS "WHERE customer = ?1 ORDER BY slot",
	[COUNT_KEYS] = "SELECT count(*) FROM key WHERE customer = ?1",
	[INSERT_ABSENT] =
	        "INSERT OR REPLACE INTO absent (kind, text, fetched_ms) VALUES (?1, ?2, ?3)",
	[DELETE_ABSENT] = "DELETE FROM absent WHERE kind = ?1 AND text = ?2",
	[READ_LISTING] = "SELECT changed_ms FROM listing WHERE kind = ?1",
	[WRITE_LISTING] = "INSERT OR REPLACE INTO listing (kind, changed_ms) VALUES (?1, ?2)",
	[READ_PROPERTY] = "SELECT value FROM property WHERE name = ?1",
	[WRITE_PROPERTY] = "INSERT OR REPLACE INTO property (name, value) VALUES (?1, ?2)",
};

const struct database_schema *rows_schema(void)
{
	return &schema;
}

int rows_prepare(struct cache *cache)
{
	int r;

	for (int i = 0; i < STATEMENTS; i++) {
		r = database_prepare(cache->database, statement_texts[i], &cache->statements[i]);
		if (r)
			return r;
	}
	return 0;
}

void rows_reset(sqlite3_stmt **statement)
{
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
}

void rows_bind_integer(sqlite3_stmt *statement, int place, int64_t value)
{
	(void)sqlite3_bind_int64(statement, place, value);
}

void rows_bind_text(sqlite3_stmt *statement, int place, const char *text)
{
	(void)sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

void rows_bind_blob(sqlite3_stmt *statement, int place, const char *bytes, size_t length)
{
	(void)sqlite3_bind_blob64(statement, place, bytes, length, SQLITE_STATIC);
}

void rows_bind_key(sqlite3_stmt *statement, const struct key *key)
{
	rows_bind_integer(statement, 1, key->kind);
	rows_bind_text(statement, 2, key->text);
}

int rows_step(struct cache *cache, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 0;
	if (code == SQLITE_DONE)
		return CACHE_NONE;
	return database_errno(cache->database, code, "query");
}

int rows_execute(struct cache *cache, sqlite3_stmt *statement)
{
	int r = rows_step(cache, statement);

	return r == CACHE_NONE ? 0 : r;
}

int rows_run(struct cache *cache, enum statement which)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[which];

	return rows_execute(cache, statement);
}

int rows_take_key(struct cache *cache, sqlite3_stmt *statement, struct cache_key *ret)
{
	const char *text;
	int64_t kind;
	int r;

	r = rows_step(cache, statement);
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

int rows_write_property(struct cache *cache, const char *name, const char *value)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_PROPERTY];

	rows_bind_text(statement, 1, name);
	rows_bind_text(statement, 2, value);
	return rows_execute(cache, statement);
}
