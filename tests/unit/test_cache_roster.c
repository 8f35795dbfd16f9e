/* SPDX-License-Identifier: MIT */
/* What the cache keeps of days. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

#define DAY INT64_C(86400000)

static struct cache_change store_roster(struct fixture *fixture, const char *date, const char *text,
                                        int64_t now_ms)
{
	struct key key = make_key(KEY_DATE, date);
	struct roster roster = { 0 };
	struct cache_change change;

	assert_int_equal(roster_read(text, strlen(text), &roster), 0);
	assert_int_equal(cache_store_roster(fixture->cache, &key, &roster, ACCOUNT, now_ms,
	                                    &change),
	                 0);
	roster_fini(&roster);
	cache_change_fini(&change);
	return change;
}

static struct cache_key find_day(struct fixture *fixture, const char *date)
{
	struct key key = make_key(KEY_DATE, date);
	struct cache_key found;

	assert_int_equal(cache_find_key(fixture->cache, &key, &found), 0);
	return found;
}

static bool is_kept(struct fixture *fixture, const char *date)
{
	struct key key = make_key(KEY_DATE, date);
	struct cache_key found;

	return cache_find_key(fixture->cache, &key, &found) == 0;
}

/* Returns when somebody last came or went. */
static int64_t assert_roster(struct fixture *fixture, const char *date, const char *expected)
{
	struct cache_key found = find_day(fixture, date);
	const struct roster *roster;
	int64_t changed_ms;
	struct buffer text;

	assert_int_equal(cache_read_roster(fixture->cache, found.customer, &roster, &changed_ms),
	                 0);
	buffer_init(&text, 1 << 20);
	assert_int_equal(roster_write(roster, &text), 0);
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.data, expected, text.length);
	buffer_fini(&text);
	return changed_ms;
}

static void test_a_day_is_kept_and_outlives_the_process(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change = store_roster(fixture, "2026-01-05", "\n7\n8\n", 1000);
	struct cache_key before = find_day(fixture, "2026-01-05");

	assert_true(change.listing[KEY_DATE]);
	assert_false(change.listing[KEY_ID]);
	assert_false(change.roster);
	assert_int_equal(before.fetched_ms, 1000);
	reopen(fixture);
	assert_int_equal(assert_roster(fixture, "2026-01-05", "\n7\n8\n"), 1000);
	assert_int_equal(find_day(fixture, "2026-01-05").slot, before.slot);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_DATE), 1000);
}

static void test_a_day_without_anybody_is_kept_as_well(void **state)
{
	struct fixture *fixture = *state;

	store_roster(fixture, "2026-01-05", "\n", 1000);
	reopen(fixture);
	assert_roster(fixture, "2026-01-05", "\n");
}

static void test_places_and_time_stay_unless_somebody_comes_or_goes(void **state)
{
	struct fixture *fixture = *state;
	uint32_t slot;

	store_roster(fixture, "2026-01-05", "\n7\n8\n", 1000);
	slot = find_day(fixture, "2026-01-05").slot;
	assert_false(store_roster(fixture, "2026-01-05", "\n8\n7\n", 2000).roster);
	assert_int_equal(assert_roster(fixture, "2026-01-05", "\n7\n8\n"), 1000);
	assert_int_equal(find_day(fixture, "2026-01-05").fetched_ms, 2000);

	assert_true(store_roster(fixture, "2026-01-05", "\n9\n8\n", 3000).roster);
	assert_int_equal(assert_roster(fixture, "2026-01-05", "\n-7\n8\n9\n"), 3000);
	assert_int_equal(find_day(fixture, "2026-01-05").slot, slot);
	/* A clock that stands still or goes back must not hide a change. */
	assert_true(store_roster(fixture, "2026-01-05", "\n8\n", 2500).roster);
	assert_int_equal(assert_roster(fixture, "2026-01-05", "\n-7\n8\n-9\n"), 3001);
}

static void test_a_day_takes_no_customer_and_no_customer_a_day(void **state)
{
	struct fixture *fixture = *state;
	uint32_t customer = store_id(fixture, "7", 1000);
	struct cache_customer found;

	store_roster(fixture, "2026-01-05", "\n7\n", 1000);
	assert_int_equal(cache_read_customer(fixture->cache,
	                                     find_day(fixture, "2026-01-05").customer, &found),
	                 CACHE_NONE);
	assert_int_equal(cache_read_customer(fixture->cache, customer, &found), 0);
	record_unref(found.record);
}

static void test_forgetting_a_customer_takes_the_days_that_show_it(void **state)
{
	struct fixture *fixture = *state;
	uint32_t slot = store_id(fixture, "7", 1000);
	struct cache_change change;

	store_roster(fixture, "2026-01-05", "\n7\n8\n", 1000);
	store_roster(fixture, "2026-01-06", "\n77\n8\n", 1000);
	store_roster(fixture, "2026-01-07", "\n7\n8\n", 1000);
	store_roster(fixture, "2026-01-07", "\n8\n", 1000);
	assert_int_equal(cache_forget(fixture->cache, slot, 2000, &change), 0);
	assert_true(change.listing[KEY_DATE]);
	cache_change_fini(&change);
	assert_false(is_kept(fixture, "2026-01-05"));
	assert_true(is_kept(fixture, "2026-01-06"));
	assert_false(is_kept(fixture, "2026-01-07"));
}

static void test_an_id_of_which_nothing_else_is_known_is_forgotten_too(void **state)
{
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_ID, "7");
	struct cache_change change;

	store_roster(fixture, "2026-01-05", "\n7\n", 1000);
	assert_int_equal(cache_forget_key(fixture->cache, &key, 2000, &change), 0);
	cache_change_fini(&change);
	assert_false(is_kept(fixture, "2026-01-05"));
	assert_int_equal(cache_forget_key(fixture->cache, &key, 2000, &change), CACHE_NONE);
}

static void test_a_day_is_forgotten_by_itself(void **state)
{
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_DATE, "2026-01-05");
	const struct roster *roster;
	struct cache_change change;
	struct cache_key found;
	int64_t changed_ms;

	store_id(fixture, "7", 1000);
	store_roster(fixture, "2026-01-05", "\n7\n", 1000);
	found = find_day(fixture, "2026-01-05");
	assert_roster(fixture, "2026-01-05", "\n7\n");
	assert_int_equal(cache_forget_key(fixture->cache, &key, 2000, &change), 0);
	assert_true(change.listing[KEY_DATE]);
	assert_false(change.listing[KEY_ID]);
	cache_change_fini(&change);
	assert_false(is_kept(fixture, "2026-01-05"));
	assert_int_equal(cache_read_roster(fixture->cache, found.customer, &roster, &changed_ms),
	                 CACHE_NONE);
	key = make_key(KEY_ID, "7");
	assert_int_equal(cache_find_key(fixture->cache, &key, &found), 0);
}

static void test_a_day_that_nobody_asks_for_goes(void **state)
{
	struct fixture *fixture = *state;
	const struct cache_limits limits = { UINT64_MAX, 30 * DAY, 0 };
	struct cache_change change;
	int r;

	cache_limit(fixture->cache, &limits);
	store_roster(fixture, "2026-01-05", "\n7\n", 10 * DAY);
	store_roster(fixture, "2026-01-06", "\n8\n", 30 * DAY);
	do {
		r = cache_sweep(fixture->cache, 41 * DAY, &change);
		cache_change_fini(&change);
	} while (r == CACHE_MORE);
	assert_int_equal(r, 0);
	assert_false(is_kept(fixture, "2026-01-05"));
	assert_true(is_kept(fixture, "2026-01-06"));
}

static void test_that_an_account_is_known_shows_in_the_listing_of_days(void **state)
{
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_ID, "7");

	assert_true(store_and_drop(fixture, &key, "7", "Asha", 1000).listing[KEY_DATE]);
	assert_false(store_and_drop(fixture, &key, "7", "Asha", 2000).listing[KEY_DATE]);
}

static void test_days_are_those_of_one_account(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	struct roster nobody = { 0 };
	struct key key = make_key(KEY_DATE, "2026-01-07");

	store_roster(fixture, "2026-01-05", "\n7\n", 1000);
	store_roster(fixture, "2026-01-06", "\n8\n", 1000);
	assert_int_equal(cache_keep_days_of(fixture->cache, ACCOUNT, 2000), 0);
	assert_true(is_kept(fixture, "2026-01-05") && is_kept(fixture, "2026-01-06"));
	assert_int_equal(cache_store_roster(fixture->cache, &key, &nobody, "1", 3000, &change), 0);
	cache_change_fini(&change);
	assert_false(is_kept(fixture, "2026-01-05") || is_kept(fixture, "2026-01-06"));
	assert_true(is_kept(fixture, "2026-01-07"));
	reopen(fixture);
	assert_int_equal(cache_keep_days_of(fixture->cache, "1", 4000), 0);
	assert_true(is_kept(fixture, "2026-01-07"));
	assert_int_equal(cache_keep_days_of(fixture->cache, ACCOUNT, 4000), 0);
	assert_false(is_kept(fixture, "2026-01-07"));
}

static void test_an_id_is_found_on_a_list_and_leaves_all_lists_when_it_is_absent(void **state)
{
	struct fixture *fixture = *state;
	struct key seven = make_key(KEY_ID, "7");
	struct key seventy = make_key(KEY_ID, "70");
	struct key phone = make_key(KEY_PHONE, "7");
	struct cache_change change;
	struct cache_key day;

	store_roster(fixture, "2026-01-05", "\n6\n7\n70\n", 1000);
	store_roster(fixture, "2026-01-06", "\n7\n", 1000);
	store_roster(fixture, "2026-01-07", "\n7\n8\n", 1000);
	store_roster(fixture, "2026-01-07", "\n8\n", 1100);
	assert_int_equal(cache_find_day_with(fixture->cache, &seventy, &day), 0);
	assert_string_equal(day.key.text, "2026-01-05");
	assert_int_equal(cache_store_absent(fixture->cache, &phone, 1500, &change), 0);
	assert_false(change.roster);
	cache_change_fini(&change);
	assert_int_equal(cache_store_absent(fixture->cache, &seven, 2000, &change), 0);
	assert_true(change.roster);
	assert_int_equal(change.key_count, 2);
	cache_change_fini(&change);
	assert_int_equal(cache_find_day_with(fixture->cache, &seven, &day), CACHE_NONE);
	assert_int_equal(assert_roster(fixture, "2026-01-05", "\n6\n-7\n70\n"), 2000);
	assert_int_equal(assert_roster(fixture, "2026-01-06", "\n-7\n"), 2000);
	assert_int_equal(assert_roster(fixture, "2026-01-07", "\n-7\n8\n"), 1100);
}

static void test_a_slot_that_is_reserved_is_the_keys_own_when_it_comes_and_never_again(void **state)
{
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_ID, "7");
	struct cache_key found;
	struct cache_change change;
	uint32_t other;
	uint32_t slot;

	assert_int_equal(cache_reserve(fixture->cache, &key, &slot), 0);
	assert_int_equal(cache_reserve(fixture->cache, &key, &other), 0);
	assert_int_equal(slot, other);
	assert_int_equal(cache_find_key(fixture->cache, &key, &found), CACHE_NONE);
	assert_int_equal(cache_read_reserved(fixture->cache, slot, &found), 0);
	assert_true(key_equal(&found.key, &key));
	assert_int_equal(cache_read_reserved(fixture->cache, slot + 1, &found), CACHE_NONE);

	store_roster(fixture, "2026-01-05", "\n7\n", 1000);
	store_id(fixture, "7", 2000);
	assert_int_equal(cache_find_key(fixture->cache, &key, &found), 0);
	assert_int_equal(found.slot, slot);
	assert_int_equal(cache_read_reserved(fixture->cache, slot, &found), CACHE_NONE);
	assert_int_equal(cache_forget_key(fixture->cache, &key, 3000, &change), 0);
	cache_change_fini(&change);
	assert_int_equal(cache_reserve(fixture->cache, &key, &other), 0);
	assert_true(other > slot);
	assert_int_equal(cache_forget_key(fixture->cache, &key, 4000, &change), CACHE_NONE);
	assert_int_equal(cache_read_reserved(fixture->cache, other, &found), CACHE_NONE);
}

static int store_vague(struct fixture *fixture, const char *date, const char *text)
{
	struct key key = make_key(KEY_DATE, date);
	struct roster roster = { 0 };
	struct cache_change change = { 0 };
	int r;

	assert_int_equal(roster_read(text, strlen(text), &roster), 0);
	roster.is_vague = true;
	r = cache_store_roster(fixture->cache, &key, &roster, ACCOUNT, 5000, &change);
	roster_fini(&roster);
	cache_change_fini(&change);
	return r;
}

static void test_a_vague_answer_is_known_as_one_and_takes_nobody_away(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(store_vague(fixture, "2026-01-05", "\n"), 0);
	reopen(fixture);
	assert_true(find_day(fixture, "2026-01-05").is_vague);
	assert_int_equal(store_vague(fixture, "2026-01-05", "\n7\n8\n"), 0);
	assert_true(find_day(fixture, "2026-01-05").is_vague);
	assert_int_equal(store_vague(fixture, "2026-01-05", "\n7\n"), CACHE_CONTRADICTED);
	assert_roster(fixture, "2026-01-05", "\n7\n8\n");
	/* A list may take everybody away, and is believed. */
	store_roster(fixture, "2026-01-05", "\n", 6000);
	assert_false(find_day(fixture, "2026-01-05").is_vague);
	assert_roster(fixture, "2026-01-05", "\n-7\n-8\n");
	assert_int_equal(store_vague(fixture, "2026-01-05", "\n"), 0);
}

static bool is_on_a_list(struct fixture *fixture, const char *id)
{
	struct key key = make_key(KEY_ID, id);
	struct cache_key day;
	int r = cache_find_day_with(fixture->cache, &key, &day);

	assert_true(r == 0 || r == CACHE_NONE);
	return r == 0;
}

/* Rows that were gone through since the last call. */
static int count_rows_scanned(struct fixture *fixture)
{
	int count = 0;

	for (int i = 0; i < STATEMENTS; i++)
		count += sqlite3_stmt_status(fixture->cache->statements[i],
		                             SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
	return count;
}

static void test_who_looks_for_an_id_does_not_go_through_all_lists(void **state)
{
	struct fixture *fixture = *state;
	char date[KEY_TEXT_MAX + 1];
	char ids[64];

	for (int day = 0; day < 280; day++) {
		snprintf(date, sizeof(date), "2025-%02d-%02d", day / 28 + 1, day % 28 + 1);
		snprintf(ids, sizeof(ids), "\n%d\n%d\n", 1000 + day, 2000 + day);
		store_roster(fixture, date, ids, 1000);
	}
	reopen(fixture);
	assert_true(is_on_a_list(fixture, "1000"));
	(void)count_rows_scanned(fixture);
	assert_true(is_on_a_list(fixture, "1279"));
	assert_true(is_on_a_list(fixture, "2140"));
	assert_false(is_on_a_list(fixture, "3000"));
	assert_false(is_on_a_list(fixture, "100"));
	assert_int_equal(count_rows_scanned(fixture), 0);
}

static void test_who_comes_to_a_list_and_leaves_it_is_found_while_on_it(void **state)
{
	struct fixture *fixture = *state;

	assert_false(is_on_a_list(fixture, "7"));
	store_roster(fixture, "2026-01-05", "\n7\n8\n", 1000);
	assert_true(is_on_a_list(fixture, "7"));
	store_roster(fixture, "2026-01-05", "\n8\n", 2000);
	assert_false(is_on_a_list(fixture, "7"));
	store_roster(fixture, "2026-01-06", "\n7\n", 3000);
	assert_true(is_on_a_list(fixture, "7"));
	store_roster(fixture, "2026-01-06", "\n", 4000);
	store_roster(fixture, "2026-01-05", "\n7\n8\n", 5000);
	assert_true(is_on_a_list(fixture, "7"));
	reopen(fixture);
	assert_true(is_on_a_list(fixture, "7"));
	assert_true(is_on_a_list(fixture, "8"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_day_is_kept_and_outlives_the_process),
		TEST(test_a_day_without_anybody_is_kept_as_well),
		TEST(test_a_vague_answer_is_known_as_one_and_takes_nobody_away),
		TEST(test_places_and_time_stay_unless_somebody_comes_or_goes),
		TEST(test_a_day_takes_no_customer_and_no_customer_a_day),
		TEST(test_forgetting_a_customer_takes_the_days_that_show_it),
		TEST(test_an_id_of_which_nothing_else_is_known_is_forgotten_too),
		TEST(test_a_day_is_forgotten_by_itself),
		TEST(test_a_day_that_nobody_asks_for_goes),
		TEST(test_that_an_account_is_known_shows_in_the_listing_of_days),
		in_a_cache(test_days_are_those_of_one_account),
		TEST(test_an_id_is_found_on_a_list_and_leaves_all_lists_when_it_is_absent),
		TEST(test_who_looks_for_an_id_does_not_go_through_all_lists),
		TEST(test_who_comes_to_a_list_and_leaves_it_is_found_while_on_it),
		TEST(test_a_slot_that_is_reserved_is_the_keys_own_when_it_comes_and_never_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
