/* SPDX-License-Identifier: MIT */
/* What another thread does for the log of a cache meanwhile. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

static uint64_t log_bytes(struct fixture *fixture)
{
	struct stat status;

	assert_int_equal(stat(fixture->cache->log_path, &status), 0);
	return (uint64_t)status.st_size;
}

/* Store from customer @first on until so much is in the log that it is to be moved; how many? */
static uint32_t store_until_due(struct fixture *fixture, uint32_t first,
                                struct cache_log_work *work)
{
	for (uint32_t stored = 1;; stored++) {
		store_generated(fixture, first + stored - 1, 1000);
		assert_true(cache_log_begin(fixture->cache, work));
		if (work->database)
			return stored;
		cache_log_run(work);
		cache_log_end(fixture->cache, work);
	}
}

static void test_what_was_stored_waits_for_one_sync(void **state)
{
	struct fixture *fixture = *state;
	struct cache_log_work work;

	store_id(fixture, "1", 1000);
	store_id(fixture, "2", 1000);
	assert_true(cache_log_begin(fixture->cache, &work));
	assert_null(work.database);
	cache_log_run(&work);
	assert_int_equal(work.result, 0);
	cache_log_end(fixture->cache, &work);
	assert_false(cache_log_begin(fixture->cache, &work));
}

static void assert_all_known(struct fixture *fixture, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct key key = generated_id(i);

		assert_true(knows(fixture, &key));
	}
}

static void test_a_log_that_was_moved_begins_anew(void **state)
{
	struct fixture *fixture = *state;
	struct cache_log_work work;
	uint32_t stored = store_until_due(fixture, 0, &work);
	uint64_t pages = fixture->cache->log.pages;

	cache_log_run(&work);
	assert_int_equal(work.result, 0);
	cache_log_end(fixture->cache, &work);
	assert_false(cache_log_begin(fixture->cache, &work));
	store_generated(fixture, stored, 1000);
	assert_in_range(fixture->cache->log.pages, 1, pages / 2);
	assert_all_known(fixture, stored + 1);
}

static void run(void *work)
{
	cache_log_run(work);
}

static void test_a_log_is_moved_while_others_read_and_store(void **state)
{
	struct fixture *fixture = *state;
	uint32_t stored = 0;

	for (int round = 0; round < 5; round++) {
		struct cache_log_work work;
		uv_thread_t thread;

		stored += store_until_due(fixture, stored, &work);
		assert_int_equal(uv_thread_create(&thread, run, &work), 0);
		assert_all_known(fixture, stored);
		store_generated(fixture, stored++, 1000);
		assert_int_equal(uv_thread_join(&thread), 0);
		assert_int_equal(work.result, 0);
		cache_log_end(fixture->cache, &work);
	}
	reopen(fixture);
	assert_all_known(fixture, stored);
}

/* SQLite may damage the file otherwise. */
static void test_what_has_been_moved_in_the_meantime_is_not_moved_again(void **state)
{
	struct fixture *fixture = *state;
	struct cache_log_work work;
	uint32_t stored = store_until_due(fixture, 0, &work);

	assert_int_equal(cache_log_cut(fixture->cache), 0);
	cache_log_run(&work);
	assert_int_equal(work.pages, 0);
	cache_log_end(fixture->cache, &work);
	/* Nor is there a thread for what has been moved, and is only to be cut. */
	fixture->cache->log.is_to_be_cut = true;
	if (cache_log_begin(fixture->cache, &work)) {
		assert_null(work.database);
		cache_log_run(&work);
		cache_log_end(fixture->cache, &work);
	}
	assert_false(fixture->cache->log.is_to_be_cut);
	assert_all_known(fixture, stored);
}

static void test_a_log_that_nobody_moves_stays_within_its_share(void **state)
{
	enum { SIZE_MAX_BYTES = 8 << 20, AN_ANSWER = 64 * 4120 };
	struct fixture *fixture = *state;

	cache_limit(fixture->cache, &(struct cache_limits){ SIZE_MAX_BYTES, INT64_MAX, 0 });
	for (uint32_t i = 0; i < 500; i++) {
		store_generated(fixture, i, 1000);
		assert_true(log_bytes(fixture) <= SIZE_MAX_BYTES / 8 + AN_ANSWER);
	}
}

static void test_a_file_that_is_lost_meanwhile_is_not_missed(void **state)
{
	struct fixture *fixture = *state;
	struct cache_log_work work;

	(void)store_until_due(fixture, 0, &work);
	assert_int_equal(unlink(fixture->path), 0);
	store_id(fixture, "1", 2000);
	assert_int_equal(fixture->losses, 1);
	cache_log_run(&work);
	cache_log_end(fixture->cache, &work);
	assert_int_equal(fixture->losses, 1);
	assert_true(knows_id(fixture, "1"));
	reopen(fixture);
	assert_true(knows_id(fixture, "1"));
}

static void test_another_file_in_its_place_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct cache_log_work work;
	char other[128];

	(void)store_until_due(fixture, 0, &work);
	cache_log_run(&work);
	cache_log_end(fixture->cache, &work);
	store_id(fixture, "1", 1000);
	snprintf(other, sizeof(other), "%s.other", fixture->path);
	assert_int_equal(rename(fixture->path, other), 0);
	fclose(fopen(fixture->path, "w"));
	fixture->cache->log.is_to_be_cut = true;
	assert_true(cache_log_begin(fixture->cache, &work));
	assert_null(work.database);
	cache_log_run(&work);
	cache_log_end(fixture->cache, &work);
}

/* What the other thread could not do is tried once more where it can be mended. */
static void test_a_log_that_cannot_be_moved_is_given_up(void **state)
{
	struct fixture *fixture = *state;
	struct cache_log_work work;
	uint32_t stored = store_until_due(fixture, 0, &work);
	struct rlimit before;
	struct rlimit small = { 4096, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	cache_log_run(&work);
	assert_true(work.result < 0);
	cache_log_end(fixture->cache, &work);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);
	assert_all_known(fixture, stored);
	store_id(fixture, "1", 2000);
	assert_false(cache_log_begin(fixture->cache, &work));

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	cache_tidy(fixture->cache, 3000);
	assert_int_equal(fixture->cache->mode, CACHE_ON_FILE);
	reopen(fixture);
	assert_all_known(fixture, stored);
	assert_true(knows_id(fixture, "1"));
}

static int64_t number_of(const struct fixture *fixture, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(fixture->cache->database, sql, -1, &statement, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void test_answers_are_not_synced_after_numbers_could_not_be_reserved(void **state)
{
	struct fixture *fixture = *state;
	int64_t before = number_of(fixture, "PRAGMA main.synchronous");
	sqlite3 *other;
	uint32_t slot;

	fixture->cache->slot_next = fixture->cache->slots_reserved;
	assert_int_equal(sqlite3_open_v2(fixture->path, &other, SQLITE_OPEN_READWRITE, "unix-excl"),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_true(cache_take_slot(fixture->cache, &slot) < 0);
	sqlite3_close(other);
	assert_int_equal(number_of(fixture, "PRAGMA main.synchronous"), before);
	assert_int_equal(before, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_what_was_stored_waits_for_one_sync),
		in_a_cache(test_a_log_that_was_moved_begins_anew),
		in_a_cache(test_a_log_is_moved_while_others_read_and_store),
		in_a_cache(test_what_has_been_moved_in_the_meantime_is_not_moved_again),
		in_a_cache(test_a_log_that_nobody_moves_stays_within_its_share),
		in_a_cache(test_a_file_that_is_lost_meanwhile_is_not_missed),
		in_a_cache(test_another_file_in_its_place_is_left_alone),
		in_a_cache(test_a_log_that_cannot_be_moved_is_given_up),
		in_a_cache(test_answers_are_not_synced_after_numbers_could_not_be_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
