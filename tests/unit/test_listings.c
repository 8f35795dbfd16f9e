/* SPDX-License-Identifier: MIT */
/* Which listings the kernel is told to drop, with a kernel and a clock of the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "told_kernel.h"
#include "kapturefs/fs/listings.h"
#include "kapturefs/model/node.h"

static void note_told(void *userdata)
{
	atomic_uint *told = userdata;

	atomic_fetch_add(told, 1);
}

static atomic_uint told;

static struct listings *begin_listings(void)
{
	struct listings *listings;

	atomic_store(&told, 0);
	assert_int_equal(listings_new(&listings), 0);
	assert_int_equal(listings_start(listings, NULL, note_told, &told), 0);
	return listings;
}

static void end_listings(struct listings *listings)
{
	listings_stop(listings);
	while (!listings_have_ended(listings))
		wait_a_moment();
	listings_free(listings);
}

static uint64_t drop_listing(struct listings *listings, uint64_t directory, uint64_t now_ms)
{
	uint64_t drop;

	assert_int_equal(listings_drop(listings, directory, now_ms, &drop), 0);
	while (!listings_have_dropped(listings, drop))
		wait_a_moment();
	return drop;
}

static void test_a_listing_is_dropped_once_and_only_where_there_is_one(void **state)
{
	struct listings *listings = begin_listings();

	(void)state;
	assert_int_equal(drop_listing(listings, 8, 5000), 0);
	listings_add(listings, 8, 1000);
	assert_int_equal(drop_listing(listings, 9, 5000), 0);
	assert_int_equal(drop_of(8), -1);
	assert_int_not_equal(drop_listing(listings, 8, 5000), 0);
	assert_int_not_equal(drop_of(8), -1);
	assert_int_equal(drop_listing(listings, 8, 5001), 0);
	listings_add(listings, 8, 6000);
	assert_int_not_equal(drop_listing(listings, 8, 9000), 0);
	end_listings(listings);
	assert_int_equal(atomic_load(&told), 2);
}

/* The kernel may put it by only after it was told to drop it. */
static void test_a_listing_that_was_given_a_moment_ago_is_dropped_again(void **state)
{
	struct listings *listings = begin_listings();
	uint64_t first;

	(void)state;
	listings_add(listings, 8, 5000);
	first = drop_listing(listings, 8, 5500);
	assert_int_not_equal(first, 0);
	assert_true(drop_listing(listings, 8, 5000 + LISTINGS_YOUNG_MS - 1) > first);
	assert_true(drop_listing(listings, 8, 5000 + LISTINGS_YOUNG_MS) > first + 1);
	assert_int_equal(drop_listing(listings, 8, 5000 + LISTINGS_YOUNG_MS), 0);
	end_listings(listings);
}

static void test_whoever_asks_while_a_listing_is_dropped_waits_for_that(void **state)
{
	struct listings *listings = begin_listings();
	uint64_t first;
	uint64_t second;

	(void)state;
	hold(true);
	listings_add(listings, 8, 1000);
	assert_int_equal(listings_drop(listings, 8, 5000, &first), 0);
	wait_until_held();
	assert_int_equal(listings_drop(listings, 8, 5001, &second), 0);
	assert_int_equal(first, second);
	assert_false(listings_have_dropped(listings, second));
	hold(false);
	end_listings(listings);
}

static void test_of_more_listings_than_have_a_place_none_is_overlooked(void **state)
{
	enum { MANY = 200000 };
	struct listings *listings = begin_listings();

	(void)state;
	for (uint64_t i = 1; i <= MANY; i++)
		listings_add(listings, node_pack(node_of(NODE_DIRECTORY, (uint32_t)i, 3)), 1000);
	for (uint64_t i = 1; i <= MANY; i += MANY / 500) {
		uint64_t directory = node_pack(node_of(NODE_DIRECTORY, (uint32_t)i, 3));

		assert_int_not_equal(drop_listing(listings, directory, 5000), 0);
		assert_int_not_equal(drop_of(directory), -1);
	}
	end_listings(listings);
}

static int forget_calls(void **state)
{
	(void)state;
	kernel.count = 0;
	return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, forget_calls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_listing_is_dropped_once_and_only_where_there_is_one),
		TEST(test_a_listing_that_was_given_a_moment_ago_is_dropped_again),
		TEST(test_whoever_asks_while_a_listing_is_dropped_waits_for_that),
		TEST(test_of_more_listings_than_have_a_place_none_is_overlooked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
