/* SPDX-License-Identifier: MIT */
/* Who is found by which words, and in which order. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caches.h"
#include "damage.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

enum { MANY = 10000 }; /* more than a step goes through */

static uint32_t store_with(struct fixture *fixture, const char *id, const char *members)
{
	struct key key = make_key(KEY_ID, id);
	struct record *record;
	struct cache_change change;
	char json[1024];

	snprintf(json, sizeof(json), "{\"id\":%s,\"cmId\":" ACCOUNT ",%s}", id, members);
	assert_int_equal(payload_read_customer(json, strlen(json), &record), 0);
	assert_int_equal(cache_store(fixture->cache, &key, record, 1000, &change), 0);
	record_unref(record);
	cache_change_fini(&change);
	return change.customer.slot;
}

static struct cache_search *search_for(struct fixture *fixture, const char *words)
{
	struct cache_search *search;
	int r;

	assert_int_equal(cache_search_new(fixture->cache, 0, words, &search), 0);
	while ((r = cache_search_step(fixture->cache, search)) == CACHE_MORE)
		;
	assert_int_equal(r, 0);
	return search;
}

/* The ids of those found, each with a blank behind it. */
static const char *found(struct fixture *fixture, const char *words)
{
	static char ids[256];
	struct cache_search *search = search_for(fixture, words);
	struct cache_key id;
	size_t count;
	const uint32_t *slots = cache_search_found(search, &count);

	*ids = '\0';
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(cache_find_id(fixture->cache, slots[i], &id), 0);
		assert_int_equal(cache_search_matches(fixture->cache, search, slots[i]), 1);
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s ", id.key.text);
	}
	cache_search_free(search);
	return ids;
}

static void test_all_words_must_occur_wherever_they_are(void **state)
{
	store_with(*state, "7", "\"name\":\"Asha Rao\",\"city\":\"Mumbai\"");
	store_with(*state, "8", "\"name\":\"Asha Patel\",\"remarks\":\"moved to Mumbai\"");
	store_with(*state, "9", "\"name\":\"Asha Rao\",\"city\":\"Pune\"");
	assert_string_equal(found(*state, "asha mumbai"), "7 8 ");
	assert_string_equal(found(*state, "mumbai asha rao"), "7 ");
	assert_string_equal(found(*state, "delhi"), "");
}

static void test_parts_of_words_and_numbers_are_found(void **state)
{
	store_with(*state, "7",
	           "\"name\":\"Venkataraman\",\"customerCode\":\"C-0815/x\","
	           "\"contacts\":[{\"id\":1,\"phone\":\"+91 98450-12345\","
	           "\"email\":\"first.last@example.com\",\"contactPerson\":\"Lakshmi\"}]");
	assert_string_equal(found(*state, "katar"), "7 ");
	assert_string_equal(found(*state, "012345"), "7 ");
	assert_string_equal(found(*state, "+91 (98450) 12345"), "7 ");
	assert_string_equal(found(*state, "12345"), "7 ");
	assert_string_equal(found(*state, "last@exam"), "7 ");
	assert_string_equal(found(*state, "lakshmi 0815"), "7 ");
}

static void test_case_and_accents_do_not_matter(void **state)
{
	store_with(*state, "7", "\"name\":\"Jos\\u00e9 NU\\u00d1EZ\"");
	assert_string_equal(found(*state, "jose nunez"), "7 ");
	assert_string_equal(found(*state, "JOS\u00c9 Nu\u00f1ez"), "7 ");
}

static void test_words_do_not_span_values_and_other_members_are_not_searched(void **state)
{
	store_with(*state, "7",
	           "\"name\":\"Asha\",\"city\":\"Rao\",\"website\":\"hidden.example\"");
	assert_string_equal(found(*state, "asharao"), "");
	assert_string_equal(found(*state, "hidden"), "");
}

static void test_without_words_nobody_is_found(void **state)
{
	store_with(*state, "7", "\"name\":\"a b c d e f g h i j k l m n o p q r\"");
	assert_string_equal(found(*state, ""), "");
	assert_string_equal(found(*state, "   "), "");
	assert_string_equal(found(*state, "a b c d e f g h i j k l m n o p q"), "");
	assert_string_equal(found(*state, "a b"), "7 ");
}

static void test_the_best_come_first(void **state)
{
	store_with(*state, "1", "\"name\":\"Maharao\"");
	store_with(*state, "2", "\"name\":\"Raoul\"");
	store_with(*state, "3", "\"name\":\"Asha\",\"remarks\":\"rao\"");
	store_with(*state, "4", "\"name\":\"Rao\"");
	assert_string_equal(found(*state, "rao"), "4 3 2 1 ");
}

static void test_of_many_the_best_are_found(void **state)
{
	struct fixture *fixture = *state;
	struct cache_search *search;
	char id[16];
	size_t count;

	assert_int_equal(database_run(fixture->cache->database, "PRAGMA synchronous = OFF"), 0);
	for (uint32_t i = 1; i <= MANY; i++) {
		snprintf(id, sizeof(id), "%u", i);
		store_with(fixture, id, i % 5000 ? "\"name\":\"Maharao\"" : "\"name\":\"Rao\"");
	}
	search = search_for(fixture, "rao");
	cache_search_found(search, &count);
	assert_int_equal(count, SEARCH_FOUND_MAX);
	cache_search_free(search);
	assert_memory_equal(found(fixture, "rao"), "5000 10000 1 2 3 ",
	                    strlen("5000 10000 1 2 3 "));
}

static void test_a_search_goes_out_of_date(void **state)
{
	struct fixture *fixture = *state;
	struct cache_search *search;

	store_with(fixture, "7", "\"name\":\"Asha\"");
	search = search_for(fixture, "asha");
	store_with(fixture, "7", "\"name\":\"Asha\"");
	assert_true(cache_search_is_of(search, "asha"));
	assert_false(cache_search_is_of(search, "rao"));
	store_with(fixture, "7", "\"name\":\"Rao\"");
	assert_false(cache_search_is_of(search, "asha"));
	assert_string_equal(found(fixture, "asha"), "");
	assert_string_equal(found(fixture, "rao"), "7 ");
	cache_search_free(search);
}

static void drop(struct fixture *fixture, const char *id)
{
	struct key key = make_key(KEY_ID, id);

	store_absent(fixture, &key, 2000);
}

static void test_who_is_not_found_leaves_a_search_as_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct cache_search *search;

	store_with(fixture, "7", "\"name\":\"Asha Rao\"");
	search = search_for(fixture, "asha rao");
	store_with(fixture, "8", "\"name\":\"Asha\"");
	store_with(fixture, "8", "\"name\":\"Bela\"");
	store_with(fixture, "7", "\"name\":\"Asha Rao\",\"maxCreditAmt\":1.0");
	drop(fixture, "8");
	assert_true(cache_search_is_of(search, "asha rao"));
	store_with(fixture, "8", "\"name\":\"Rao Asha\"");
	assert_false(cache_search_is_of(search, "asha rao"));
	cache_search_free(search);

	search = search_for(fixture, "asha rao");
	drop(fixture, "8");
	assert_false(cache_search_is_of(search, "asha rao"));
	cache_search_free(search);
}

/* Of the ways in which words can be read, each counts. */
static void test_a_search_is_out_of_date_by_any_way_of_reading_it(void **state)
{
	struct fixture *fixture = *state;
	struct cache_search *search;

	store_with(fixture, "7", "\"name\":\"Flat 938-049-1326\"");
	search = search_for(fixture, "938-049-1326");
	assert_true(cache_search_is_of(search, "938-049-1326"));
	store_with(fixture, "8", "\"phone\":\"9380491326\"");
	assert_false(cache_search_is_of(search, "938-049-1326"));
	cache_search_free(search);
}

static bool is_in_files(const struct fixture *fixture, const char *text)
{
	char log[128];
	struct bytes file = read_file(fixture->path);
	struct bytes wal;
	bool is_there;

	snprintf(log, sizeof(log), "%s-wal", fixture->path);
	wal = read_file(log);
	is_there = memmem(file.data, file.length, text, strlen(text)) ||
	           (wal.data && memmem(wal.data, wal.length, text, strlen(text)));
	free(file.data);
	free(wal.data);
	return is_there;
}

static void test_what_is_forgotten_is_not_found_and_leaves_no_byte(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	uint32_t slot = store_with(fixture, "7", "\"name\":\"Qwertzuiop\"");

	store_with(fixture, "8", "\"name\":\"Asha\"");
	reopen(fixture);
	assert_true(is_in_files(fixture, "qwertzuiop"));
	assert_int_equal(cache_forget(fixture->cache, slot, 2000, &change), 0);
	cache_change_fini(&change);
	assert_string_equal(found(fixture, "qwertz"), "");
	assert_false(is_in_files(fixture, "qwertzuiop"));
	assert_false(is_in_files(fixture, "Qwertzuiop"));
}

static void test_a_file_of_an_earlier_version_gets_its_words(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	unsigned steps = 0;

	fill(fixture);
	store_with(fixture, "7", "\"name\":\"Qwertzuiop\"");
	assert_int_equal(
	        database_run(fixture->cache->database,
	                     "DELETE FROM words; DELETE FROM property WHERE name = 'words'"),
	        0);
	reopen(fixture);
	assert_string_equal(found(fixture, "qwertz"), "");
	while (cache_sweep(fixture->cache, 2000, &change) == CACHE_MORE) {
		cache_change_fini(&change);
		steps++;
	}
	assert_true(steps > 10);
	assert_string_equal(found(fixture, "qwertz"), "7 ");
	reopen(fixture);
	assert_int_equal(fixture->cache->words_from, 0);
}

static void test_words_that_an_earlier_version_folded_otherwise_are_folded_again(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;

	store_with(fixture, "7", "\"name\":\"ΆΝΝΑ\"");
	assert_int_equal(database_run(fixture->cache->database,
	                              "UPDATE words SET text = CAST('άννα' AS BLOB)"),
	                 0);
	assert_int_equal(rows_write_property(fixture->cache, "words", "1"), 0);
	assert_string_equal(found(fixture, "αννα"), "");
	reopen(fixture);
	while (cache_sweep(fixture->cache, 2000, &change) == CACHE_MORE)
		cache_change_fini(&change);
	assert_string_equal(found(fixture, "αννα"), "7 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_all_words_must_occur_wherever_they_are),
		in_a_cache(test_parts_of_words_and_numbers_are_found),
		in_a_cache(test_case_and_accents_do_not_matter),
		in_a_cache(test_words_do_not_span_values_and_other_members_are_not_searched),
		in_a_cache(test_without_words_nobody_is_found),
		in_a_cache(test_the_best_come_first),
		in_a_cache(test_of_many_the_best_are_found),
		in_a_cache(test_a_search_goes_out_of_date),
		in_a_cache(test_who_is_not_found_leaves_a_search_as_it_is),
		in_a_cache(test_a_search_is_out_of_date_by_any_way_of_reading_it),
		in_a_cache(test_a_file_of_an_earlier_version_gets_its_words),
		in_a_cache(test_words_that_an_earlier_version_folded_otherwise_are_folded_again),
		in_a_cache(test_what_is_forgotten_is_not_found_and_leaves_no_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
