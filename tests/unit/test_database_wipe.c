/* SPDX-License-Identifier: MIT */
/* What was deleted from a file is not in it any more, wherever SQLite had put it meanwhile. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "damage.h"
#include "databases.h"
#include "kapturefs/io/database_wipe.h"

static const char *const migrations[] = {
	"CREATE TABLE word (id INTEGER PRIMARY KEY, text BLOB NOT NULL);"
	"CREATE TABLE name (text TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (text, id))"
	" WITHOUT ROWID;"
	"CREATE INDEX name_id ON name (id)",
	NULL
};
static const struct database_schema schema = { APPLICATION_ID, migrations };

enum {
	ROWS = 20000,
	CHANGES = 20000,
	TEXT_MAX = 400,
};

struct row {
	bool is_there;
	unsigned version;
};

/* One row in sixteen has pages of its own. */
static void put(sqlite3_stmt *statement, struct dice *dice, unsigned id, unsigned version)
{
	char text[16 * TEXT_MAX + 32];
	size_t length = 60 + roll(dice, TEXT_MAX - 60);
	int head = snprintf(text, sizeof(text), "<%06u:%06u>", id, version);

	if (roll(dice, 16) == 0)
		length *= 16;
	memset(text + head, 'x', length);
	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_text(statement, 2, text, (int)length + head, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_reset(statement);
}

static void drop(sqlite3_stmt *statement, unsigned id)
{
	sqlite3_bind_int64(statement, 1, id);
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_reset(statement);
}

/* How many rows can be read in the file that are not in the table. */
static unsigned count_remains(const char *path, const struct row *rows)
{
	FILE *file = fopen(path, "r");
	unsigned remains = 0;
	unsigned version;
	unsigned id;
	char *bytes;
	size_t length;

	assert_non_null(file);
	bytes = malloc(256 << 20);
	assert_non_null(bytes);
	length = fread(bytes, 1, (256 << 20) - 1, file);
	assert_in_range(length, 1 << 20, (256 << 20) - 2);
	bytes[length] = '\0';
	for (char *at = bytes; (at = memchr(at, '<', length - (size_t)(at - bytes))); at++) {
		if (sscanf(at, "<%6u:%6u>", &id, &version) == 2 &&
		    !(rows[id].is_there && rows[id].version == version))
			remains++;
	}
	fclose(file);
	free(bytes);
	return remains;
}

static unsigned churn(struct fixture *fixture, const char *put_sql, const char *drop_sql)
{
	sqlite3 *database = open_database(fixture->path, &schema);
	static struct row rows[ROWS];
	sqlite3_stmt *putting;
	sqlite3_stmt *dropping;
	struct dice dice = { 1 };

	memset(rows, 0, sizeof(rows));
	assert_int_equal(database_prepare(database, put_sql, &putting), 0);
	assert_int_equal(database_prepare(database, drop_sql, &dropping), 0);
	assert_int_equal(database_run(database, "BEGIN"), 0);
	for (unsigned i = 0; i < ROWS + CHANGES; i++) {
		unsigned id = i < ROWS ? i : (unsigned)roll(&dice, ROWS);

		if (rows[id].is_there)
			drop(dropping, id);
		rows[id] = (struct row){ i % 5 != 0, i };
		if (rows[id].is_there)
			put(putting, &dice, id, i);
	}
	sqlite3_finalize(putting);
	sqlite3_finalize(dropping);
	assert_int_equal(database_run(database, "COMMIT; PRAGMA incremental_vacuum(100);"
	                                        "PRAGMA wal_checkpoint(TRUNCATE)"),
	                 0);
	assert_int_equal(query(database, "SELECT count(*) FROM pragma_integrity_check"
	                                 " WHERE integrity_check = 'ok'"),
	                 1);
	/* There are pages that map others, and one of them is not the first. */
	assert_true(query(database, "PRAGMA page_count") > 2 * (DATABASE_PAGE_SIZE / 5));
	database_close(database);
	return count_remains(fixture->path, rows);
}

static void test_no_row_that_was_deleted_remains(void **state)
{
	assert_int_equal(churn(*state, "INSERT INTO word VALUES (?1, ?2)",
	                       "DELETE FROM word WHERE id = ?1"),
	                 0);
}

static void test_no_text_that_is_inserted_anywhere_remains(void **state)
{
	assert_int_equal(churn(*state,
	                       "INSERT INTO name VALUES (substr(hex(?1 * 7919 % 65521), -3) || ?2,"
	                       " ?1)",
	                       "DELETE FROM name WHERE id = ?1"),
	                 0);
}

/* A page of @kind with two cells that begin at 4000, and bytes everywhere. */
static void make_page(unsigned char *page, size_t header, unsigned char kind)
{
	memset(page, 0xaa, DATABASE_PAGE_SIZE);
	page[header] = kind;
	memcpy(page + header + 3, "\x00\x02\x0f\xa0", 4);
}

static void assert_wiped(uint32_t number, size_t header, unsigned char kind, size_t header_size)
{
	unsigned char page[DATABASE_PAGE_SIZE];
	unsigned char expected[DATABASE_PAGE_SIZE];

	make_page(page, header, kind);
	make_page(expected, header, kind);
	if (header_size)
		memset(expected + header + header_size + 4, 0, 4000 - header - header_size - 4);
	database_wipe_page(page, number);
	assert_memory_equal(page, expected, sizeof(page));
}

static void test_the_gap_of_a_page_is_wiped_and_nothing_else(void **state)
{
	(void)state;
	assert_wiped(1, 100, 13, 8);
	assert_wiped(3, 0, 2, 12);
	assert_wiped(3, 0, 5, 12);
	assert_wiped(3, 0, 10, 8);
	assert_wiped(821, 0, 13, 8);
}

static void test_pages_that_are_no_tree_are_left(void **state)
{
	(void)state;
	assert_wiped(3, 0, 0, 0);
	assert_wiped(3, 0, 1, 0);
	/* Those that map others. */
	assert_wiped(2, 0, 5, 0);
	assert_wiped(822, 0, 2, 0);
}

static void test_a_page_that_cannot_be_right_is_left(void **state)
{
	unsigned char page[DATABASE_PAGE_SIZE];
	unsigned char expected[DATABASE_PAGE_SIZE];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make_page(page, 0, 13);
		/* The cells begin behind the page; there are more than fit before the first. */
		memcpy(page + 3, i ? "\xff\xff\x0f\xa0" : "\x00\x02\x10\x01", 4);
		memcpy(expected, page, sizeof(page));
		database_wipe_page(page, 3);
		assert_memory_equal(page, expected, sizeof(page));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_directory(test_no_row_that_was_deleted_remains),
		in_a_directory(test_no_text_that_is_inserted_anywhere_remains),
		cmocka_unit_test(test_the_gap_of_a_page_is_wiped_and_nothing_else),
		cmocka_unit_test(test_pages_that_are_no_tree_are_left),
		cmocka_unit_test(test_a_page_that_cannot_be_right_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
