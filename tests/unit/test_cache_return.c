/* SPDX-License-Identifier: MIT */
/* How a cache that lost its file comes to another. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

static void remove_files(struct fixture *fixture)
{
	char log[sizeof(fixture->path) + 8];

	snprintf(log, sizeof(log), "%s-wal", fixture->path);
	unlink(fixture->path);
	unlink(log);
}

static void assert_off_disk(struct fixture *fixture)
{
	assert_int_equal(fixture->cache->mode, CACHE_IN_MEMORY);
	assert_int_equal(counter_value(&fixture->cache->metrics.on_disk), 0);
	assert_true(counter_value(&fixture->cache->metrics.off_disk_since) > 0);
}

static void assert_on_disk(struct fixture *fixture)
{
	assert_int_equal(fixture->cache->mode, CACHE_ON_FILE);
	assert_int_equal(counter_value(&fixture->cache->metrics.on_disk), 1);
	assert_int_equal(counter_value(&fixture->cache->metrics.off_disk_since), 0);
}

/* Removed so often that the cache is in memory; it has customer "1" then. Returns its slot. */
static uint32_t lose_file_for_good(struct fixture *fixture)
{
	uint32_t slot = 0;

	for (int i = 0; i < 5 && fixture->cache->mode == CACHE_ON_FILE; i++) {
		remove_files(fixture);
		slot = store_id(fixture, "1", 1000 + i);
	}
	assert_off_disk(fixture);
	return slot;
}

static void test_a_file_that_was_removed_four_times_is_made_again_within_a_minute(void **state)
{
	struct fixture *fixture = *state;
	uint32_t slot = lose_file_for_good(fixture);
	struct key id = make_key(KEY_ID, "1");
	struct cache_key found;
	unsigned losses = fixture->losses;

	cache_tidy(fixture->cache, 5000);
	assert_on_disk(fixture);
	/* What was in memory is in it, under the same number, and nobody is told of a loss. */
	assert_int_equal(fixture->losses, losses);
	assert_int_equal(cache_find_key(fixture->cache, &id, &found), 0);
	assert_int_equal(found.customer, slot);
	assert_true(store_id(fixture, "2", 6000) > slot);
	reopen(fixture);
	assert_on_disk(fixture);
	assert_true(knows_id(fixture, "1"));
	assert_true(knows_id(fixture, "2"));
	assert_int_equal(cache_find_key(fixture->cache, &id, &found), 0);
	assert_int_equal(found.customer, slot);
}

static void test_a_directory_that_was_removed_and_made_again_gets_a_file(void **state)
{
	struct fixture *fixture = *state;

	remove_files(fixture);
	assert_int_equal(rmdir(fixture->directory), 0);
	store_id(fixture, "1", 1000);
	assert_off_disk(fixture);
	cache_tidy(fixture->cache, 2000);
	assert_off_disk(fixture);
	assert_int_equal(mkdir(fixture->directory, 0700), 0);
	cache_tidy(fixture->cache, 3000);
	assert_on_disk(fixture);
	reopen(fixture);
	assert_true(knows_id(fixture, "1"));
}

/* Whoever has put it there knows why. */
static void test_a_file_in_the_place_of_ours_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	FILE *other;
	char text[8] = "";

	remove_files(fixture);
	other = fopen(fixture->path, "w");
	assert_non_null(other);
	fputs("theirs", other);
	fclose(other);
	store_id(fixture, "1", 1000);
	cache_tidy(fixture->cache, 2000);
	assert_off_disk(fixture);
	other = fopen(fixture->path, "r");
	assert_non_null(other);
	assert_non_null(fgets(text, sizeof(text), other));
	fclose(other);
	assert_string_equal(text, "theirs");
	assert_int_equal(unlink(fixture->path), 0);
	cache_tidy(fixture->cache, 3000);
	assert_on_disk(fixture);
	assert_true(knows_id(fixture, "1"));
}

static void test_what_does_not_fit_beside_itself_stays_in_memory(void **state)
{
	struct fixture *fixture = *state;

	lose_file_for_good(fixture);
	for (uint32_t i = 0; i < 1500; i++)
		store_generated(fixture, i, 2000);
	cache_limit(fixture->cache, &(struct cache_limits){ 1 << 20, INT64_MAX, 0 });
	cache_tidy(fixture->cache, 3000);
	assert_off_disk(fixture);
	cache_limit(fixture->cache, &(struct cache_limits){ 64 << 20, INT64_MAX, 0 });
	cache_tidy(fixture->cache, 4000);
	assert_on_disk(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_a_file_that_was_removed_four_times_is_made_again_within_a_minute),
		in_a_cache(test_a_directory_that_was_removed_and_made_again_gets_a_file),
		in_a_cache(test_a_file_in_the_place_of_ours_is_left_alone),
		in_a_cache(test_what_does_not_fit_beside_itself_stays_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
