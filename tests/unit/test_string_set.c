/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/string_set.h"

enum { MANY = 1000 };

static uint32_t add(struct string_set *set, const char *string, int expected)
{
	uint32_t place = UINT32_MAX;

	assert_int_equal(string_set_add(set, string, strlen(string), &place), expected);
	return place;
}

static void fill(struct string_set *set)
{
	char string[16];

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(string, sizeof(string), "%u", i);
		assert_int_equal(add(set, string, 0), i);
	}
}

static void test_nothing_is_in_an_empty_set(void **state)
{
	struct string_set set = { 0 };
	uint32_t place;

	(void)state;
	assert_false(string_set_find(&set, "", 0, &place));
	string_set_cut(&set, 0);
	string_set_fini(&set);
}

static void test_a_string_keeps_its_place(void **state)
{
	struct string_set set = { 0 };

	(void)state;
	fill(&set);
	assert_int_equal(add(&set, "7", STRING_SET_KNOWN), 7);
	assert_int_equal(add(&set, "", 0), MANY);
	assert_int_equal(add(&set, "", STRING_SET_KNOWN), MANY);
	assert_string_equal(string_set_at(&set, 999), "999");
	string_set_fini(&set);
	assert_int_equal(set.count, 0);
}

static void test_the_beginning_of_a_string_is_another(void **state)
{
	struct string_set set = { 0 };
	uint32_t place;

	(void)state;
	assert_int_equal(add(&set, "phone", 0), 0);
	assert_int_equal(string_set_add(&set, "phone", 3, &place), 0);
	assert_int_equal(place, 1);
	assert_string_equal(string_set_at(&set, 1), "pho");
	string_set_fini(&set);
}

static void test_what_is_cut_off_is_unknown_and_can_be_added_again(void **state)
{
	struct string_set set = { 0 };
	uint32_t place;

	(void)state;
	fill(&set);
	string_set_cut(&set, 10);
	assert_int_equal(set.count, 10);
	assert_true(string_set_find(&set, "9", 1, &place));
	assert_false(string_set_find(&set, "10", 2, &place));
	assert_int_equal(add(&set, "999", 0), 10);
	assert_string_equal(string_set_at(&set, 9), "9");
	string_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_in_an_empty_set),
		cmocka_unit_test(test_a_string_keeps_its_place),
		cmocka_unit_test(test_the_beginning_of_a_string_is_another),
		cmocka_unit_test(test_what_is_cut_off_is_unknown_and_can_be_added_again),
	};

	return cmocka_run_group_tests_name("string_set", tests, NULL, NULL);
}
