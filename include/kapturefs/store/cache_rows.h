#pragma once
/* SPDX-License-Identifier: MIT */
/* The rows of the cache's database: what cache and cache_store share, and nobody else uses. */

#include <sqlite3.h>

#include "kapturefs/base/base.h"
#include "kapturefs/io/database.h"
#include "kapturefs/store/cache.h"

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
	KEYS_OF_CUSTOMER,
	COUNT_KEYS,
	INSERT_ABSENT,
	DELETE_ABSENT,
	READ_LISTING,
	WRITE_LISTING,
	READ_PROPERTY,
	WRITE_PROPERTY,
	STATEMENTS,
};

enum { PROPERTY_SIZE = 64 };

struct cache {
	sqlite3 *database;
	sqlite3_stmt *statements[STATEMENTS];
	char account[PROPERTY_SIZE];
	int64_t listing_changed_ms[KEY_KINDS];
};

/** What makes a database file a cache. */
const struct database_schema *rows_schema(void);

/** Prepare every statement. Returns 0 or a negative errno. */
int rows_prepare(struct cache *cache) must_check;

/** The cleanup of a statement in use: ready for the next. */
void rows_reset(sqlite3_stmt **statement);

/*
 * Binding can only fail for lack of memory or by our own mistake in numbering;
 * the step then fails or finds nothing. What is bound must live until the
 * statement is reset.
 */
void rows_bind_integer(sqlite3_stmt *statement, int place, int64_t value);
void rows_bind_text(sqlite3_stmt *statement, int place, const char *text);
void rows_bind_blob(sqlite3_stmt *statement, int place, const char *bytes, size_t length);

/** Bind kind and text at places 1 and 2. */
void rows_bind_key(sqlite3_stmt *statement, const struct key *key);

/** Returns 0 with a row, CACHE_NONE without, or a negative errno. */
int rows_step(struct cache *cache, sqlite3_stmt *statement) must_check;

/** For statements that return no row. Returns 0 or a negative errno. */
int rows_execute(struct cache *cache, sqlite3_stmt *statement) must_check;

/** The same for a statement without parameters. */
int rows_run(struct cache *cache, enum statement which) must_check;

/** Read the key that @statement finds. Returns as rows_step(). */
int rows_take_key(struct cache *cache, sqlite3_stmt *statement, struct cache_key *ret) must_check;

/** Returns 0 or a negative errno. */
int rows_write_property(struct cache *cache, const char *name, const char *value) must_check;
