/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that goes on when the file can be read but not be written to.
 *
 * SQLite looks a table's name up among the temporary objects first, and those are in memory. So for
 * each table there is a view of the same name over three things, and the statements, prepared anew,
 * mean it:
 *
 *   table_new     what was written since
 *   table_gone    what of the file's table counts no more: it was deleted, or is in table_new
 *   main.table    the rest
 *
 * All but sieve, which is only read, until the file can be written to again.
 *
 * Rows keep their slots when they are written to, so nobody can tell the difference.
 */

#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_rows.h"

/* @id is what tells the rows of @table apart. */
#define OVERLAY(table, id, columns, new_columns, key)                                              \
	"CREATE TEMP TABLE " table "_new AS SELECT " columns " FROM main." table " LIMIT 0;"       \
	"CREATE UNIQUE INDEX temp." table "_new_id ON " table "_new (" id ");"                     \
	"CREATE INDEX temp." table "_new_key ON " table "_new (" key ");"                          \
	"CREATE TEMP TABLE " table "_gone (id PRIMARY KEY) WITHOUT ROWID;"                         \
	"CREATE TEMP VIEW " table " AS"                                                            \
	"  SELECT " columns " FROM temp." table "_new UNION ALL"                                   \
	"  SELECT " columns " FROM main." table "  WHERE NOT EXISTS (SELECT 1 FROM temp." table    \
	"_gone WHERE id = main." table "." id ");"                                                 \
	"CREATE TEMP TRIGGER " table "_insert INSTEAD OF INSERT ON temp." table " BEGIN"           \
	"  INSERT OR IGNORE INTO " table "_gone VALUES (NEW." id ");"                              \
	"  DELETE FROM " table "_new WHERE " id " = NEW." id ";"                                   \
	"  INSERT INTO " table "_new (" columns ") VALUES (" new_columns ");"                      \
	"END;"                                                                                     \
	"CREATE TEMP TRIGGER " table "_update INSTEAD OF UPDATE ON temp." table " BEGIN"           \
	"  INSERT OR IGNORE INTO " table "_gone VALUES (OLD." id ");"                              \
	"  DELETE FROM " table "_new WHERE " id " = OLD." id ";"                                   \
	"  INSERT INTO " table "_new (" columns ") VALUES (" new_columns ");"                      \
	"END;"                                                                                     \
	"CREATE TEMP TRIGGER " table "_delete INSTEAD OF DELETE ON temp." table " BEGIN"           \
	"  INSERT OR IGNORE INTO " table "_gone VALUES (OLD." id ");"                              \
	"  DELETE FROM " table "_new WHERE " id " = OLD." id ";"                                   \
	"END;"

/*
 * The slots of keys are alone enough to tell them apart, but the file's index begins with the kind.
 */
#define WRITE_DOWN(table, id, columns, also)                                                       \
	"DELETE FROM main." table " WHERE " also id " IN (SELECT id FROM temp." table "_gone);"    \
	"INSERT INTO main." table " (" columns ") SELECT " columns " FROM temp." table "_new;"

/* Views first: what they are made of may go afterwards. */
#define TAKE_AWAY(table)                                                                           \
	"DROP VIEW temp." table ";"                                                                \
	"DROP TABLE temp." table "_gone;"                                                          \
	"DROP TABLE temp." table "_new;"

#define PROPERTY "name, value, sum"
#define CUSTOMER "slot, fetched_ms, identity, json, sum"
#define KEY      "kind, slot, customer, fetched_ms, is_forced, hash, text, sum"
#define ABSENT   "hash, fetched_ms, sum"
#define USE      "customer, used_ms"
#define ROSTER   "slot, changed_ms, ids, sum"
#define EXTENT   "block, bytes"
#define WORDS    "customer, text"
#define UNSIEVED "customer, build, stale"

// clang-format off
static const char *const begin[] = {
	OVERLAY("property", "name", PROPERTY, "NEW.name, NEW.value, NEW.sum", "name"),
	OVERLAY("customer", "slot", CUSTOMER,
	        "NEW.slot, NEW.fetched_ms, NEW.identity, NEW.json, NEW.sum", "slot"),
	OVERLAY("key", "slot", KEY,
	        "NEW.kind, NEW.slot, NEW.customer, NEW.fetched_ms, NEW.is_forced, NEW.hash,"
	        " NEW.text, NEW.sum", "hash"),
	OVERLAY("absent", "hash", ABSENT, "NEW.hash, NEW.fetched_ms, NEW.sum", "fetched_ms"),
	OVERLAY("roster", "slot", ROSTER, "NEW.slot, NEW.changed_ms, NEW.ids, NEW.sum", "slot"),
	OVERLAY("use", "customer", USE, "NEW.customer, NEW.used_ms", "used_ms"),
	OVERLAY("extent", "block", EXTENT, "NEW.block, NEW.bytes", "block"),
	OVERLAY("words", "customer", WORDS, "NEW.customer, NEW.text", "customer"),
	OVERLAY("unsieved", "customer", UNSIEVED, "NEW.customer, NEW.build, NEW.stale", "customer"),
	("CREATE INDEX temp.key_new_customer ON key_new (customer);"
	 "CREATE INDEX temp.key_new_listing ON key_new (kind, slot);"),
};

static const char *const write_down[] = {
	WRITE_DOWN("property", "name", PROPERTY, ""),
	WRITE_DOWN("customer", "slot", CUSTOMER, ""),
	WRITE_DOWN("key", "slot", KEY, "kind IN (0, 1, 2, 3) AND "),
	WRITE_DOWN("absent", "hash", ABSENT, ""),
	WRITE_DOWN("roster", "slot", ROSTER, ""),
	WRITE_DOWN("use", "customer", USE, ""),
	WRITE_DOWN("extent", "block", EXTENT, ""),
	WRITE_DOWN("words", "customer", WORDS, ""),
	WRITE_DOWN("unsieved", "customer", UNSIEVED, ""),
};

static const char *const end[] = {
	TAKE_AWAY("property"),
	TAKE_AWAY("customer"),
	TAKE_AWAY("key"),
	TAKE_AWAY("absent"),
	TAKE_AWAY("roster"),
	TAKE_AWAY("use"),
	TAKE_AWAY("extent"),
	TAKE_AWAY("words"),
	TAKE_AWAY("unsieved"),
};
// clang-format on

static int run_each(sqlite3 *database, const char *const *parts, size_t count)
{
	int r = 0;

	for (size_t i = 0; !r && i < count; i++)
		r = database_run(database, parts[i]);
	if (r && rows_trouble(sqlite3_extended_errcode(database)) == TROUBLE_DAMAGE)
		return DATABASE_DAMAGED;
	return r;
}

static int conclude(sqlite3 *database, int r)
{
	if (!r)
		r = database_run(database, "COMMIT");
	if (r && !sqlite3_get_autocommit(database) && database_run(database, "ROLLBACK"))
		log_error("cache: rollback failed");
	return r;
}

int overlay_begin(sqlite3 *database)
{
	int r;

	r = database_run(database, "BEGIN");
	if (!r)
		r = run_each(database, begin, array_length(begin));
	return conclude(database, r);
}

int overlay_write_down(sqlite3 *database)
{
	int r;

	r = database_run(database, "BEGIN");
	if (!r)
		r = run_each(database, write_down, array_length(write_down));
	if (!r)
		r = run_each(database, end, array_length(end));
	return conclude(database, r);
}
