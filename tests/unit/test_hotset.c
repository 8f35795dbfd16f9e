/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "customers.h"
#include "kapturefs/store/hotset.h"

static void put(struct hotset *hotset, uint32_t slot, const char *name)
{
	struct cache_customer customer = { .slot = slot, .record = make_customer("7", "1", name) };

	hotset_put(hotset, &customer);
	record_unref(customer.record);
}

static bool has(struct hotset *hotset, uint32_t slot)
{
	struct cache_customer customer;

	if (!hotset_find(hotset, slot, &customer))
		return false;
	assert_int_equal(customer.slot, slot);
	record_unref(customer.record);
	return true;
}

static size_t footprint(void)
{
	struct record *record = make_customer("7", "1", "a");
	size_t size = record_footprint(record);

	record_unref(record);
	return size;
}

static void test_the_least_recently_used_is_dropped_beyond_the_limit(void **state)
{
	struct hotset *hotset;

	(void)state;
	assert_int_equal(hotset_new(2 * footprint(), &hotset), 0);
	put(hotset, 1, "a");
	put(hotset, 2, "b");
	assert_true(has(hotset, 1));
	put(hotset, 3, "c");
	assert_true(has(hotset, 1));
	assert_false(has(hotset, 2));
	assert_true(has(hotset, 3));
	assert_int_equal(hotset_size(hotset), 2 * footprint());
	hotset_free(hotset);
}

static void test_a_slot_is_kept_once(void **state)
{
	struct cache_customer customer;
	struct hotset *hotset;

	(void)state;
	assert_int_equal(hotset_new(1 << 20, &hotset), 0);
	put(hotset, 1, "old");
	put(hotset, 1, "new");
	assert_true(hotset_find(hotset, 1, &customer));
	assert_string_equal(name_of(customer.record), "new\n");
	record_unref(customer.record);
	hotset_remove(hotset, 1);
	assert_false(has(hotset, 1));
	assert_int_equal(hotset_size(hotset), 0);
	hotset_free(hotset);
}

static void test_a_found_record_outlives_the_set(void **state)
{
	struct cache_customer customer;
	struct hotset *hotset;

	(void)state;
	assert_int_equal(hotset_new(1 << 20, &hotset), 0);
	put(hotset, 5, "kept");
	assert_true(hotset_find(hotset, 5, &customer));
	hotset_free(hotset);
	assert_string_equal(name_of(customer.record), "kept\n");
	record_unref(customer.record);
}

static void test_the_newest_stays_whatever_its_size(void **state)
{
	const size_t sizes[] = { 0, 1, footprint() - 1 };
	struct hotset *hotset;

	(void)state;
	for (size_t i = 0; i < array_length(sizes); i++) {
		assert_int_equal(hotset_new(sizes[i], &hotset), 0);
		put(hotset, 1, "a");
		assert_true(has(hotset, 1));
		put(hotset, 2, "b");
		assert_false(has(hotset, 1));
		assert_true(has(hotset, 2));
		assert_int_equal(hotset_size(hotset), footprint());
		hotset_free(hotset);
	}
}

static void test_the_newest_is_dropped_when_another_comes(void **state)
{
	struct hotset *hotset;
	char name[200];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(hotset_new(footprint(), &hotset), 0);
	put(hotset, 1, "a");
	put(hotset, 2, name);
	assert_true(has(hotset, 2));
	assert_true(hotset_size(hotset) > footprint());
	put(hotset, 3, "c");
	assert_false(has(hotset, 2));
	assert_true(has(hotset, 3));
	assert_int_equal(hotset_size(hotset), footprint());
	hotset_free(hotset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_least_recently_used_is_dropped_beyond_the_limit),
		cmocka_unit_test(test_a_slot_is_kept_once),
		cmocka_unit_test(test_a_found_record_outlives_the_set),
		cmocka_unit_test(test_the_newest_stays_whatever_its_size),
		cmocka_unit_test(test_the_newest_is_dropped_when_another_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
