/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/fs/readahead.h"
#include "kapturefs/model/node.h"

static uint64_t directory(uint32_t customer, uint32_t ordinal)
{
	return node_pack(node_of(NODE_FIELD, customer, ordinal));
}

static void test_first_read_after_a_listing_counts_once(void **state)
{
	struct readahead readahead = { 0 };

	(void)state;
	readahead_listed(&readahead, directory(7, 0));
	assert_true(readahead_is_first_read(&readahead, directory(7, 0)));
	assert_false(readahead_is_first_read(&readahead, directory(7, 0)));
	readahead_listed(&readahead, directory(7, 0));
	assert_true(readahead_is_first_read(&readahead, directory(7, 0)));
}

static void test_read_without_a_listing_does_not_count(void **state)
{
	struct readahead readahead = { 0 };

	(void)state;
	readahead_listed(&readahead, directory(7, 0));
	assert_false(readahead_is_first_read(&readahead, directory(7, 1)));
	assert_false(readahead_is_first_read(&readahead, directory(8, 0)));
}

static void test_directories_of_neighbours_do_not_push_each_other_out(void **state)
{
	struct readahead readahead = { 0 };

	(void)state;
	for (uint32_t customer = 1; customer <= 8; customer++) {
		for (uint32_t ordinal = 0; ordinal < 8; ordinal++)
			readahead_listed(&readahead, directory(customer, ordinal * 8));
	}
	assert_true(readahead_is_first_read(&readahead, directory(8, 0)));
	assert_true(readahead_is_first_read(&readahead, directory(8, 56)));
}

/* A directory that is listed, and whose first value is asked for unless it was read ahead. */
static bool is_expected(struct readahead *readahead, uint32_t customer, bool is_read)
{
	uint64_t node = node_pack(node_of(NODE_DIRECTORY, customer, 0));
	uint64_t value = directory(customer, 1);

	readahead_listed_as(readahead, node, value);
	if (readahead_ended(readahead, node) == value)
		return true;
	if (is_read)
		readahead_seen(readahead);
	return false;
}

static void test_reads_are_expected_after_a_long_streak_and_tested_now_and_then(void **state)
{
	struct readahead readahead = { 0 };
	uint32_t customer = 1;

	(void)state;
	for (int i = 0; i < READAHEAD_STREAK; i++)
		assert_false(is_expected(&readahead, customer++, true));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < READAHEAD_EXPECTED; i++)
			assert_true(is_expected(&readahead, customer++, true));
		assert_false(is_expected(&readahead, customer++, true));
	}
}

static void test_listings_without_reads_end_a_streak(void **state)
{
	struct readahead readahead = { 0 };
	uint32_t customer = 1;

	(void)state;
	for (int i = 0; i < READAHEAD_STREAK - 1; i++)
		assert_false(is_expected(&readahead, customer++, true));
	for (int i = 0; i <= READAHEAD_UNREAD; i++)
		assert_false(is_expected(&readahead, customer++, false));
	for (int i = 0; i < READAHEAD_STREAK; i++)
		assert_false(is_expected(&readahead, customer++, true));
	assert_true(is_expected(&readahead, customer++, true));
}

static void test_only_the_directory_listed_last_is_expected_to_be_read(void **state)
{
	struct readahead readahead = { 0 };

	(void)state;
	for (uint32_t i = 1; i <= READAHEAD_STREAK; i++)
		assert_false(is_expected(&readahead, i, true));
	readahead_listed_as(&readahead, 1, 10);
	readahead_listed_as(&readahead, 2, 20);
	assert_int_equal(readahead_ended(&readahead, 1), 0);
	assert_int_equal(readahead_ended(&readahead, 2), 20);
	assert_int_equal(readahead_ended(&readahead, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_read_after_a_listing_counts_once),
		cmocka_unit_test(test_read_without_a_listing_does_not_count),
		cmocka_unit_test(test_directories_of_neighbours_do_not_push_each_other_out),
		cmocka_unit_test(
		        test_reads_are_expected_after_a_long_streak_and_tested_now_and_then),
		cmocka_unit_test(test_listings_without_reads_end_a_streak),
		cmocka_unit_test(test_only_the_directory_listed_last_is_expected_to_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
