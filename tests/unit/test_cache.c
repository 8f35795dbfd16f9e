/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

static void test_a_customer_found_by_phone_is_known_by_id(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct cache_key by_phone;
	struct cache_key by_id;
	struct cache_change change = store(fixture, &phone, "42", "Asha", 1000);

	assert_true(change.listing[KEY_ID]);
	assert_true(change.listing[KEY_PHONE]);
	assert_false(change.listing[KEY_EMAIL]);
	assert_int_equal(change.customer.keys, 2);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &by_phone), 0);
	assert_int_equal(cache_find_key(fixture->cache, &id, &by_id), 0);
	assert_int_equal(by_phone.customer, by_id.customer);
	assert_int_not_equal(by_phone.slot, by_id.slot);
	assert_int_equal(by_id.fetched_ms, 1000);
	cache_change_fini(&change);
}

static void test_slots_ordinals_and_times_survive_reopening(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "42");
	struct cache_customer before;
	struct cache_customer after;
	struct cache_customer brief;
	struct cache_key key_before;
	struct cache_key key_after;

	store_and_drop(fixture, &id, "42", "Asha", 1000);
	store_and_drop(fixture, &id, "42", "Bina", 2000);
	assert_int_equal(cache_find_key(fixture->cache, &id, &key_before), 0);
	assert_int_equal(cache_read_customer(fixture->cache, key_before.customer, &before), 0);
	reopen(fixture);
	assert_int_equal(cache_find_key(fixture->cache, &id, &key_after), 0);
	assert_int_equal(key_after.slot, key_before.slot);
	assert_int_equal(key_after.customer, key_before.customer);
	assert_int_equal(cache_read_customer(fixture->cache, key_after.customer, &after), 0);
	assert_int_equal(cache_peek_customer(fixture->cache, key_after.customer, &brief), 0);
	assert_null(brief.record);
	assert_int_equal(brief.changed_ms, 2000);

	assert_int_equal(record_member_count(after.record), record_member_count(before.record));
	for (uint32_t i = 0; i < record_member_count(after.record); i++) {
		const struct member *left = record_member(before.record, i);
		const struct member *right = record_member(after.record, i);

		assert_string_equal(left->name, right->name);
		assert_int_equal(left->ordinal, right->ordinal);
		assert_int_equal(left->changed_ms, right->changed_ms);
	}
	record_unref(before.record);
	record_unref(after.record);
}

static void test_a_text_that_says_the_same_in_other_words_changes_nothing(void **state)
{
	static const char *const texts[] = { "{\"id\":42,\"name\":\"Ash\\u0061\"}",
		                             "{\"name\":\"Asha\", \"id\":42}" };
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "42");
	struct cache_change change;
	struct record *record;
	size_t length;

	for (size_t i = 0; i < array_length(texts); i++) {
		assert_int_equal(payload_read_customer(texts[i], strlen(texts[i]), &record), 0);
		assert_int_equal(cache_store(fixture->cache, &id, record, 1000 + (int64_t)i,
		                             &change),
		                 0);
		assert_int_equal(change.values, i == 0);
		assert_memory_equal(record_json(change.customer.record, &length), texts[0],
		                    strlen(texts[0]));
		cache_change_fini(&change);
		record_unref(record);
	}
}

static void test_only_a_changed_value_changes_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "42");
	struct cache_change change;
	const struct record *record;
	const struct member *root;

	store_and_drop(fixture, &id, "42", "Asha", 1000);
	change = store(fixture, &id, "42", "Asha", 2000);
	assert_false(change.values);
	assert_int_equal(record_member(change.customer.record, 0)->changed_ms, 1000);
	cache_change_fini(&change);

	change = store(fixture, &id, "42", "Bina", 3000);
	record = change.customer.record;
	root = record_member(record, 0);
	assert_true(change.values);
	assert_int_equal(root->changed_ms, 3000);
	assert_int_equal(record_child(record, root, "name", 4)->changed_ms, 3000);
	assert_int_equal(record_child(record, root, "id", 2)->changed_ms, 1000);
	cache_change_fini(&change);
}

static void test_a_key_that_moves_becomes_another_key(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct cache_key before;
	struct cache_key after;

	store_and_drop(fixture, &phone, "42", "Asha", 1000);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &before), 0);
	store_and_drop(fixture, &phone, "43", "Bina", 2000);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &after), 0);
	assert_int_not_equal(after.slot, before.slot);
	assert_int_not_equal(after.customer, before.customer);
	assert_int_equal(cache_read_key(fixture->cache, before.slot, &before), CACHE_NONE);
}

static void test_an_absence_is_kept_until_the_key_leads_somewhere(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct cache_change change;
	struct cache_key found;
	int64_t fetched_ms;

	assert_int_equal(cache_store_absent(fixture->cache, &phone, 1000, &change), 0);
	cache_change_fini(&change);
	assert_false(change.listing[KEY_PHONE]);
	assert_int_equal(cache_find_absent(fixture->cache, &phone, &fetched_ms), 0);
	assert_int_equal(fetched_ms, 1000);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), CACHE_NONE);

	store_and_drop(fixture, &phone, "42", "Asha", 2000);
	assert_int_equal(cache_find_absent(fixture->cache, &phone, &fetched_ms), CACHE_NONE);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), 0);
}

static void test_a_customer_absent_by_id_is_gone_by_every_key(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct cache_customer customer;
	struct cache_change change;
	struct cache_key found;

	store_and_drop(fixture, &phone, "42", "Asha", 1000);
	assert_int_equal(cache_find_key(fixture->cache, &id, &found), 0);
	assert_int_equal(cache_store_absent(fixture->cache, &id, 2000, &change), 0);
	assert_true(change.listing[KEY_ID]);
	assert_true(change.listing[KEY_PHONE]);
	assert_int_equal(change.customer.slot, found.customer);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), CACHE_NONE);
	assert_int_equal(cache_read_customer(fixture->cache, change.customer.slot, &customer),
	                 CACHE_NONE);
	cache_change_fini(&change);
}

static void test_the_time_of_a_listing_moves_only_when_a_key_comes_or_goes(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "42");
	struct key other = make_key(KEY_ID, "43");

	store_and_drop(fixture, &id, "42", "Asha", 5000);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_ID), 5000);
	store_and_drop(fixture, &id, "42", "Bina", 6000);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_ID), 5000);
	/* Also when the clock was set back. */
	store_and_drop(fixture, &other, "43", "Chitra", 4000);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_ID), 5001);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_PHONE), 0);
	reopen(fixture);
	assert_int_equal(cache_listing_changed_ms(fixture->cache, KEY_ID), 5001);
}

static void test_keys_are_listed_by_slot(void **state)
{
	struct fixture *fixture = *state;
	static const char *const ids[] = { "30", "10", "20" };
	struct listed all;
	struct listed rest;

	for (size_t i = 0; i < array_length(ids); i++) {
		struct key id = make_key(KEY_ID, ids[i]);

		store_and_drop(fixture, &id, ids[i], "x", 1000);
	}
	all = list(fixture, KEY_ID, 0, 8);
	assert_int_equal(all.count, 3);
	for (size_t i = 0; i < array_length(ids); i++)
		assert_string_equal(all.keys[i].key.text, ids[i]);
	assert_int_equal(list(fixture, KEY_EMAIL, 0, 8).count, 0);

	/* In pieces, as a directory is read. */
	assert_int_equal(list(fixture, KEY_ID, 0, 2).count, 2);
	rest = list(fixture, KEY_ID, all.keys[1].slot, 8);
	assert_int_equal(rest.count, 1);
	assert_int_equal(rest.keys[0].slot, all.keys[2].slot);
}

static void test_an_answer_of_another_account_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "42");
	struct key other = make_key(KEY_ID, "43");
	struct record *record = make_customer("43", "999", "Foreign");
	struct cache_change change;
	struct cache_key found;

	store_and_drop(fixture, &id, "42", "Asha", 1000);
	assert_string_equal(cache_account(fixture->cache), ACCOUNT);
	assert_int_equal(cache_store(fixture->cache, &other, record, 2000, &change), -EPROTO);
	assert_int_equal(cache_find_key(fixture->cache, &other, &found), CACHE_NONE);
	reopen(fixture);
	assert_string_equal(cache_account(fixture->cache), ACCOUNT);
	assert_int_equal(cache_store(fixture->cache, &other, record, 2000, &change), -EPROTO);
	record_unref(record);
}

static void test_a_cache_of_another_source_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct cache *cache;

	cache_close(steal(&fixture->cache));
	assert_int_equal(cache_open(fixture->path, "https://other.kapturecrm.com", &cache),
	                 CACHE_OTHER_OWNER);
	reopen(fixture);
}

/* Whatever is done at the start is done with a million customers, too. */
static void test_opening_goes_through_no_table(void **state)
{
	enum { CUSTOMERS = 200, STEPS_MAX = 8 };
	struct fixture *fixture = *state;
	char text[16];

	for (int i = 1; i <= CUSTOMERS; i++) {
		struct key id;

		snprintf(text, sizeof(text), "%d", i);
		id = make_key(KEY_ID, text);
		store_and_drop(fixture, &id, text, "Asha", 1000);
	}
	reopen(fixture);
	for (int i = 0; i < STATEMENTS; i++)
		assert_in_range(sqlite3_stmt_status(fixture->cache->statements[i],
		                                    SQLITE_STMTSTATUS_FULLSCAN_STEP, 0),
		                0, STEPS_MAX);
}

/* A page that need not be read is what a look-up among many is made of. */
static void test_a_key_is_found_in_the_index_alone(void **state)
{
	struct fixture *fixture = *state;
	const char *find = sqlite3_sql(fixture->cache->statements[FIND_KEY]);
	sqlite3_stmt *statement;
	char explain[256];

	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", find);
	assert_int_equal(sqlite3_prepare_v2(fixture->cache->database, explain, -1, &statement,
	                                    NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_non_null(
	        strstr((const char *)sqlite3_column_text(statement, 3), "COVERING INDEX key_hash"));
	sqlite3_finalize(statement);
}

static void test_a_cache_begun_with_an_index_of_hashes_alone_is_right(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct cache_change change;
	struct cache_key found;

	assert_int_equal(database_run(fixture->cache->database,
	                              "DROP INDEX key_hash; CREATE INDEX key_hash ON key (hash)"),
	                 0);
	store_and_drop(fixture, &phone, "42", "Asha", 1000);
	reopen(fixture);
	store_and_drop(fixture, &phone, "42", "Asha", 2000);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), 0);
	assert_int_equal(found.fetched_ms, 2000);
	assert_int_equal(cache_forget(fixture->cache, found.customer, 3000, &change), 0);
	cache_change_fini(&change);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), CACHE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_a_customer_found_by_phone_is_known_by_id),
		in_a_cache(test_slots_ordinals_and_times_survive_reopening),
		in_a_cache(test_opening_goes_through_no_table),
		in_a_cache(test_a_text_that_says_the_same_in_other_words_changes_nothing),
		in_a_cache(test_only_a_changed_value_changes_its_time),
		in_a_cache(test_a_key_that_moves_becomes_another_key),
		in_a_cache(test_an_absence_is_kept_until_the_key_leads_somewhere),
		in_a_cache(test_a_customer_absent_by_id_is_gone_by_every_key),
		in_a_cache(test_the_time_of_a_listing_moves_only_when_a_key_comes_or_goes),
		in_a_cache(test_keys_are_listed_by_slot),
		in_a_cache(test_a_key_is_found_in_the_index_alone),
		in_a_cache(test_a_cache_begun_with_an_index_of_hashes_alone_is_right),
		in_a_cache(test_an_answer_of_another_account_changes_nothing),
		in_a_cache(test_a_cache_of_another_source_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
