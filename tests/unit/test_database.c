/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "kapturefs/base/log.h"

#include "databases.h"
#include "owner.h"

static const char *const second_migrations[] = { FIRST_MIGRATION,
	                                         "ALTER TABLE thing ADD COLUMN size INTEGER",
	                                         NULL };
static const char *const broken_migrations[] = {
	FIRST_MIGRATION, "INSERT INTO thing (text) VALUES ('half'); DROP TABLE nothing", NULL
};
static const struct database_schema second = { APPLICATION_ID, second_migrations };
static const struct database_schema broken = { APPLICATION_ID, broken_migrations };
static const struct database_schema other = { APPLICATION_ID + 1, first_migrations };

static void assert_refused(const char *path, const struct database_schema *schema, int expected)
{
	sqlite3 *database = NULL;

	assert_int_equal(database_open(path, schema, &database), expected);
	assert_null(database);
}

static void test_a_new_file_is_private_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 0777 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_length(masks); i++) {
		mode_t previous = umask(masks[i]);
		sqlite3 *database = open_database(fixture->path, &first);

		umask(previous);
		assert_int_equal(database_run(database, "INSERT INTO thing (text) VALUES ('a')"),
		                 0);
		assert_mode(fixture->path, 0600);
		assert_mode(beside(fixture, "-wal"), 0600);
		database_close(database);
		unlink(fixture->path);
	}
}

static void test_a_file_that_was_open_to_others_no_longer_is(void **state)
{
	struct fixture *fixture = *state;

	database_close(open_database(fixture->path, &first));
	assert_int_equal(chmod(fixture->path, 0664), 0);
	database_close(open_database(fixture->path, &first));
	assert_mode(fixture->path, 0600);
}

static void test_an_empty_file_counts_as_new(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database;

	write_content(fixture->path, "", 0);
	database = open_database(fixture->path, &first);
	assert_int_equal(query(database, "PRAGMA application_id"), APPLICATION_ID);
	assert_int_equal(query(database, "PRAGMA user_version"), 1);
	database_close(database);
	assert_mode(fixture->path, 0600);
}

static void test_content_survives_closing_and_leaves_one_file(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database = open_database(fixture->path, &first);

	assert_int_equal(database_run(database, "INSERT INTO thing (text) VALUES ('kept')"), 0);
	assert_true(has_file(fixture, "-wal"));
	assert_false(has_file(fixture, "-shm"));
	database_close(database);
	assert_false(has_file(fixture, "-wal"));
	assert_false(has_file(fixture, "-journal"));

	database = open_database(fixture->path, &first);
	assert_int_equal(query(database, "SELECT count(*) FROM thing WHERE text = 'kept'"), 1);
	database_close(database);
}

static void test_settings_are_in_force(void **state)
{
	static const struct {
		const char *pragma;
		int64_t value;
	} expected[] = {
		{ "PRAGMA synchronous", 2 },
		{ "PRAGMA secure_delete", 1 },
		{ "PRAGMA foreign_keys", 1 },
		{ "PRAGMA trusted_schema", 0 },
		{ "PRAGMA cell_size_check", 1 },
		{ "PRAGMA temp_store", 2 },
		{ "SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1 },
	};
	struct fixture *fixture = *state;
	sqlite3 *database;

	/* Of a new file and of one that was there. */
	for (int round = 0; round < 2; round++) {
		database = open_database(fixture->path, &first);
		for (size_t i = 0; i < array_length(expected); i++) {
			if (query(database, expected[i].pragma) != expected[i].value)
				fail_msg("%s", expected[i].pragma);
		}
		database_close(database);
	}
}

static void test_a_second_owner_is_refused_until_the_first_is_killed(void **state)
{
	struct fixture *fixture = *state;
	pid_t owner = start_owner(fixture->path, &first,
	                          "INSERT INTO thing (text) VALUES ('committed');"
	                          "BEGIN; INSERT INTO thing (text) VALUES ('not')");
	sqlite3 *database;

	assert_refused(fixture->path, &first, DATABASE_BUSY);
	kill_owner(owner);
	database = open_database(fixture->path, &first);
	assert_int_equal(query(database, "SELECT count(*) FROM thing WHERE text = 'committed'"), 1);
	assert_int_equal(query(database, "SELECT count(*) FROM thing"), 1);
	database_close(database);
}

static void assert_refused_and_untouched(const char *path, int expected)
{
	struct content before = read_content(path);

	assert_refused(path, &first, expected);
	assert_content(path, &before);
	free(before.bytes);
}

static void assert_foreign_and_untouched(const char *path)
{
	assert_refused_and_untouched(path, DATABASE_FOREIGN);
}

static void assert_damaged_and_untouched(const char *path)
{
	assert_refused_and_untouched(path, DATABASE_DAMAGED);
}

static void test_a_file_that_is_no_database_is_foreign_and_untouched(void **state)
{
	char prose[8192] = "anything";
	struct fixture *fixture = *state;

	write_content(fixture->path, "x", 1);
	assert_foreign_and_untouched(fixture->path);
	write_content(fixture->path, "SQL", 3);
	assert_damaged_and_untouched(fixture->path);
	write_content(fixture->path, prose, sizeof(prose));
	assert_foreign_and_untouched(fixture->path);
	assert_false(has_file(fixture, "-wal"));
	assert_false(has_file(fixture, "-journal"));
}

/* Whoever has it open would lose it otherwise. */
static void test_a_damaged_file_in_use_is_busy(void **state)
{
	struct fixture *fixture = *state;
	pid_t owner = start_owner(fixture->path, &first, "INSERT INTO thing (text) VALUES ('a')");
	int fd = open(fixture->path, O_WRONLY);

	assert_int_equal(pwrite(fd, "damaged", 7, 0), 7);
	close(fd);
	assert_refused(fixture->path, &first, DATABASE_BUSY);
	kill_owner(owner);
	assert_refused(fixture->path, &first, DATABASE_DAMAGED);
}

static void test_a_database_of_another_program_is_foreign_and_untouched(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database;

	database_close(open_database(fixture->path, &other));
	assert_foreign_and_untouched(fixture->path);
	unlink(fixture->path);

	assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
	assert_int_equal(database_run(database, "CREATE TABLE theirs (a)"), 0);
	sqlite3_close(database);
	assert_foreign_and_untouched(fixture->path);
}

/* Even its log, which any reader of SQLite's would move into the file. */
static void test_the_log_of_another_program_is_untouched(void **state)
{
	struct fixture *fixture = *state;
	pid_t owner = start_owner(fixture->path, &other, "INSERT INTO thing (text) VALUES ('a')");
	struct content log;

	kill_owner(owner);
	log = read_content(beside(fixture, "-wal"));
	assert_true(log.length > 0);
	assert_foreign_and_untouched(fixture->path);
	assert_content(beside(fixture, "-wal"), &log);
	assert_false(has_file(fixture, "-shm"));
	free(log.bytes);
}

/* Nor is its unfinished transaction rolled back. */
static void test_the_journal_of_another_program_is_untouched(void **state)
{
	struct fixture *fixture = *state;
	struct content journal;

	kill_owner(start_owner(fixture->path, NULL,
	                       "PRAGMA cache_size = 1; CREATE TABLE theirs (a);"
	                       "INSERT INTO theirs VALUES (zeroblob(100000));"
	                       "BEGIN; UPDATE theirs SET a = randomblob(100000)"));
	journal = read_content(beside(fixture, "-journal"));
	assert_true(journal.length > 0);
	assert_foreign_and_untouched(fixture->path);
	assert_content(beside(fixture, "-journal"), &journal);
	free(journal.bytes);
}

static void test_a_damaged_file_is_untouched(void **state)
{
	struct fixture *fixture = *state;
	struct content whole;

	database_close(open_database(fixture->path, &first));
	whole = read_content(fixture->path);
	write_content(fixture->path, whole.bytes, whole.length / 2);
	assert_damaged_and_untouched(fixture->path);
	memset(whole.bytes + 100, 0xff, 300);
	write_content(fixture->path, whole.bytes, whole.length);
	assert_damaged_and_untouched(fixture->path);
	free(whole.bytes);
}

static void test_what_is_no_file_is_foreign(void **state)
{
	struct fixture *fixture = *state;
	char target[128];

	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_refused(fixture->path, &first, DATABASE_FOREIGN);
	assert_int_equal(rmdir(fixture->path), 0);

	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	assert_refused(fixture->path, &first, DATABASE_FOREIGN);
	assert_int_equal(unlink(fixture->path), 0);

	snprintf(target, sizeof(target), "%s/target", fixture->directory);
	assert_int_equal(symlink(target, fixture->path), 0);
	assert_refused(fixture->path, &first, DATABASE_FOREIGN);
	assert_int_equal(access(target, F_OK), -1);
	database_close(open_database(target, &first));
	assert_refused(fixture->path, &first, DATABASE_FOREIGN);
}

static void test_a_linked_directory_may_lead_to_the_file(void **state)
{
	struct fixture *fixture = *state;
	char link[96];
	char path[128];

	snprintf(link, sizeof(link), "%s/link", fixture->directory);
	snprintf(path, sizeof(path), "%s/a.db", link);
	assert_int_equal(symlink(fixture->directory, link), 0);
	database_close(open_database(path, &first));
	assert_mode(fixture->path, 0600);
}

/* Some builds of SQLite read such a name as a URI. */
static void test_a_name_is_a_name(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(chdir(fixture->directory), 0);
	database_close(open_database("file:a.db?mode=memory", &first));
	assert_mode("file:a.db?mode=memory", 0600);
	assert_int_equal(chdir("/"), 0);
}

static void test_a_missing_directory_is_enoent(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/none/a.db", fixture->directory);
	assert_refused(path, &first, -ENOENT);
}

static void test_a_later_version_is_refused_and_untouched(void **state)
{
	struct fixture *fixture = *state;
	struct content before;

	database_close(open_database(fixture->path, &second));
	before = read_content(fixture->path);
	assert_refused(fixture->path, &first, DATABASE_NEWER);
	assert_content(fixture->path, &before);
	free(before.bytes);
}

static void test_a_later_version_that_is_only_in_the_log_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct content before;
	struct content log;

	database_close(open_database(fixture->path, &first));
	before = read_content(fixture->path);
	kill_owner(start_owner(fixture->path, &second, ""));
	assert_content(fixture->path, &before);
	log = read_content(beside(fixture, "-wal"));
	assert_refused(fixture->path, &first, DATABASE_NEWER);
	assert_content(fixture->path, &before);
	assert_content(beside(fixture, "-wal"), &log);
	free(before.bytes);
	free(log.bytes);
}

static void test_a_migration_keeps_what_there_was(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database = open_database(fixture->path, &first);

	assert_int_equal(database_run(database, "INSERT INTO thing (text) VALUES ('old')"), 0);
	database_close(database);
	database = open_database(fixture->path, &second);
	assert_int_equal(query(database, "PRAGMA user_version"), 2);
	assert_int_equal(query(database,
	                       "SELECT count(*) FROM thing WHERE text = 'old' AND size IS NULL"),
	                 1);
	database_close(database);
}

static void test_a_migration_that_fails_leaves_the_version_before_it(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database;

	assert_refused(fixture->path, &broken, -EIO);
	database = open_database(fixture->path, &first);
	assert_int_equal(query(database, "PRAGMA user_version"), 1);
	assert_int_equal(query(database, "SELECT count(*) FROM thing"), 0);
	database_close(database);
}

static void test_what_was_deleted_is_in_no_file(void **state)
{
	static const char secret[] = "planted-4711-value";
	struct fixture *fixture = *state;
	sqlite3 *database = open_database(fixture->path, &first);
	struct content content;

	assert_int_equal(database_run(database,
	                              "INSERT INTO thing (text) VALUES ('planted-4711-value')"),
	                 0);
	database_close(database);
	content = read_content(fixture->path);
	assert_non_null(memmem(content.bytes, content.length, secret, strlen(secret)));
	free(content.bytes);

	database = open_database(fixture->path, &first);
	assert_int_equal(database_run(database, "DELETE FROM thing"), 0);
	database_close(database);
	content = read_content(fixture->path);
	assert_null(memmem(content.bytes, content.length, secret, strlen(secret)));
	free(content.bytes);
}

static void test_errors_are_told_by_errno(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *database = open_database(fixture->path, &first);
	sqlite3_stmt *statement;

	assert_int_equal(database_run(database, "INSERT INTO part VALUES (7)"), -EIO);
	assert_int_equal(database_prepare(database, "SELECT nonsense", &statement), -EIO);
	assert_int_equal(database_run(database, "PRAGMA max_page_count = 1"), 0);
	assert_int_equal(database_run(database,
	                              "INSERT INTO thing (text) VALUES (zeroblob(100000))"),
	                 -ENOSPC);
	assert_int_equal(database_run(database, "PRAGMA query_only = ON"), 0);
	assert_int_equal(database_run(database, "DELETE FROM thing"), -EROFS);
	database_close(database);

	assert_int_equal(database_errno(NULL, SQLITE_NOMEM, "test"), -ENOMEM);
	assert_int_equal(database_errno(NULL, SQLITE_BUSY_RECOVERY, "test"), -EBUSY);
	assert_int_equal(database_errno(NULL, SQLITE_CORRUPT, "test"), -EIO);
	assert_int_equal(database_errno(NULL, SQLITE_IOERR_FSYNC, "test"), -EIO);
}

/* It is tried again, and nothing is lost. */
static void test_a_checkpoint_that_somebody_is_in_the_way_of_is_no_error_of_the_log(void **state)
{
	struct log_event events[LOG_EVENTS];
	size_t count = log_recent(events, LOG_EVENTS);

	(void)state;
	assert_int_equal(database_errno(NULL, SQLITE_BUSY, "checkpoint"), -EBUSY);
	assert_int_equal(log_recent(events, LOG_EVENTS), count);
	for (size_t i = 0; i < count; i++)
		assert_null(strstr(events[i].text, "checkpoint"));
}

static void test_memory_needs_no_file(void **state)
{
	sqlite3 *database = open_database(":memory:", &second);

	(void)state;
	assert_int_equal(query(database, "PRAGMA user_version"), 2);
	assert_int_equal(database_run(database, "INSERT INTO thing (text) VALUES ('a')"), 0);
	database_close(database);
	assert_int_equal(access(":memory:", F_OK), -1);
	database_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_directory(test_a_new_file_is_private_whatever_the_umask),
		in_a_directory(test_a_file_that_was_open_to_others_no_longer_is),
		in_a_directory(test_an_empty_file_counts_as_new),
		in_a_directory(test_content_survives_closing_and_leaves_one_file),
		in_a_directory(test_settings_are_in_force),
		in_a_directory(test_a_second_owner_is_refused_until_the_first_is_killed),
		in_a_directory(test_a_file_that_is_no_database_is_foreign_and_untouched),
		in_a_directory(test_a_database_of_another_program_is_foreign_and_untouched),
		in_a_directory(test_the_log_of_another_program_is_untouched),
		in_a_directory(test_the_journal_of_another_program_is_untouched),
		in_a_directory(test_a_damaged_file_is_untouched),
		in_a_directory(test_a_damaged_file_in_use_is_busy),
		in_a_directory(test_what_is_no_file_is_foreign),
		in_a_directory(test_a_linked_directory_may_lead_to_the_file),
		in_a_directory(test_a_name_is_a_name),
		in_a_directory(test_a_missing_directory_is_enoent),
		in_a_directory(test_a_later_version_is_refused_and_untouched),
		in_a_directory(test_a_later_version_that_is_only_in_the_log_is_refused),
		in_a_directory(test_a_migration_keeps_what_there_was),
		in_a_directory(test_a_migration_that_fails_leaves_the_version_before_it),
		in_a_directory(test_what_was_deleted_is_in_no_file),
		in_a_directory(test_errors_are_told_by_errno),
		cmocka_unit_test(
		        test_a_checkpoint_that_somebody_is_in_the_way_of_is_no_error_of_the_log),
		cmocka_unit_test(test_memory_needs_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
