/* SPDX-License-Identifier: MIT */
/* Whoever is not looked at for some words would not have been found. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sieved.h"

static void test_all_are_found_who_would_be_by_looking_at_all(void **state)
{
	struct dice dice = { 1 };
	struct cache *cache = sieved(state, &dice);
	static const char *const asked[] = {
		"a",        "1",      "an",  "ab",   "12", "123",  "1234",   "5678901234",
		"sen",      "@",      "-",   ".a",   "a-", "\xe9", "\u00e9", "\xe5\xbc",
		"\xbc\xa0", "\u5f20", "a b", "an 1", "x",  "xy",   "nobody", "aneb\u00e9rs",
		"\xff",     "a\xff",  "+9",  "b.",   "/b", "@@",   "a@",     "@a",
		"a.b",      "sen@b",  "a.@", "-1/",
	};

	for (size_t i = 0; i < array_length(asked); i++)
		search_and_judge(cache, asked[i]);
	judge_some(cache, &dice, 3 * SEARCHES);
}

/* What the statement has done since it was last asked, in SQLite's steps. */
static int steps_of(sqlite3_stmt *statement)
{
	return sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void test_who_cannot_match_is_not_looked_at(void **state)
{
	struct dice dice = { 2 };
	struct cache *cache = sieved(state, &dice);
	sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	int all;

	/* Nobody behind the groups. */
	run(cache, "BEGIN; DELETE FROM words WHERE customer >="
	           " (SELECT max(part) / 2048 FROM sieve WHERE part & 2047 = 0); COMMIT");
	run(cache, "DELETE FROM sieve WHERE part >="
	           " (SELECT max(part) / 2048 * 2048 FROM sieve WHERE part & 2047 = 0)");
	(void)steps_of(statement);
	cache_search_free(search_for(cache, "\xff"));
	all = steps_of(statement);
	cache_search_free(search_for(cache, "zqx"));
	assert_true(steps_of(statement) < all / 50);
	cache_search_free(search_for(cache, "4711 0815"));
	assert_true(steps_of(statement) < all / 10);
	/* Enough are found before. */
	cache_search_free(search_for(cache, "a"));
	assert_true(steps_of(statement) < all * 9 / 10);
}

/* Many have the name, and few an address with it. */
static void test_who_has_a_word_is_told_from_who_has_an_address_with_it(void **state)
{
	struct dice dice = { 17 };
	struct cache *cache = filled(state, &dice);

	run(cache, "BEGIN");
	for (unsigned i = 0; i < 100; i++)
		name(cache, somebody(cache, &dice), "zqx kqw vhy");
	name(cache, somebody(cache, &dice), "sen@vhy.xyz");
	run(cache, "COMMIT");
	sweep(cache);
	assert_true(best_bound(cache, "zqx ") > 0);
	assert_int_equal(best_bound(cache, "zqx@"), 0);
	assert_int_equal(best_bound(cache, "@kqw"), 0);
	search_and_judge(cache, "@vhy");
	search_and_judge(cache, "sen@");
	search_and_judge(cache, "sen@vhy");
}

static void test_who_has_changed_is_found_by_the_new_words_only(void **state)
{
	struct dice dice = { 3 };
	struct fixture *fixture = *state;
	struct cache *cache = sieved(state, &dice);

	run(cache, "BEGIN");
	change_some(cache, &dice, 800);
	add_some(cache, &dice, 500);
	run(cache, "COMMIT");
	assert_true(count_unsieved(cache) > 500);
	judge_some(cache, &dice, SEARCHES);
	reopen(fixture);
	judge_some(fixture->cache, &dice, SEARCHES);
	sweep(fixture->cache);
	judge_some(fixture->cache, &dice, SEARCHES);
}

static void test_the_same_words_are_no_change(void **state)
{
	struct dice dice = { 4 };
	struct cache *cache = sieved(state, &dice);
	uint32_t slot = somebody(cache, &dice);

	name(cache, slot, "Asha Rao");
	assert_int_equal(count_unsieved(cache), 1);
	run(cache, "DELETE FROM unsieved");
	name(cache, slot, "Asha Rao");
	assert_int_equal(count_unsieved(cache), 0);
}

static void test_when_many_have_changed_their_bits_are_made_anew(void **state)
{
	struct dice dice = { 5 };
	struct cache *cache = sieved(state, &dice);

	run(cache, "BEGIN");
	for (unsigned i = 0; i < 6 * SIEVE_CHANGED_MAX; i++)
		name_by_chance(cache, somebody(cache, &dice), &dice);
	run(cache, "COMMIT");
	assert_true(count_unsieved(cache) > SIEVE_CHANGED_MAX);
	sweep(cache);
	assert_true(count_unsieved(cache) <= SIEVE_CHANGED_MAX);
	assert_true(count_unsieved(cache) > 0);
	judge_some(cache, &dice, SEARCHES);
}

static void test_who_changes_while_bits_are_made_is_found(void **state)
{
	struct dice dice = { 6 };
	struct cache *cache = filled(state, &dice);

	while (sweep_once(cache) == CACHE_MORE) {
		run(cache, "BEGIN");
		change_some(cache, &dice, 3);
		if (roll(&dice, 4) == 0)
			add_some(cache, &dice, 2);
		run(cache, "COMMIT");
		if (roll(&dice, 12) == 0)
			judge_some(cache, &dice, 1);
	}
	assert_true(count_groups(cache) >= 2);
	judge_some(cache, &dice, SEARCHES);
}

static void test_a_search_goes_on_while_bits_are_made(void **state)
{
	struct dice dice = { 7 };
	struct cache *cache = sieved(state, &dice);
	char words[TEXT_SIZE];

	for (unsigned i = 0; i < SEARCHES / 2; i++) {
		struct cache_search *search;

		/* Some are found in what changes, and the whole first group is made anew. */
		run(cache, "BEGIN");
		change_some(cache, &dice, 20);
		run(cache, "COMMIT; UPDATE unsieved SET stale = 2 WHERE stale = 1");
		cache->sieve.is_due = true;
		make_question(cache, &dice, words);
		assert_int_equal(cache_search_new(cache, 0, words, &search), 0);
		do {
			for (uint64_t left = roll(&dice, 200); left; left--)
				(void)sweep_once(cache);
		} while (cache_search_step(cache, search) == CACHE_MORE);
		judge(cache, search, words);
		cache_search_free(search);
		sweep(cache);
	}
}

static void test_the_newest_join_the_last_group_while_there_is_room(void **state)
{
	struct fixture *fixture = *state;
	struct cache *cache = fixture->cache;
	uint32_t slot = SLOT_FIRST;

	for (unsigned round = 0; round < 3; round++) {
		run(cache, "PRAGMA synchronous = OFF; BEGIN");
		for (unsigned i = 0; i <= SIEVE_UNCOVERED_MAX; i++)
			name(cache, slot++, i ? "Asha Rao" : "Folake Osaka");
		run(cache, "COMMIT");
		sweep(cache);
		assert_int_equal(count_groups(cache), 1);
		assert_int_equal(cache->sieve.end, slot);
		search_and_judge(cache, "folake");
	}
}

static void test_while_parts_are_written_they_are_not_read(void **state)
{
	struct dice dice = { 15 };
	struct cache *cache = sieved(state, &dice);

	run(cache, "BEGIN");
	change_some(cache, &dice, 20);
	run(cache, "COMMIT; UPDATE unsieved SET stale = 2 WHERE stale = 1");
	cache->sieve.is_due = true;
	do
		assert_int_equal(sweep_once(cache), CACHE_MORE);
	while (cache->sieve.build.part < SIEVE_PARTS / 2);
	judge_some(cache, &dice, SEARCHES);
	assert_int_equal(counter_value(&cache->metrics.damaged_rows), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_all_are_found_who_would_be_by_looking_at_all),
		in_a_cache(test_who_cannot_match_is_not_looked_at),
		in_a_cache(test_who_has_a_word_is_told_from_who_has_an_address_with_it),
		in_a_cache(test_who_has_changed_is_found_by_the_new_words_only),
		in_a_cache(test_the_same_words_are_no_change),
		in_a_cache(test_when_many_have_changed_their_bits_are_made_anew),
		in_a_cache(test_who_changes_while_bits_are_made_is_found),
		in_a_cache(test_a_search_goes_on_while_bits_are_made),
		in_a_cache(test_the_newest_join_the_last_group_while_there_is_room),
		in_a_cache(test_while_parts_are_written_they_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
