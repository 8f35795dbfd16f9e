/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_read_after_a_listing_counts_once),
		cmocka_unit_test(test_read_without_a_listing_does_not_count),
		cmocka_unit_test(test_directories_of_neighbours_do_not_push_each_other_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
