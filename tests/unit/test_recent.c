/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/base/recent.h"

enum { MINUTE = 60 * 1000 };

static void assert_sum(const struct recent *recent, uint64_t now_ms, uint64_t all, uint64_t bad)
{
	struct recent_count sum = recent_sum(recent, now_ms);

	assert_int_equal(sum.all, all);
	assert_int_equal(sum.bad, bad);
}

static void test_events_count_for_five_minutes(void **state)
{
	struct recent recent = { 0 };

	(void)state;
	assert_sum(&recent, 123 * MINUTE, 0, 0);
	recent_add(&recent, 100 * MINUTE, true);
	recent_add(&recent, 100 * MINUTE + 59999, false);
	recent_add(&recent, 103 * MINUTE, true);
	assert_sum(&recent, 103 * MINUTE, 3, 2);
	assert_sum(&recent, 104 * MINUTE + 59999, 3, 2);
	assert_sum(&recent, 105 * MINUTE, 1, 1);
	assert_sum(&recent, 107 * MINUTE + 59999, 1, 1);
	assert_sum(&recent, 108 * MINUTE, 0, 0);
}

static void test_a_long_time_without_events_forgets_all(void **state)
{
	struct recent recent = { 0 };

	(void)state;
	for (uint64_t minute = 0; minute < 2 * RECENT_MINUTES; minute++)
		recent_add(&recent, minute * MINUTE, true);
	assert_sum(&recent, (2 * RECENT_MINUTES - 1) * MINUTE, RECENT_MINUTES, RECENT_MINUTES);
	recent_add(&recent, UINT64_C(1) << 50, false);
	assert_sum(&recent, UINT64_C(1) << 50, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_count_for_five_minutes),
		cmocka_unit_test(test_a_long_time_without_events_forgets_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
