#pragma once
/* SPDX-License-Identifier: MIT */
/* The rows of the cache's database: what the files cache*.c share, and nobody else uses. */

#include <sqlite3.h>
#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/io/database.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_seal.h"

enum statement {
	BEGIN, /* to write: it waits for whoever does */
	BEGIN_READING,
	COMMIT,
	ROLLBACK,
	FIND_KEY,
	READ_KEY,
	LIST_KEYS,
	FIND_ABSENT,
	READ_CUSTOMER,
	PEEK_CUSTOMER,
	WRITE_CUSTOMER,
	DELETE_CUSTOMER,
	READ_ROSTER,
	WRITE_ROSTER,
	DELETE_ROSTER,
	ROSTER_WITH,
	ROSTER_HAS,
	LIST_ROSTERS,
	WRITE_KEY,
	REFRESH_KEY,
	DELETE_KEY,
	DELETE_KEYS_BY_HASH,
	DELETE_KEYS_OF_CUSTOMER,
	KEYS_OF_CUSTOMER,
	WRITE_ABSENT,
	DELETE_ABSENT,
	OLDEST_ABSENT,
	DELETE_OLD_ABSENT,
	WRITE_USE,
	UPDATE_USE,
	DELETE_USE,
	LEAST_USED,
	NEXT_USED,
	FIRST_CUSTOMER,
	LIST_CUSTOMERS,
	AGREE_ON_NOW,
	READ_EXTENT,
	LIST_EXTENTS,
	WRITE_EXTENT,
	DELETE_EXTENT,
	WRITE_WORDS,
	LIST_WORDS,
	DELETE_WORDS,
	SKIP_WORDS,
	READ_SIEVE,
	NEXT_SIEVE,
	LAST_SIEVE,
	WRITE_SIEVE,
	DELETE_SIEVE,
	WRITE_UNSIEVED,
	COUNT_UNSIEVED,
	LIST_UNSIEVED,
	DELETE_UNSIEVED,
	READ_PROPERTY,
	WRITE_PROPERTY,
	PAGE_BYTES,
	PAGE_COUNT,
	FREE_COUNT,
	STATEMENTS,
};

enum {
	PROPERTY_SIZE = 1024,
	ACCOUNT_SIZE = 64,
};

/* What the functions below return for a row that is not as it was written, besides CACHE_NONE. */
enum { ROWS_DAMAGED = 2 };

/** What makes a database file a cache. */
const struct database_schema *rows_schema(void);

/**
 * Prepare every statement, on the tables that the names mean now; @over_file if those are the views
 * of overlay_begin(). Returns 0 or a negative errno.
 */
int rows_prepare(struct cache *cache, bool over_file) must_check;

/** Finalize every statement. */
void rows_finalize(struct cache *cache);

/**
 * Put views over the file's tables under the same names, which are written in memory; and write
 * down what was, and take the views away. No statement may be prepared. Both return 0, or
 * DATABASE_DAMAGED or a negative errno and nothing changed.
 */
int overlay_begin(sqlite3 *database) must_check;
int overlay_write_down(sqlite3 *database) must_check;

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

/** Returns 0 with a row, CACHE_NONE without, or a negative errno. */
int rows_step(struct cache *cache, sqlite3_stmt *statement) must_check;

/** For statements that return no row. Returns 0 or a negative errno. */
int rows_execute(struct cache *cache, sqlite3_stmt *statement) must_check;

/** The same for a statement without parameters. */
int rows_run(struct cache *cache, enum statement which) must_check;

/** The same for one with the parameters @first and, if there is a second, @second. */
int rows_run_on(struct cache *cache, enum statement which, int64_t first,
                int64_t second) must_check;

/** The number that a statement returns, whose parameters are bound. Returns as rows_step(). */
int rows_number(struct cache *cache, enum statement which, int64_t *ret) must_check;

/* What the last statement that failed says about the place that it worked on. */
enum cache_trouble {
	TROUBLE_NONE,
	TROUBLE_WRITING, /* full, read-only, or writing fails: what is there can be read */
	TROUBLE_DAMAGE,  /* cannot be read, or is not what was written */
};

/** What SQLite's @code tells of the file. */
enum cache_trouble rows_trouble(int code);

/** The negative errno for SQLite's @code, logged; notes the trouble. */
int rows_failed(struct cache *cache, int code, const char *operation) must_check;

/** Rows that are whole, but not where they belong: the file is damaged. Returns -EIO. */
int rows_disordered(struct cache *cache);

/**
 * How many rows have been changed so far.
 *
 * What is found by one way (an index) and cannot be changed by another would be found as it is for
 * ever: whoever changes what was found asks before and, by rows_expect_changes(), after.
 */
int64_t rows_changes(struct cache *cache);

/** Returns 0, or as rows_disordered() if nothing has been changed since there were @before. */
int rows_expect_changes(struct cache *cache, int64_t before) must_check;

/** Count a damaged row, and say so the first time. Returns ROWS_DAMAGED. */
int rows_damaged(struct cache *cache);

/*
 * Rows as values. All return 0, CACHE_NONE, ROWS_DAMAGED or a negative errno; writing, 0 or a
 * negative errno.
 */

/** The key that @statement finds next. */
int rows_take_key(struct cache *cache, sqlite3_stmt *statement, struct cache_key *ret) must_check;
int rows_take_key_of(struct cache *cache, sqlite3_stmt *statement, uint32_t customer,
                     struct cache_key *ret) must_check;
int rows_find_key(struct cache *cache, const struct key *key, struct cache_key *ret) must_check;
/**
 * After @key was made to lead to @customer, or to nobody (0): SQLite inserts into pages whose rows
 * are out of order and may not find there what it has put, and what an index has and its table has
 * not is not deleted. Returns 0, or as rows_disordered() if it leads elsewhere.
 */
int rows_expect_key(struct cache *cache, const struct key *key, uint32_t customer) must_check;
int rows_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret) must_check;
/** A customer's row as it stands; borrowed until its statement goes on. */
struct customer_row {
	uint32_t slot;
	int64_t fetched_ms;
	const char *identity;
	size_t identity_length;
	const char *json; /* packed */
	size_t json_length;
	int64_t sum;
};

/** The row that @statement finds next, damaged or not; and whether it is what was written. */
int rows_take_row(struct cache *cache, sqlite3_stmt *statement,
                  struct customer_row *ret) must_check;
bool rows_is_whole(struct cache *cache, const struct customer_row *row);

int rows_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret) must_check;
int rows_peek_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret) must_check;
int rows_write_key(struct cache *cache, const struct cache_key *key) must_check;
/** The key's times, that is; the rest never changes. */
int rows_refresh_key(struct cache *cache, const struct cache_key *key) must_check;
int rows_write_customer(struct cache *cache, uint32_t slot, const struct record *record,
                        int64_t fetched_ms) must_check;
int rows_read_roster(struct cache *cache, uint32_t slot, struct roster *ret,
                     int64_t *ret_changed_ms) must_check;
int rows_write_roster(struct cache *cache, uint32_t slot, const struct roster *roster,
                      int64_t changed_ms) must_check;
int rows_find_absent(struct cache *cache, const struct key *key,
                     int64_t *ret_fetched_ms) must_check;
int rows_write_absent(struct cache *cache, const struct key *key, int64_t fetched_ms) must_check;
int rows_delete_absent(struct cache *cache, const struct key *key) must_check;
int rows_read_property(struct cache *cache, const char *name, char ret[PROPERTY_SIZE]) must_check;
int rows_write_property(struct cache *cache, const char *name, const char *value) must_check;
