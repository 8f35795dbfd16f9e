/* SPDX-License-Identifier: MIT */
/* What becomes of the bits when something goes: parts of them, customers, the disk. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sieved.h"

static void test_what_is_damaged_hides_nobody_and_is_mended(void **state)
{
	struct dice dice = { 8 };
	struct fixture *fixture = *state;
	struct cache *cache = sieved(state, &dice);
	uint64_t damaged;

	run(cache, "UPDATE sieve SET bits = zeroblob(length(bits)) WHERE part % 3 = 0;"
	           "DELETE FROM sieve WHERE part % 7 = 1");
	judge_some(cache, &dice, SEARCHES);
	assert_true(counter_value(&cache->metrics.damaged_rows) > 0);
	reopen(fixture);
	cache = fixture->cache;
	/* A damaged part is only known of once it was read. */
	for (unsigned i = 0; i < 6; i++) {
		judge_some(cache, &dice, SEARCHES);
		sweep(cache);
	}
	damaged = counter_value(&cache->metrics.damaged_rows);
	judge_some(cache, &dice, SEARCHES);
	assert_int_equal(counter_value(&cache->metrics.damaged_rows), damaged);
}

static void test_parts_of_an_earlier_build_are_not_believed(void **state)
{
	struct dice dice = { 9 };
	struct cache *cache = sieved(state, &dice);

	run(cache, "CREATE TEMP TABLE old AS SELECT * FROM sieve");
	run(cache, "BEGIN");
	for (uint32_t i = 0; i < 3000; i++)
		name_by_chance(cache, somebody(cache, &dice), &dice);
	run(cache, "COMMIT; UPDATE unsieved SET stale = 2");
	cache->sieve.is_due = true;
	sweep(cache);
	run(cache, "INSERT OR REPLACE INTO sieve SELECT * FROM old WHERE part & 2047 > 0");
	judge_some(cache, &dice, SEARCHES);
	run(cache, "DROP TABLE old");
}

static void write_directory(struct cache *cache, const struct sieve_group *group)
{
	int64_t key = sieve_key(group->first, 0);
	size_t length = SIEVE_DIRECTORY_SIZE(group->block_count);
	sqlite3_stmt *statement = cache->statements[WRITE_SIEVE];

	rows_bind_integer(statement, 1, key);
	rows_bind_blob(statement, 2, (const char *)&group->build, length);
	rows_bind_integer(statement, 3, sieve_sum(cache, key, group->build, &group->build, length));
	assert_int_equal(rows_execute(cache, statement), 0);
	sqlite3_reset(statement);
}

static void test_groups_of_another_version_are_made_anew(void **state)
{
	struct dice dice = { 16 };
	struct fixture *fixture = *state;
	struct cache *cache = sieved(state, &dice);
	int64_t groups = count_groups(cache);
	struct sieve_group group = { 0 };

	while (sieve_next_group(cache, group.end, &group) == 0) {
		group.build++;
		write_directory(cache, &group);
	}
	assert_int_equal(sieve_next_group(cache, 0, &group), CACHE_NONE);
	judge_some(cache, &dice, SEARCHES / 4);
	reopen(fixture);
	cache = fixture->cache;
	sweep(cache);
	assert_int_equal(count_groups(cache), groups);
	assert_int_equal(sieve_next_group(cache, 0, &group), 0);
	assert_int_equal(counter_value(&cache->metrics.damaged_rows), 0);
	judge_some(cache, &dice, SEARCHES / 4);
}

static void test_of_who_is_forgotten_no_bit_is_left_after_a_minute(void **state)
{
	struct dice dice = { 10 };
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_ID, "7");
	struct cache_change change = store(fixture, &key, "7", "Qwertzuiop", 1000);
	uint32_t slot = change.customer.slot;
	struct cache *cache;

	cache_change_fini(&change);
	cache = sieved(state, &dice);
	assert_int_equal(best_bound(cache, "qwertzuiop"), HIT_WHOLE);
	assert_int_equal(cache_forget(cache, slot, 2000, &change), 0);
	cache_change_fini(&change);
	sweep(cache);
	assert_int_equal(best_bound(cache, "qwertzuiop"), HIT_WHOLE);
	cache_tidy(cache, 3000);
	sweep(cache);
	assert_int_equal(best_bound(cache, "qwertzuiop"), 0);
	assert_int_equal(count_unsieved(cache), 0);
	judge_some(cache, &dice, SEARCHES);
}

static void remove_most(struct cache *cache, struct dice *dice)
{
	run(cache, "BEGIN");
	for (int64_t i = 0; i < CUSTOMERS * 3 / 4; i++)
		assert_int_equal(cache_delete_words(cache, somebody(cache, dice)), 0);
	run(cache, "COMMIT");
}

static void test_groups_of_few_become_one(void **state)
{
	struct dice dice = { 11 };
	struct cache *cache = sieved(state, &dice);
	int64_t before = count_groups(cache);

	remove_most(cache, &dice);
	sweep(cache);
	assert_true(count_groups(cache) < before);
	assert_true(number(cache, "SELECT count(*) FROM sieve") <=
	            count_groups(cache) * KEYS_A_GROUP);
	judge_some(cache, &dice, SEARCHES);
}

static void test_bits_of_no_group_go_even_after_a_sudden_end(void **state)
{
	struct dice dice = { 15 };
	struct fixture *fixture = *state;
	struct cache *cache = sieved(state, &dice);
	int64_t groups;

	remove_most(cache, &dice);
	do
		assert_int_equal(sweep_once(cache), CACHE_MORE);
	while (cache->sieve.build.phase != SIEVE_CLEARING);
	groups = count_groups(cache);
	assert_true(number(cache, "SELECT count(*) FROM sieve") > groups * KEYS_A_GROUP);
	/* Whoever has gone would have bits made anew. */
	run(cache, "DELETE FROM unsieved");
	reopen(fixture);
	cache = fixture->cache;
	sweep(cache);
	assert_true(number(cache, "SELECT count(*) FROM sieve") <=
	            count_groups(cache) * KEYS_A_GROUP);
	judge_some(cache, &dice, SEARCHES / 4);
}

static void test_a_small_cache_has_no_groups(void **state)
{
	struct dice dice = { 18 };
	struct cache *cache = sieved(state, &dice);
	int64_t groups = count_groups(cache);
	struct cache_limits limits = { (uint64_t)8 * SIEVE_GROUP_SIZE - 1, INT64_MAX, 0 };

	cache_limit(cache, &limits);
	sweep(cache);
	assert_int_equal(number(cache, "SELECT count(*) FROM sieve"), 0);
	judge_some(cache, &dice, SEARCHES / 4);
	limits.size_max++;
	cache_limit(cache, &limits);
	sweep(cache);
	assert_int_equal(count_groups(cache), groups);
	judge_some(cache, &dice, SEARCHES / 4);
}

static void test_without_customers_there_are_no_bits(void **state)
{
	struct dice dice = { 12 };
	struct cache *cache = sieved(state, &dice);
	uint32_t slot;

	run(cache, "BEGIN");
	while (number(cache, "SELECT count(*) FROM (SELECT 1 FROM words LIMIT 1)")) {
		slot = somebody(cache, &dice);
		assert_int_equal(cache_delete_words(cache, slot), 0);
	}
	run(cache, "COMMIT");
	sweep(cache);
	assert_int_equal(number(cache, "SELECT count(*) FROM sieve"), 0);
	assert_int_equal(count_unsieved(cache), 0);
}

static void test_over_a_file_whoever_changes_is_found(void **state)
{
	struct dice dice = { 13 };
	struct cache *cache = sieved(state, &dice);

	rows_finalize(cache);
	assert_int_equal(overlay_begin(cache->database), 0);
	assert_int_equal(rows_prepare(cache, true), 0);
	cache->mode = CACHE_OVER_FILE;
	change_some(cache, &dice, 100);
	add_some(cache, &dice, 50);
	judge_some(cache, &dice, SEARCHES / 4);
	sweep(cache);
	assert_int_equal(cache_write_down(cache), 0);
	judge_some(cache, &dice, SEARCHES / 4);
	sweep(cache);
	judge_some(cache, &dice, SEARCHES / 4);
}

static void test_a_group_that_was_not_finished_hides_nobody(void **state)
{
	struct dice dice = { 14 };
	struct fixture *fixture = *state;
	struct cache *cache = filled(state, &dice);

	do
		assert_int_equal(sweep_once(cache), CACHE_MORE);
	while (cache->sieve.build.part < SIEVE_PARTS / 2);
	reopen(fixture);
	cache = fixture->cache;
	judge_some(cache, &dice, SEARCHES / 2);
	sweep(cache);
	assert_true(count_groups(cache) >= 2);
	judge_some(cache, &dice, SEARCHES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_what_is_damaged_hides_nobody_and_is_mended),
		in_a_cache(test_parts_of_an_earlier_build_are_not_believed),
		in_a_cache(test_groups_of_another_version_are_made_anew),
		in_a_cache(test_of_who_is_forgotten_no_bit_is_left_after_a_minute),
		in_a_cache(test_groups_of_few_become_one),
		in_a_cache(test_bits_of_no_group_go_even_after_a_sudden_end),
		in_a_cache(test_a_small_cache_has_no_groups),
		in_a_cache(test_without_customers_there_are_no_bits),
		in_a_cache(test_over_a_file_whoever_changes_is_found),
		in_a_cache(test_a_group_that_was_not_finished_hides_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
