#pragma once
/* SPDX-License-Identifier: MIT */
/* A database to try things with. Include cmocka.h and its headers first. */

#include "directory.h"
#include "kapturefs/io/database.h"

enum { APPLICATION_ID = 0x54455354 };

#define FIRST_MIGRATION                                                                            \
	"CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT);"                                  \
	"CREATE TABLE part (thing INTEGER REFERENCES thing (id))"

static const char *const first_migrations[] = { FIRST_MIGRATION, NULL };
static const struct database_schema first = { APPLICATION_ID, first_migrations };

static inline sqlite3 *open_database(const char *path, const struct database_schema *schema)
{
	sqlite3 *database = NULL;

	assert_int_equal(database_open(path, schema, &database), 0);
	assert_non_null(database);
	return database;
}

static inline int64_t query(sqlite3 *database, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value;

	assert_int_equal(database_prepare(database, sql, &statement), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}
