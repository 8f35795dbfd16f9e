/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "kapturefs/base/clock.h"

#define START_MS INT64_C(1700000000000)
#define YEAR_MS  (INT64_C(365) * 86400000)

/* A clock that began at START_MS, 1000 ms after boot. */
static struct wallclock begin(void)
{
	struct wallclock clock;

	wallclock_init(&clock);
	clock.ahead_ms = START_MS - 1000;
	return clock;
}

static void test_it_follows_the_systems_clock(void **state)
{
	struct wallclock clock = begin();

	(void)state;
	assert_int_equal(wallclock_advance(&clock, START_MS, 1000), START_MS);
	assert_int_equal(wallclock_advance(&clock, START_MS + 7, 1007), START_MS + 7);
}

static void test_set_back_it_goes_on_as_before(void **state)
{
	struct wallclock clock = begin();

	(void)state;
	assert_int_equal(wallclock_advance(&clock, START_MS - YEAR_MS, 1005), START_MS + 5);
	assert_int_equal(wallclock_advance(&clock, START_MS - YEAR_MS + 60000, 61005),
	                 START_MS + 60005);
}

static void test_set_ahead_it_follows(void **state)
{
	struct wallclock clock = begin();

	(void)state;
	assert_int_equal(wallclock_advance(&clock, START_MS + YEAR_MS, 1000), START_MS + YEAR_MS);
	assert_int_equal(wallclock_advance(&clock, START_MS + YEAR_MS + 3, 1003),
	                 START_MS + YEAR_MS + 3);
}

static void test_set_ahead_and_right_again_it_does_not_go_back(void **state)
{
	struct wallclock clock = begin();
	int64_t ahead_ms = wallclock_advance(&clock, START_MS + YEAR_MS, 1000);

	(void)state;
	assert_int_equal(wallclock_advance(&clock, START_MS + 5, 1005), ahead_ms + 5);
}

static void test_it_begins_with_the_systems_time(void **state)
{
	int64_t before_ms = (int64_t)time(NULL) * 1000;
	struct wallclock clock;
	int64_t now_ms;

	(void)state;
	wallclock_init(&clock);
	now_ms = wallclock_now_ms(&clock);
	/* time() may tell the second before for as long as a tick. */
	assert_in_range(now_ms, before_ms, ((int64_t)time(NULL) + 2) * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_follows_the_systems_clock),
		cmocka_unit_test(test_set_back_it_goes_on_as_before),
		cmocka_unit_test(test_set_ahead_it_follows),
		cmocka_unit_test(test_set_ahead_and_right_again_it_does_not_go_back),
		cmocka_unit_test(test_it_begins_with_the_systems_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
