/* SPDX-License-Identifier: MIT */
/* What a cache does on a disk that is full or fails, and what is left after a sudden end. */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

static uint64_t damaged_rows(const struct fixture *fixture)
{
	return counter_value(&fixture->cache->metrics.damaged_rows);
}

/* Files that cannot be written to */

static void limit_pages(struct fixture *fixture, int pages)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA main.max_page_count = %d", pages);
	assert_int_equal(database_run(fixture->cache->database, sql), 0);
}

/* No page may come any more; the answers that are stored now go beyond what there are. */
static void run_full(struct fixture *fixture)
{
	limit_pages(fixture, 1);
	for (uint32_t i = 1000; i < 1200; i++)
		store_generated(fixture, i, 3000);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);
}

static void test_on_a_full_disk_old_and_new_answers_are_served(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	int64_t fetched_ms;

	fill(fixture);
	run_full(fixture);
	store_absent(fixture, &phone, 3000);
	for (uint32_t i = 0; i < 1200; i += i == 199 ? 801 : 1) {
		struct key id = generated_id(i);

		assert_true(knows(fixture, &id));
	}
	assert_int_equal(cache_find_absent(fixture->cache, &phone, &fetched_ms), 0);
	assert_int_equal(fixture->losses, 0);
}

static bool count_key(void *userdata, const struct cache_key *key)
{
	uint32_t *previous = userdata;

	assert_true(key->slot > previous[0]);
	previous[0] = key->slot;
	previous[1]++;
	return true;
}

static uint32_t count_ids(struct fixture *fixture)
{
	uint32_t counter[2] = { 0 };

	assert_int_equal(cache_list_keys(fixture->cache, KEY_ID, 0, count_key, counter), 0);
	return counter[1];
}

static void test_on_a_full_disk_nothing_changes_its_number(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "1");
	uint32_t customer = store_id(fixture, "1", 1000);
	uint32_t key = slot_of(fixture, &id);
	struct cache_change change;

	fill(fixture);
	run_full(fixture);
	assert_int_equal(count_ids(fixture), 401);
	change = store(fixture, &id, "1", "Bina", 4000);
	assert_int_equal(change.customer.slot, customer);
	assert_int_equal(change.customer.keys, 1);
	assert_string_equal(name_of(change.previous), "Asha\n");
	assert_int_equal(slot_of(fixture, &id), key);
	assert_int_equal(count_ids(fixture), 401);
	cache_change_fini(&change);

	assert_int_equal(cache_store_absent(fixture->cache, &id, 5000, &change), 0);
	cache_change_fini(&change);
	assert_false(knows(fixture, &id));
	assert_int_equal(count_ids(fixture), 400);
}

static void test_when_there_is_room_again_everything_is_written_down(void **state)
{
	struct fixture *fixture = *state;
	struct key gone = generated_id(1000);
	struct key id = make_key(KEY_ID, "1");
	uint32_t customer = store_id(fixture, "1", 1000);
	int64_t changed_ms;

	fill(fixture);
	run_full(fixture);
	store_and_drop(fixture, &id, "1", "Bina", 4000);
	store_absent(fixture, &gone, 4000);
	changed_ms = cache_listing_changed_ms(fixture->cache, KEY_ID);
	cache_tidy(fixture->cache, 5000);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);

	limit_pages(fixture, 1 << 30);
	cache_tidy(fixture->cache, 5000);
	assert_int_equal(fixture->cache->mode, CACHE_ON_FILE);
	reopen(fixture);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_ID), changed_ms);
	assert_int_equal(count_ids(fixture), 400);
	assert_false(knows(fixture, &gone));
	assert_int_equal(store_id(fixture, "1", 6000), customer);
	for (uint32_t i = 1001; i < 1200; i++) {
		struct key stored = generated_id(i);

		assert_true(knows(fixture, &stored));
	}
	assert_int_equal(damaged_rows(fixture), 0);
}

static void keep_day(struct fixture *fixture, const char *date, const char *text)
{
	struct key key = make_key(KEY_DATE, date);
	struct roster roster = { 0 };
	struct cache_change change;

	assert_int_equal(roster_read(text, strlen(text), &roster), 0);
	assert_int_equal(cache_store_roster(fixture->cache, &key, &roster, ACCOUNT, 4000, &change),
	                 0);
	cache_change_fini(&change);
	roster_fini(&roster);
}

static void assert_day(struct fixture *fixture, const char *date, const char *first,
                       const char *second)
{
	struct key key = make_key(KEY_DATE, date);
	const struct roster *roster;
	struct cache_key found;
	int64_t changed_ms;

	assert_int_equal(cache_find_key(fixture->cache, &key, &found), 0);
	assert_int_equal(cache_read_roster(fixture->cache, found.customer, &roster, &changed_ms),
	                 0);
	assert_int_equal(roster_find(roster, first, strlen(first)), 1);
	assert_int_equal(roster_find(roster, second, strlen(second)), 2);
	assert_int_equal(roster->present, 2);
}

static void test_days_are_kept_on_a_full_disk_and_written_down_like_customers(void **state)
{
	struct fixture *fixture = *state;

	keep_day(fixture, "2026-01-05", "\n7\n");
	fill(fixture);
	run_full(fixture);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);
	keep_day(fixture, "2026-01-05", "\n8\n7\n");
	keep_day(fixture, "2026-01-06", "\n9\n10\n");
	assert_day(fixture, "2026-01-05", "7", "8");
	assert_day(fixture, "2026-01-06", "9", "10");

	limit_pages(fixture, 1 << 30);
	cache_tidy(fixture->cache, 5000);
	assert_int_equal(fixture->cache->mode, CACHE_ON_FILE);
	reopen(fixture);
	assert_day(fixture, "2026-01-05", "7", "8");
	assert_day(fixture, "2026-01-06", "9", "10");
	assert_int_equal(damaged_rows(fixture), 0);
}

static void test_what_a_full_disk_keeps_in_memory_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	uint64_t size = 0;
	int r;

	fill(fixture);
	run_full(fixture);
	cache_limit(fixture->cache, &(struct cache_limits){ 200000, INT64_MAX, 0 });
	do {
		r = cache_sweep(fixture->cache, 100000, &change);
		assert_true(r >= 0);
		cache_change_fini(&change);
		size = counter_value(&fixture->cache->metrics.bytes);
	} while (r == CACHE_MORE);
	/* With the tables themselves, which take four pages each. */
	assert_in_range(size, 1, 350000);
	assert_true(count_ids(fixture) < 390);
	/* What is on disk costs no memory. */
	assert_true(count_ids(fixture) >= 200);
}

static void test_writes_that_fail_are_kept_in_memory(void **state)
{
	struct fixture *fixture = *state;
	const struct rlimit no_writes = { 0, RLIM_INFINITY };
	struct rlimit before;

	store_id(fixture, "1", 1000);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &no_writes), 0);
	store_id(fixture, "2", 2000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);
	assert_true(knows_id(fixture, "1"));
	assert_true(knows_id(fixture, "2"));
	/* Closing is another chance. */
	reopen(fixture);
	assert_true(knows_id(fixture, "1"));
	assert_true(knows_id(fixture, "2"));
}

/* Sudden death */

static uint32_t store_and_die(struct fixture *fixture)
{
	int ends[2];
	uint32_t slot;
	pid_t pid;

	cache_close(steal(&fixture->cache));
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		open_cache(fixture);
		slot = store_id(fixture, "1", 1000);
		_exit(write(ends[1], &slot, sizeof(slot)) != sizeof(slot));
	}
	assert_int_equal(read(ends[0], &slot, sizeof(slot)), sizeof(slot));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ends[0]);
	close(ends[1]);
	return slot;
}

static void test_sudden_death_loses_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint32_t slot = store_and_die(fixture);

	open_cache(fixture);
	assert_true(knows_id(fixture, "1"));
	assert_int_equal(store_id(fixture, "1", 2000), slot);
}

/* As if the disk had taken the last commits back, all but those that were synced. */
static void test_a_number_that_was_given_is_not_given_again_by_a_log_that_was_lost(void **state)
{
	struct fixture *fixture = *state;
	char command[512];
	uint32_t slot;

	/* The log up to the first reservation is what there is at least. */
	store_id(fixture, "9", 1000);
	snprintf(command, sizeof(command), "cp %s %s.then; cp %s-wal %s.then-wal", fixture->path,
	         fixture->path, fixture->path, fixture->path);
	assert_int_equal(system(command), 0);
	slot = store_id(fixture, "1", 1000);
	cache_close(steal(&fixture->cache));
	snprintf(command, sizeof(command), "mv %s.then %s; mv %s.then-wal %s-wal", fixture->path,
	         fixture->path, fixture->path, fixture->path);
	assert_int_equal(system(command), 0);

	open_cache(fixture);
	assert_false(knows_id(fixture, "1"));
	assert_true(store_id(fixture, "2", 2000) > slot);
}

static void test_numbers_have_no_gaps_over_a_clean_end(void **state)
{
	struct fixture *fixture = *state;
	uint32_t slot = store_id(fixture, "1", 1000);

	reopen(fixture);
	assert_in_range(store_id(fixture, "2", 1000), slot + 1, slot + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_on_a_full_disk_old_and_new_answers_are_served),
		in_a_cache(test_on_a_full_disk_nothing_changes_its_number),
		in_a_cache(test_when_there_is_room_again_everything_is_written_down),
		in_a_cache(test_days_are_kept_on_a_full_disk_and_written_down_like_customers),
		in_a_cache(test_what_a_full_disk_keeps_in_memory_is_bounded),
		in_a_cache(test_writes_that_fail_are_kept_in_memory),
		in_a_cache(test_sudden_death_loses_nothing),
		in_a_cache(test_a_number_that_was_given_is_not_given_again_by_a_log_that_was_lost),
		in_a_cache(test_numbers_have_no_gaps_over_a_clean_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
