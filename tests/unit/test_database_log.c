/* SPDX-License-Identifier: MIT */
/* A second connection, which moves the log. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "databases.h"
#include "owner.h"

/* Closing any descriptor of a file drops the process's POSIX locks on it. */
static void test_a_connection_beside_drops_no_lock(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database = open_database(fixture->path, &first);
	sqlite3 *mover = NULL;

	assert_int_equal(database_open_beside(database, &mover), 0);
	assert_true(is_locked_elsewhere(fixture->path));
	database_abandon(mover);
	assert_true(is_locked_elsewhere(fixture->path));
	assert_int_equal(database_run(database, "INSERT INTO thing (text) VALUES ('a')"), 0);
	assert_true(is_locked_elsewhere(fixture->path));
	database_close(database);
	assert_false(is_locked_elsewhere(fixture->path));
}

/* The file alone, without its log. */
static int64_t count_things_in_copy(struct fixture *fixture)
{
	struct content content = read_content(fixture->path);
	const char *copy = beside(fixture, ".copy");
	sqlite3 *database;
	int64_t count;

	write_content(copy, content.bytes, content.length);
	free(content.bytes);
	database = open_database(copy, &first);
	count = query(database, "SELECT count(*) FROM thing");
	database_close(database);
	unlink(copy);
	return count;
}

static void test_the_log_is_moved_by_a_connection_beside(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database = open_database(fixture->path, &first);
	sqlite3 *mover = NULL;
	uint64_t pages;

	assert_int_equal(database_run(database, "INSERT INTO thing (text) VALUES ('a')"), 0);
	assert_int_equal(count_things_in_copy(fixture), 0);
	assert_int_equal(database_open_beside(database, &mover), 0);
	/* Neither a reader nor a change that is under way is in its way. */
	assert_int_equal(database_run(database, "BEGIN; INSERT INTO thing (text) VALUES ('b')"), 0);
	assert_int_equal(database_move_log(mover, &pages), 0);
	assert_int_equal(count_things_in_copy(fixture), 1);
	assert_int_equal(database_run(database, "COMMIT"), 0);
	assert_int_equal(database_move_log(mover, &pages), 0);
	assert_int_equal(count_things_in_copy(fixture), 2);
	assert_false(has_file(fixture, "-shm"));
	database_abandon(mover);
	database_close(database);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_directory(test_a_connection_beside_drops_no_lock),
		in_a_directory(test_the_log_is_moved_by_a_connection_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
