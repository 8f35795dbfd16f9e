/* SPDX-License-Identifier: MIT */
/* Slots of keys that are not kept: of those that were evicted, and of ids on a day's list. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

enum { LAST = 1 << 16 };

static void evict(struct fixture *fixture)
{
	struct cache_change change;

	assert_int_equal(cache_make_room(fixture->cache, 2000, &change), 0);
	cache_change_fini(&change);
}

static struct cache_reserved reserved(struct fixture *fixture, const struct key *key)
{
	struct cache_reserved reserved = { 0 };

	(void)!cache_find_reserved(fixture->cache, key, &reserved);
	return reserved;
}

static void test_an_evicted_key_keeps_its_slot_until_it_leads_to_the_same_again(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "7");
	struct cache_key found;
	uint32_t slots[2];

	store_and_drop(fixture, &phone, "7", "Asha", 1000);
	slots[0] = slot_of(fixture, &id);
	slots[1] = slot_of(fixture, &phone);
	assert_int_equal(reserved(fixture, &phone).slot, 0);
	evict(fixture);
	assert_int_equal(reserved(fixture, &id).slot, slots[0]);
	assert_int_equal(reserved(fixture, &phone).slot, slots[1]);
	assert_int_equal(reserved(fixture, &phone).changed_ms, 1000);
	assert_true(reserved(fixture, &phone).is_evicted);
	assert_int_equal(cache_read_reserved(fixture->cache, slots[1], &found), 0);
	assert_true(key_equal(&found.key, &phone));
	assert_int_equal(found.customer, 0);

	store_id(fixture, "7", 3000);
	assert_int_equal(slot_of(fixture, &id), slots[0]);
	assert_int_equal(reserved(fixture, &id).slot, 0);
	assert_int_equal(cache_read_reserved(fixture->cache, slots[0], &found), CACHE_NONE);
	assert_int_equal(reserved(fixture, &phone).slot, slots[1]);
	store_and_drop(fixture, &phone, "7", "Asha", 4000);
	assert_int_equal(slot_of(fixture, &phone), slots[1]);
}

static void test_no_member_has_the_ordinal_of_another_from_before(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "7");
	uint32_t next_ordinal = 0;

	for (int round = 0; round < 3; round++) {
		struct cache_change change = store(fixture, &id, "7", "Asha", 1000 + round);
		const struct record *record = change.customer.record;
		const struct member *member;

		assert_int_equal(record_member(record, 0)->ordinal, 0);
		for (uint32_t i = 1; (member = record_member(record, i)); i++) {
			assert_true(member->ordinal >= next_ordinal);
			assert_ptr_equal(record_by_ordinal(record, member->ordinal), member);
		}
		next_ordinal = record_next_ordinal(record);
		cache_change_fini(&change);
		reopen(fixture);
		store_and_drop(fixture, &id, "7", "Bela", 1100 + round);
		evict(fixture);
	}
}

static void test_a_key_that_comes_to_lead_to_another_has_another_slot(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	uint32_t slot;

	store_and_drop(fixture, &phone, "7", "Asha", 1000);
	slot = slot_of(fixture, &phone);
	evict(fixture);
	store_and_drop(fixture, &phone, "8", "Bela", 3000);
	assert_int_not_equal(slot_of(fixture, &phone), slot);
	assert_int_equal(reserved(fixture, &phone).slot, 0);
}

/* ... who is younger then than anything that was seen under that key. */
static void test_who_gets_the_key_of_somebody_evicted_is_as_young_as_that(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "8");
	struct cache_change change;

	store_and_drop(fixture, &phone, "7", "Asha", 1000);
	store_and_drop(fixture, &id, "8", "Bela", 1500);
	evict(fixture);
	assert_true(reserved(fixture, &phone).is_evicted);
	change = store(fixture, &phone, "8", "Bela", 3000);
	assert_true(change.times);
	assert_int_equal(change.customer.changed_ms, 3000);
	cache_change_fini(&change);
	change = store(fixture, &phone, "8", "Bela", 4000);
	assert_false(change.times);
	assert_int_equal(change.customer.changed_ms, 3000);
	cache_change_fini(&change);
}

/* Who comes back is not another. */
static void test_who_comes_back_under_all_keys_is_as_young_as_his_first_answer(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct cache_change change;

	store_and_drop(fixture, &phone, "7", "Asha", 1000);
	evict(fixture);
	store_id(fixture, "7", 2000);
	change = store(fixture, &phone, "7", "Asha", 3000);
	assert_int_equal(change.customer.changed_ms, 2000);
	cache_change_fini(&change);
}

static void test_a_key_whose_absence_was_answered_has_no_slot(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key email = make_key(KEY_EMAIL, "asha@example.com");
	struct key id = make_key(KEY_ID, "7");

	store_and_drop(fixture, &phone, "7", "Asha", 1000);
	store_and_drop(fixture, &email, "7", "Asha", 1000);
	evict(fixture);
	store_absent(fixture, &email, 3000);
	assert_int_equal(reserved(fixture, &email).slot, 0);
	assert_int_not_equal(reserved(fixture, &phone).slot, 0);
	/* The id is the customer. */
	store_absent(fixture, &id, 3000);
	assert_int_equal(reserved(fixture, &phone).slot, 0);
}

static void test_who_is_forgotten_has_no_slot_under_any_key(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "7");
	struct key other = make_key(KEY_ID, "8");
	struct cache_change change;

	store_and_drop(fixture, &phone, "7", "Asha", 1000);
	store_id(fixture, "8", 1000);
	evict(fixture);
	evict(fixture);
	assert_int_equal(cache_forget_key(fixture->cache, &phone, 3000, &change), 0);
	assert_int_equal(change.key_count, 2);
	assert_true(change.has_gone);
	cache_change_fini(&change);
	assert_int_equal(reserved(fixture, &phone).slot, 0);
	assert_int_equal(reserved(fixture, &id).slot, 0);
	assert_int_not_equal(reserved(fixture, &other).slot, 0);

	/* Nor does one who came back under another key. */
	store_and_drop(fixture, &phone, "7", "Asha", 4000);
	evict(fixture);
	store_id(fixture, "7", 5000);
	assert_int_not_equal(reserved(fixture, &phone).slot, 0);
	assert_int_equal(cache_forget_key(fixture->cache, &id, 6000, &change), 0);
	cache_change_fini(&change);
	assert_int_equal(reserved(fixture, &phone).slot, 0);
	assert_int_equal(cache_forget_key(fixture->cache, &phone, 7000, &change), CACHE_NONE);
}

static void test_whom_nobody_has_asked_for_in_a_long_time_leaves_no_slot(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "7");
	struct cache_change change;

	store_id(fixture, "7", 1000);
	cache_limit(fixture->cache, &(struct cache_limits){ 1 << 30, 86400 * 1000, 0 });
	do {
		assert_true(cache_sweep(fixture->cache, INT64_C(90000) * 1000, &change) >= 0);
		cache_change_fini(&change);
	} while (knows(fixture, &id));
	assert_int_equal(reserved(fixture, &id).slot, 0);
}

static void evict_key(struct fixture *fixture, const struct key *key, uint32_t slot)
{
	struct cache_key keys[] = { { .key = *key, .slot = slot } };
	const struct cache_evicted evicted = { .id = "7", .keys = keys, .key_count = 1 };

	cache_reserve_evicted(fixture->cache, &evicted);
}

static struct key numbered(uint32_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%u", number);
	return make_key(KEY_ID, text);
}

static void test_it_is_the_last_65536(void **state)
{
	struct fixture *fixture = *state;
	struct cache_key found;
	struct key key;

	for (uint32_t number = 1; number <= 2 * LAST + 5; number++) {
		key = numbered(number);
		evict_key(fixture, &key, number);
	}
	for (uint32_t number = 1; number <= 2 * LAST + 5; number++) {
		bool is_there = number > LAST + 5;

		key = numbered(number);
		assert_int_equal(reserved(fixture, &key).slot, is_there ? number : 0);
		assert_int_equal(cache_read_reserved(fixture->cache, number, &found),
		                 is_there ? 0 : CACHE_NONE);
	}
}

/* As long as addresses may be, in as much memory as there is for them. */
static void test_fewer_long_keys_are_kept(void **state)
{
	struct fixture *fixture = *state;
	uint32_t there = 0;

	for (int look = 0; look < 2; look++) {
		for (uint32_t number = 1; number <= LAST; number++) {
			char text[KEY_TEXT_MAX + 1];
			struct key key;

			snprintf(text, sizeof(text), "%0240u@example.com", number);
			key = make_key(KEY_EMAIL, text);
			if (look)
				there += reserved(fixture, &key).slot == number;
			else
				evict_key(fixture, &key, number);
			assert_true(number < LAST || reserved(fixture, &key).slot == number);
		}
	}
	assert_in_range(there, 15000, 16000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_an_evicted_key_keeps_its_slot_until_it_leads_to_the_same_again),
		in_a_cache(test_no_member_has_the_ordinal_of_another_from_before),
		in_a_cache(test_a_key_that_comes_to_lead_to_another_has_another_slot),
		in_a_cache(test_who_gets_the_key_of_somebody_evicted_is_as_young_as_that),
		in_a_cache(test_who_comes_back_under_all_keys_is_as_young_as_his_first_answer),
		in_a_cache(test_a_key_whose_absence_was_answered_has_no_slot),
		in_a_cache(test_who_is_forgotten_has_no_slot_under_any_key),
		in_a_cache(test_whom_nobody_has_asked_for_in_a_long_time_leaves_no_slot),
		in_a_cache(test_it_is_the_last_65536),
		in_a_cache(test_fewer_long_keys_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
