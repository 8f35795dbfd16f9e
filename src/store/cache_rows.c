/* SPDX-License-Identifier: MIT */
/*
 * The schema, and what holds in it between two transactions:
 *
 *   customer  one row a customer: the object as sent, packed, and the identity
 *             (ordinals and times) of its members beside it
 *   key       one row a key that leads to a customer; every customer has at least
 *             its id's. A row's text and customer never change
 *   absent    one row a key of which the API said that nobody has it; such a
 *             key has no row in key, and its text is not kept
 *   roster    one row a date that was answered: the ids of the customers, as text; for its key it
 *             is what a customer is for others, and its slot is like a customer's
 *   use       one row a customer or roster: when somebody last asked for it
 *   extent    one row a block of slots with customers: how many bytes they are, unpacked;
 *             see cache_extent.c
 *   words     one row a customer: what is searched for words; see cache_words.c
 *   sieve     one row a page of bits: who need not be looked at for some words; see cache_sieve.c
 *   unsieved  one row a customer whose words changed, or who went, since its bits were made
 *   property  the source and the account the answers belong to, a mark of the token they came
 *             by, the secret of the checksums, the slots that may have been given, the times of
 *             the listings, and when any customer last changed
 *
 * Every row but those of use, of which nothing depends but what is evicted first, of words and
 * unsieved, by which one is only led to what is checked, and of extent, which is compared with what
 * it sums up, ends in a checksum of the rest. A key is listed by its slot and found by a hash, in
 * an index that has all of the row but the text, of which the checksum tells whether it is the
 * one that is looked for. That saves one of the three pages that are read to find a customer among
 * a million. (A cache that was begun with an index of hashes alone keeps that, and is right.)
 */

#include <errno.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

/* "KAPF", so that file(1) and we can tell. */
enum { APPLICATION_ID = 0x4b415046 };

static const char *const migrations[] = {
	"CREATE TABLE property ("
	"  name TEXT PRIMARY KEY,"
	"  value TEXT NOT NULL,"
	"  sum INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE customer ("
	"  slot INTEGER PRIMARY KEY,"
	"  fetched_ms INTEGER NOT NULL,"
	"  identity BLOB NOT NULL,"
	"  json BLOB NOT NULL,"
	"  sum INTEGER NOT NULL);"
	"CREATE TABLE key ("
	"  kind INTEGER NOT NULL,"
	"  slot INTEGER NOT NULL,"
	"  customer INTEGER NOT NULL,"
	"  fetched_ms INTEGER NOT NULL,"
	"  is_forced INTEGER NOT NULL,"
	"  hash INTEGER NOT NULL,"
	"  text TEXT NOT NULL,"
	"  sum INTEGER NOT NULL,"
	"  PRIMARY KEY (kind, slot)) WITHOUT ROWID;"
	"CREATE INDEX key_hash ON key"
	"  (hash, kind, slot, customer, fetched_ms, is_forced, sum);"
	"CREATE INDEX key_customer ON key (customer);"
	"CREATE TABLE absent ("
	"  hash BLOB PRIMARY KEY,"
	"  fetched_ms INTEGER NOT NULL,"
	"  sum INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX absent_age ON absent (fetched_ms);"
	"CREATE TABLE use (customer INTEGER PRIMARY KEY, used_ms INTEGER NOT NULL);"
	"CREATE INDEX use_age ON use (used_ms);",
	"CREATE TABLE extent (block INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);"
	"CREATE TABLE words (customer INTEGER PRIMARY KEY, text BLOB NOT NULL);",
	"CREATE TABLE roster ("
	"  slot INTEGER PRIMARY KEY,"
	"  changed_ms INTEGER NOT NULL,"
	"  ids TEXT NOT NULL,"
	"  sum INTEGER NOT NULL);",
	"CREATE TABLE sieve ("
	"  part INTEGER PRIMARY KEY,"
	"  bits BLOB NOT NULL,"
	"  sum INTEGER NOT NULL);"
	"CREATE TABLE unsieved ("
	"  customer INTEGER PRIMARY KEY,"
	"  build INTEGER NOT NULL,"
	"  stale INTEGER NOT NULL);",
	/* Identities tell how often members have changed, which earlier versions cannot read. */
	"SELECT 1;",
	NULL,
};

static const struct database_schema schema = { APPLICATION_ID, migrations };

#define KEY_COLUMNS "SELECT kind, slot, customer, fetched_ms, is_forced, sum, text FROM key "

static const char *const statement_texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[BEGIN_READING] = "BEGIN",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[FIND_KEY] = "SELECT kind, slot, customer, fetched_ms, is_forced, sum FROM key"
	             " WHERE hash = ?1 AND kind = ?2",
	[READ_KEY] = KEY_COLUMNS "WHERE kind IN (0, 1, 2, 3) AND slot = ?1",
	[LIST_KEYS] = KEY_COLUMNS "WHERE kind = ?1 AND slot > ?2 ORDER BY slot",
	[KEYS_OF_CUSTOMER] = KEY_COLUMNS "WHERE customer = ?1",
	[WRITE_KEY] = "INSERT INTO key"
	              " (kind, slot, customer, fetched_ms, is_forced, text, sum, hash)"
	              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	/* The text, for it is not read when the key is found, and may be damaged. */
	[REFRESH_KEY] = "UPDATE key SET fetched_ms = ?4, is_forced = ?5, text = ?6, sum = ?7"
	                " WHERE kind = ?1 AND slot = ?2",
	[DELETE_KEY] = "DELETE FROM key WHERE kind = ?1 AND slot = ?2",
	[DELETE_KEYS_BY_HASH] = "DELETE FROM key WHERE hash = ?1",
	[DELETE_KEYS_OF_CUSTOMER] = "DELETE FROM key WHERE customer = ?1",
	[READ_CUSTOMER] = "SELECT slot, fetched_ms, identity, json, sum,"
	                  "  (SELECT count(*) FROM key WHERE customer = ?1)"
	                  " FROM customer WHERE slot = ?1",
	[PEEK_CUSTOMER] = "SELECT slot, fetched_ms, identity, json, sum FROM customer"
	                  " WHERE slot = ?1",
	[WRITE_CUSTOMER] = "INSERT OR REPLACE INTO customer (slot, fetched_ms, identity, json, sum)"
	                   " VALUES (?1, ?2, ?3, ?4, ?5)",
	[DELETE_CUSTOMER] = "DELETE FROM customer WHERE slot = ?1",
	[FIRST_CUSTOMER] = "SELECT slot FROM customer UNION ALL"
	                   " SELECT slot FROM roster LIMIT 1",
	[READ_ROSTER] = "SELECT changed_ms, ids, sum FROM roster WHERE slot = ?1",
	[WRITE_ROSTER] = "INSERT OR REPLACE INTO roster (slot, changed_ms, ids, sum)"
	                 " VALUES (?1, ?2, ?3, ?4)",
	[DELETE_ROSTER] = "DELETE FROM roster WHERE slot = ?1",
	[ROSTER_WITH] = "SELECT slot FROM roster WHERE instr(ids, ?1) OR instr(ids, ?2) LIMIT 1",
	[ROSTER_HAS] = "SELECT slot FROM roster WHERE slot = ?3"
	               " AND (instr(ids, ?1) OR instr(ids, ?2))",
	[LIST_ROSTERS] = "SELECT slot, ids FROM roster",
	[LIST_CUSTOMERS] = "SELECT slot, fetched_ms, identity, json, sum FROM customer"
	                   " WHERE slot >= ?1 AND slot < ?2 ORDER BY slot",
	[READ_EXTENT] = "SELECT bytes FROM extent WHERE block = ?1",
	[LIST_EXTENTS] = "SELECT block, bytes FROM extent ORDER BY block",
	[WRITE_EXTENT] = "INSERT OR REPLACE INTO extent (block, bytes) VALUES (?1, ?2)",
	[WRITE_WORDS] = "INSERT OR REPLACE INTO words (customer, text) VALUES (?1, ?2)",
	[LIST_WORDS] = "SELECT customer, text FROM words WHERE customer >= ?1 ORDER BY customer",
	[DELETE_WORDS] = "DELETE FROM words WHERE customer = ?1",
	[SKIP_WORDS] = "SELECT customer FROM words WHERE customer >= ?1"
	               " ORDER BY customer LIMIT 1 OFFSET ?2",
	[READ_SIEVE] = "SELECT bits, sum FROM sieve WHERE part = ?1",
	[NEXT_SIEVE] = "SELECT part, bits, sum FROM sieve WHERE part >= ?1 ORDER BY part LIMIT 1",
	[LAST_SIEVE] = "SELECT part FROM sieve WHERE part < ?1 ORDER BY part DESC LIMIT 1",
	[WRITE_SIEVE] = "INSERT OR REPLACE INTO sieve (part, bits, sum) VALUES (?1, ?2, ?3)",
	[DELETE_SIEVE] = "DELETE FROM sieve WHERE part IN (SELECT part FROM sieve"
	                 " WHERE part >= ?1 AND part < ?2 ORDER BY part LIMIT ?3)",
	[WRITE_UNSIEVED] =
	        "INSERT OR REPLACE INTO unsieved (customer, build, stale) VALUES (?1, ?2, ?3)",
	[COUNT_UNSIEVED] = "SELECT total(stale = 0), total(stale > 0), total(stale = 2)"
	                   " FROM unsieved WHERE customer >= ?1 AND customer < ?2",
	[LIST_UNSIEVED] = "SELECT u.customer, (SELECT text FROM words w"
	                  " WHERE u.stale = 0 AND w.customer = u.customer)"
	                  " FROM unsieved u WHERE u.customer >= ?1 ORDER BY u.customer",
	[DELETE_UNSIEVED] = "DELETE FROM unsieved WHERE customer IN (SELECT customer FROM unsieved"
	                    " WHERE customer >= ?1 AND customer < ?2 AND build <> ?3 LIMIT ?4)",
	[DELETE_EXTENT] = "DELETE FROM extent WHERE block = ?1",
	[FIND_ABSENT] = "SELECT fetched_ms, sum FROM absent WHERE hash = ?1",
	[WRITE_ABSENT] =
	        "INSERT OR REPLACE INTO absent (hash, fetched_ms, sum) VALUES (?1, ?2, ?3)",
	[DELETE_ABSENT] = "DELETE FROM absent WHERE hash = ?1",
	[OLDEST_ABSENT] = "SELECT fetched_ms FROM absent ORDER BY fetched_ms LIMIT 1",
	[DELETE_OLD_ABSENT] = "DELETE FROM absent WHERE hash IN"
	                      " (SELECT hash FROM absent WHERE fetched_ms <= ?1"
	                      "  ORDER BY fetched_ms LIMIT ?2)",
	[WRITE_USE] = "INSERT OR REPLACE INTO use (customer, used_ms) VALUES (?1, ?2)",
	[UPDATE_USE] = "UPDATE use SET used_ms = ?2 WHERE customer = ?1",
	[DELETE_USE] = "DELETE FROM use WHERE customer = ?1",
	[LEAST_USED] = "SELECT customer, used_ms FROM use ORDER BY used_ms LIMIT 1",
	[NEXT_USED] = "SELECT customer, used_ms FROM use WHERE (used_ms, customer) > (?1, ?2)"
	              " ORDER BY used_ms, customer LIMIT 1",
	[AGREE_ON_NOW] = "UPDATE use SET used_ms = ?1 WHERE customer IN"
	                 " (SELECT customer FROM use WHERE used_ms > ?2"
	                 "  ORDER BY used_ms DESC LIMIT ?3)",
	[READ_PROPERTY] = "SELECT value, sum FROM property WHERE name = ?1",
	[WRITE_PROPERTY] = "INSERT OR REPLACE INTO property (name, value, sum) VALUES (?1, ?2, ?3)",
	[PAGE_BYTES] = "PRAGMA main.page_size",
	[PAGE_COUNT] = "PRAGMA main.page_count",
	[FREE_COUNT] = "PRAGMA main.freelist_count",
};

/* Over a file, room can only be made in memory, and is not spent on uses of what is in the file. */
static const char *const over_file_texts[STATEMENTS] = {
	[UPDATE_USE] = "UPDATE use_new SET used_ms = ?2 WHERE customer = ?1",
	[LEAST_USED] = "SELECT customer, used_ms FROM use_new"
	               " WHERE customer IN (SELECT slot FROM customer_new)"
	               "  OR customer IN (SELECT slot FROM roster_new)"
	               " ORDER BY used_ms LIMIT 1",
	[FIRST_CUSTOMER] = "SELECT slot FROM customer_new UNION ALL"
	                   " SELECT slot FROM roster_new LIMIT 1",
	[OLDEST_ABSENT] = "SELECT fetched_ms FROM absent_new ORDER BY fetched_ms LIMIT 1",
	[PAGE_BYTES] = "PRAGMA temp.page_size",
	[PAGE_COUNT] = "PRAGMA temp.page_count",
	[FREE_COUNT] = "PRAGMA temp.freelist_count",
};

const struct database_schema *rows_schema(void)
{
	return &schema;
}

int rows_prepare(struct cache *cache, bool over_file)
{
	for (int i = 0; i < STATEMENTS; i++) {
		const char *text =
		        over_file && over_file_texts[i] ? over_file_texts[i] : statement_texts[i];
		int code = sqlite3_prepare_v3(cache->database, text, -1, SQLITE_PREPARE_PERSISTENT,
		                              &cache->statements[i], NULL);

		if (code)
			return rows_failed(cache, code, "prepare");
	}
	return 0;
}

void rows_finalize(struct cache *cache)
{
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(steal(&cache->statements[i]));
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

/* The primary code of a failure to read or write stands for many things. */
enum cache_trouble rows_trouble(int code)
{
	switch (code) {
	case SQLITE_IOERR_NOMEM:
		return TROUBLE_NONE;
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_FSYNC:
	case SQLITE_IOERR_DIR_FSYNC:
	case SQLITE_IOERR_TRUNCATE:
		return TROUBLE_WRITING;
	default:
		break;
	}
	switch (code & 0xff) {
	case SQLITE_BUSY: /* the thread that moves the log; not for long */
	case SQLITE_NOMEM:
	case SQLITE_MISUSE: /* there is no database, for want of memory */
		return TROUBLE_NONE;
	case SQLITE_FULL:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return TROUBLE_WRITING;
	default:
		/*
		 * Corrupt, no database, cannot be read; or rows and a schema that are not what they
		 * were.
		 */
		return TROUBLE_DAMAGE;
	}
}

int rows_failed(struct cache *cache, int code, const char *operation)
{
	enum cache_trouble trouble = rows_trouble(code);

	/* What comes after the first failure is mostly its consequence, unless it is worse. */
	if (trouble > cache->trouble)
		cache->trouble = trouble;
	if (code == SQLITE_IOERR_NOMEM)
		code = SQLITE_NOMEM;
	return database_errno(cache->database, code, operation);
}

int rows_step(struct cache *cache, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 0;
	if (code == SQLITE_DONE)
		return CACHE_NONE;
	return rows_failed(cache, code, "query");
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

int rows_run_on(struct cache *cache, enum statement which, int64_t first, int64_t second)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[which];

	rows_bind_integer(statement, 1, first);
	rows_bind_integer(statement, 2, second);
	return rows_execute(cache, statement);
}

int rows_number(struct cache *cache, enum statement which, int64_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[which];
	int r;

	r = rows_step(cache, statement);
	if (r)
		return r;
	*ret = sqlite3_column_int64(statement, 0);
	return 0;
}

int rows_disordered(struct cache *cache)
{
	cache->trouble = TROUBLE_DAMAGE;
	log_error("cache: rows are not in their order");
	return -EIO;
}

int64_t rows_changes(struct cache *cache)
{
	return sqlite3_total_changes64(cache->database);
}

int rows_expect_changes(struct cache *cache, int64_t before)
{
	return rows_changes(cache) > before ? 0 : rows_disordered(cache);
}

int rows_damaged(struct cache *cache)
{
	if (counter_value(&cache->metrics.damaged_rows) == 0)
		log_warning("cache: a damaged row counts as missing; more are only counted");
	counter_add(&cache->metrics.damaged_rows, 1);
	return ROWS_DAMAGED;
}
