/* SPDX-License-Identifier: MIT */
/* What a cache keeps within its limits, and what it lets go first. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

enum { DAY_MS = 86400 * 1000 };

static uint64_t bytes_on_disk(const struct fixture *fixture)
{
	DIR *directory = opendir(fixture->directory);
	const struct dirent *entry;
	struct stat status;
	uint64_t size = 0;

	while ((entry = readdir(directory))) {
		if (*entry->d_name == '.')
			continue;
		assert_int_equal(fstatat(dirfd(directory), entry->d_name, &status, 0), 0);
		size += (uint64_t)status.st_size;
	}
	closedir(directory);
	return size;
}

/* Sweep until there is nothing left to do; returns the last outcome and counts the customers. */
static int sweep(struct fixture *fixture, int64_t now_ms, unsigned *ret_evicted)
{
	struct cache_change change;
	unsigned evicted = 0;
	int r;

	do {
		r = cache_sweep(fixture->cache, now_ms, &change);
		assert_true(r >= 0);
		evicted += change.customer.slot != 0;
		cache_change_fini(&change);
	} while (r == CACHE_MORE);
	if (ret_evicted)
		*ret_evicted = evicted;
	return r;
}

static void limit(struct fixture *fixture, uint64_t size_max, int64_t retain_ms)
{
	cache_limit(fixture->cache, &(struct cache_limits){ size_max, retain_ms, 0 });
}

static void test_within_its_limits_nothing_goes(void **state)
{
	struct fixture *fixture = *state;
	unsigned evicted;

	fill(fixture);
	limit(fixture, 1 << 30, 30 * (int64_t)DAY_MS);
	assert_int_equal(sweep(fixture, DAY_MS, &evicted), 0);
	assert_int_equal(evicted, 0);
}

static void test_the_files_never_take_more_than_the_limit(void **state)
{
	enum { SIZE_MAX_BYTES = 1 << 20 };
	struct fixture *fixture = *state;
	unsigned evicted = 0;

	limit(fixture, SIZE_MAX_BYTES, INT64_MAX);
	for (uint32_t i = 0; i < 2500; i++) {
		unsigned count;

		store_generated(fixture, i, 10000 + i * 40);
		sweep(fixture, 10000 + i * 40, &count);
		evicted += count;
		assert_true(bytes_on_disk(fixture) <= SIZE_MAX_BYTES);
	}
	assert_int_equal(counter_value(&fixture->cache->metrics.evictions), evicted);
	assert_in_range(evicted, 300, 2000);
	/* Nor is the room left unused. */
	assert_true(bytes_on_disk(fixture) > SIZE_MAX_BYTES / 2);
}

static void test_the_least_recently_used_go_first(void **state)
{
	struct fixture *fixture = *state;
	uint32_t first = store_generated(fixture, 0, 1000);
	struct key keys[2] = { generated_id(0), generated_id(1) };
	unsigned evicted;

	for (uint32_t i = 1; i < 3000; i++)
		store_generated(fixture, i, 1000 + i);
	cache_touch(fixture->cache, first, 90000);
	reopen(fixture);
	limit(fixture, 1 << 20, INT64_MAX);
	assert_int_equal(sweep(fixture, 200000, &evicted), 0);
	assert_true(evicted > 100);
	assert_true(knows(fixture, &keys[0]));
	assert_false(knows(fixture, &keys[1]));
	for (uint32_t i = 0; i <= evicted; i++) {
		struct key id = generated_id(i);

		assert_int_equal(knows(fixture, &id), i == 0);
	}
	for (uint32_t i = evicted + 1; i < 3000; i++) {
		struct key id = generated_id(i);

		assert_true(knows(fixture, &id));
	}
}

static void test_a_lower_limit_shrinks_the_file(void **state)
{
	struct fixture *fixture = *state;
	uint64_t before;

	for (uint32_t i = 0; i < 3000; i++)
		store_generated(fixture, i, 1000 + i);
	reopen(fixture);
	before = bytes_on_disk(fixture);
	assert_true(before > 1500000);
	limit(fixture, 1 << 20, INT64_MAX);
	sweep(fixture, 200000, NULL);
	assert_true(bytes_on_disk(fixture) <= 1 << 20);
	reopen(fixture);
	assert_true(bytes_on_disk(fixture) <= 1 << 20);
}

static void test_what_is_in_use_stays_for_now(void **state)
{
	struct fixture *fixture = *state;
	unsigned evicted;

	for (uint32_t i = 0; i < 3000; i++)
		store_generated(fixture, i, 1000000);
	limit(fixture, 1 << 20, INT64_MAX);
	assert_int_equal(sweep(fixture, 1000100, &evicted), CACHE_LATER);
	assert_int_equal(evicted, 0);
	assert_int_equal(sweep(fixture, 1009900, &evicted), CACHE_LATER);
	assert_int_equal(evicted, 0);
	assert_int_equal(sweep(fixture, 1010000, &evicted), 0);
	assert_true(evicted > 0);
}

static void test_what_nobody_asks_for_goes_after_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct key absent = make_key(KEY_PHONE, "555");
	uint32_t used = store_id(fixture, "1", 1000);
	int64_t fetched_ms;
	unsigned evicted;

	store_id(fixture, "2", 1000);
	store_absent(fixture, &absent, 1000);
	limit(fixture, 1 << 30, 30 * (int64_t)DAY_MS);
	cache_touch(fixture->cache, used, 10 * (int64_t)DAY_MS);
	assert_int_equal(sweep(fixture, 31 * (int64_t)DAY_MS, &evicted), 0);
	assert_int_equal(evicted, 1);
	assert_true(knows_id(fixture, "1"));
	assert_false(knows_id(fixture, "2"));
	assert_int_equal(cache_find_absent(fixture->cache, &absent, &fetched_ms), CACHE_NONE);
	sweep(fixture, 41 * (int64_t)DAY_MS, &evicted);
	assert_int_equal(evicted, 1);
	assert_false(knows_id(fixture, "1"));
}

/* How many customers the file says were used at @used_ms. */
static int64_t count_used(struct fixture *fixture, int64_t used_ms)
{
	sqlite3_stmt *statement;
	int64_t count;

	assert_int_equal(database_prepare(fixture->cache->database,
	                                  "SELECT count(*) FROM use WHERE used_ms = ?1",
	                                  &statement),
	                 0);
	rows_bind_integer(statement, 1, used_ms);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return count;
}

static void add_uses(struct fixture *fixture, uint32_t customers)
{
	assert_int_equal(rows_run(fixture->cache, BEGIN), 0);
	for (uint32_t customer = 1; customer <= customers; customer++)
		assert_int_equal(rows_run_on(fixture->cache, WRITE_USE, customer, 1000), 0);
	assert_int_equal(rows_run(fixture->cache, COMMIT), 0);
	for (uint32_t customer = 1; customer <= customers; customer++)
		cache_touch(fixture->cache, customer, 90000);
}

/* Looking somebody up writes nothing. */
static void test_uses_are_written_down_after_a_minute(void **state)
{
	enum { CUSTOMERS = 5000 };
	struct fixture *fixture = *state;

	limit(fixture, 1 << 30, 30 * (int64_t)DAY_MS);
	add_uses(fixture, CUSTOMERS);
	sweep(fixture, 90000, NULL);
	assert_int_equal(count_used(fixture, 90000), 0);
	cache_tidy(fixture->cache, 90000);
	sweep(fixture, 90000, NULL);
	assert_int_equal(count_used(fixture, 90000), CUSTOMERS);
}

static void test_uses_there_is_no_room_for_are_written_down_at_once(void **state)
{
	enum { CUSTOMERS = TOUCHED_SETS * (TOUCHED_A_SET + 4) };
	struct fixture *fixture = *state;
	int64_t written;

	add_uses(fixture, CUSTOMERS);
	written = count_used(fixture, 90000);
	assert_in_range(written, CUSTOMERS - TOUCHED_SETS * TOUCHED_A_SET, CUSTOMERS - 1);
	cache_flush_touched(fixture->cache);
	assert_true(count_used(fixture, 90000) > written);
}

static void test_an_eviction_names_what_is_gone(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	uint32_t slot = store_and_drop(fixture, &phone, "1", "Asha", 1000).customer.slot;
	uint32_t phone_slot = slot_of(fixture, &phone);
	struct cache_change change;

	limit(fixture, 1 << 30, DAY_MS);
	/* The first step writes down when it was used. */
	assert_int_equal(cache_sweep(fixture->cache, 3 * (int64_t)DAY_MS, &change), CACHE_MORE);
	cache_change_fini(&change);
	assert_int_equal(cache_sweep(fixture->cache, 3 * (int64_t)DAY_MS, &change), CACHE_MORE);
	assert_int_equal(change.customer.slot, slot);
	assert_null(change.customer.record);
	assert_int_equal(change.key_count, 2);
	assert_true(change.keys[0] == phone_slot || change.keys[1] == phone_slot);
	assert_true(change.listing[KEY_ID] && change.listing[KEY_PHONE]);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_PHONE), 3 * (int64_t)DAY_MS);
	cache_change_fini(&change);
}

static void test_a_miss_after_an_eviction_is_told_from_a_cold_one(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "1");
	struct key other = make_key(KEY_ID, "2");

	store_id(fixture, "1", 1000);
	assert_int_equal(cache_miss(fixture->cache, &id), CACHE_MISS_EXPIRED);
	limit(fixture, 1 << 30, DAY_MS);
	sweep(fixture, 3 * (int64_t)DAY_MS, NULL);
	assert_int_equal(cache_miss(fixture->cache, &id), CACHE_MISS_EVICTED);
	assert_int_equal(cache_miss(fixture->cache, &other), CACHE_MISS_COLD);
	store_id(fixture, "1", 3 * (int64_t)DAY_MS);
	assert_int_equal(cache_miss(fixture->cache, &id), CACHE_MISS_EXPIRED);
}

static void test_absences_go_by_the_same_measure(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "1");
	int64_t fetched_ms;

	store_id(fixture, "1", 500000);
	for (unsigned i = 0; i < 20000; i++) {
		char text[16];
		struct key phone;

		snprintf(text, sizeof(text), "77%08u", i);
		phone = make_key(KEY_PHONE, text);
		store_absent(fixture, &phone, 1000 + i);
	}
	limit(fixture, 1 << 20, INT64_MAX);
	assert_int_equal(sweep(fixture, 900000, NULL), 0);
	assert_true(bytes_on_disk(fixture) <= 1 << 20);
	assert_true(knows(fixture, &id));
	id = make_key(KEY_PHONE, "7700000000");
	assert_int_equal(cache_find_absent(fixture->cache, &id, &fetched_ms), CACHE_NONE);
	id = make_key(KEY_PHONE, "7700019999");
	assert_int_equal(cache_find_absent(fixture->cache, &id, &fetched_ms), 0);
}

/* A clock that was wrong by a year must not make anything stay for a year. */
static void test_uses_in_the_future_do_not_keep_a_customer(void **state)
{
	struct fixture *fixture = *state;
	int64_t now_ms = 1000 * (int64_t)DAY_MS;
	unsigned evicted;

	store_id(fixture, "1", now_ms + 365 * (int64_t)DAY_MS);
	limit(fixture, 1 << 30, 30 * (int64_t)DAY_MS);
	/* It is written down after the first minute, and found wrong after the second. */
	cache_tidy(fixture->cache, now_ms);
	sweep(fixture, now_ms, NULL);
	cache_tidy(fixture->cache, now_ms);
	sweep(fixture, now_ms + 29 * (int64_t)DAY_MS, &evicted);
	assert_int_equal(evicted, 0);
	sweep(fixture, now_ms + 31 * (int64_t)DAY_MS, &evicted);
	assert_int_equal(evicted, 1);
}

static void test_what_was_evicted_leaves_no_byte_once_it_is_tidied(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "770012341234");
	struct cache_log_work work;
	char command[256];

	store_and_drop(fixture, &phone, "1", "Asha", 1000);
	limit(fixture, 1 << 30, DAY_MS);
	sweep(fixture, 3 * (int64_t)DAY_MS, NULL);
	snprintf(command, sizeof(command), "grep -rqa 770012341234 %s", fixture->directory);
	assert_int_equal(system(command), 0);
	cache_tidy(fixture->cache, 3 * (int64_t)DAY_MS);
	assert_true(cache_log_begin(fixture->cache, &work));
	cache_log_run(&work);
	cache_log_end(fixture->cache, &work);
	assert_int_not_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_within_its_limits_nothing_goes),
		in_a_cache(test_the_files_never_take_more_than_the_limit),
		in_a_cache(test_the_least_recently_used_go_first),
		in_a_cache(test_a_lower_limit_shrinks_the_file),
		in_a_cache(test_what_is_in_use_stays_for_now),
		in_a_cache(test_what_nobody_asks_for_goes_after_its_time),
		in_a_cache(test_uses_are_written_down_after_a_minute),
		in_a_cache(test_uses_there_is_no_room_for_are_written_down_at_once),
		in_a_cache(test_an_eviction_names_what_is_gone),
		in_a_cache(test_a_miss_after_an_eviction_is_told_from_a_cold_one),
		in_a_cache(test_absences_go_by_the_same_measure),
		in_a_cache(test_uses_in_the_future_do_not_keep_a_customer),
		in_a_cache(test_what_was_evicted_leaves_no_byte_once_it_is_tidied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
