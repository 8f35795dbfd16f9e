/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/store/freshness.h"

enum {
	TTL_MS = 300000,
	MAX_STALE_MS = 86400000,
};

static void assert_state(int64_t age_ms, enum freshness expected)
{
	const int64_t fetched_ms = INT64_C(1700000000000);

	assert_int_equal(freshness_at(fetched_ms + age_ms, fetched_ms, TTL_MS, MAX_STALE_MS),
	                 expected);
}

static void test_an_answer_is_fresh_until_its_ttl(void **state)
{
	(void)state;
	assert_state(0, FRESHNESS_FRESH);
	assert_state(TTL_MS - 1, FRESHNESS_FRESH);
	assert_state(TTL_MS, FRESHNESS_STALE);
}

static void test_a_stale_answer_dies_at_max_stale(void **state)
{
	(void)state;
	assert_state(TTL_MS + MAX_STALE_MS - 1, FRESHNESS_STALE);
	assert_state(TTL_MS + MAX_STALE_MS, FRESHNESS_DEAD);
	assert_state(INT64_C(1) << 50, FRESHNESS_DEAD);
}

static void test_an_answer_from_the_future_is_not_fresh(void **state)
{
	(void)state;
	assert_state(-1, FRESHNESS_STALE);
	assert_state(-(INT64_C(365) * 86400000), FRESHNESS_STALE);
}

static void test_without_ttl_nothing_is_fresh(void **state)
{
	(void)state;
	assert_int_equal(freshness_at(5, 5, 0, 10), FRESHNESS_STALE);
	assert_int_equal(freshness_at(5, 5, 0, 0), FRESHNESS_DEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_is_fresh_until_its_ttl),
		cmocka_unit_test(test_a_stale_answer_dies_at_max_stale),
		cmocka_unit_test(test_an_answer_from_the_future_is_not_fresh),
		cmocka_unit_test(test_without_ttl_nothing_is_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
