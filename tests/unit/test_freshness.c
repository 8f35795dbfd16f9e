/* SPDX-License-Identifier: MIT */

#include <errno.h>
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
	assert_state(-(MAX_STALE_MS - 1), FRESHNESS_STALE);
}

static void test_an_answer_from_far_in_the_future_is_not_kept_alive_by_it(void **state)
{
	(void)state;
	assert_state(-MAX_STALE_MS, FRESHNESS_DEAD);
	assert_state(-(INT64_C(365) * 86400000), FRESHNESS_DEAD);
	assert_int_equal(freshness_at(INT64_MIN, INT64_MAX, TTL_MS, MAX_STALE_MS), FRESHNESS_DEAD);
	assert_int_equal(freshness_at(INT64_MAX, INT64_MIN, TTL_MS, MAX_STALE_MS), FRESHNESS_DEAD);
}

static void test_without_ttl_nothing_is_fresh(void **state)
{
	(void)state;
	assert_int_equal(freshness_at(5, 5, 0, 10), FRESHNESS_STALE);
	assert_int_equal(freshness_at(5, 5, 0, 0), FRESHNESS_DEAD);
}

static const struct freshness_rules usual = {
	.ttl_ms = 100,
	.negative_ttl_ms = 50,
	.max_stale_ms = 1000,
};

/* The first look: nobody has waited yet. */
static void test_what_a_lookup_does_first(void **state)
{
	static const struct {
		enum freshness_known known;
		int64_t age_ms;
		int expected;
		int expected_offline;
	} table[] = {
		{ FRESHNESS_OF_NOTHING, 0, FRESHNESS_ASK, -ENETDOWN },
		{ FRESHNESS_OF_CUSTOMER, 0, FRESHNESS_SERVE, FRESHNESS_SERVE },
		{ FRESHNESS_OF_CUSTOMER, 99, FRESHNESS_SERVE, FRESHNESS_SERVE },
		{ FRESHNESS_OF_CUSTOMER, 100, FRESHNESS_ASK, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, 1099, FRESHNESS_ASK, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, 1100, FRESHNESS_ASK, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, INT64_C(1) << 40, FRESHNESS_ASK, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, -1, FRESHNESS_ASK, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_ABSENCE, 0, FRESHNESS_SERVE_ABSENT, FRESHNESS_SERVE_ABSENT },
		{ FRESHNESS_OF_ABSENCE, 49, FRESHNESS_SERVE_ABSENT, FRESHNESS_SERVE_ABSENT },
		{ FRESHNESS_OF_ABSENCE, 50, FRESHNESS_ASK, FRESHNESS_SERVE_ABSENT },
		{ FRESHNESS_OF_ABSENCE, -1, FRESHNESS_ASK, FRESHNESS_SERVE_ABSENT },
	};

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		struct freshness_rules offline = usual;
		const struct freshness_case known = {
			.known = table[i].known,
			.fetched_ms = 5000,
			.now_ms = 5000 + table[i].age_ms,
			.asked_ms = 5000,
		};

		offline.offline = true;
		assert_int_equal(freshness_decide(&usual, &known), table[i].expected);
		assert_int_equal(freshness_decide(&offline, &known), table[i].expected_offline);
	}
}

/* The second look, after waiting in vain. */
static void test_what_a_lookup_does_when_there_is_no_new_answer(void **state)
{
	static const struct {
		enum freshness_known known;
		int64_t age_ms;
		int error;
		bool may_pass;
		bool is_refused;
		int expected;
	} table[] = {
		/* What is there makes up for what is not definite, and for nothing else. */
		{ FRESHNESS_OF_NOTHING, 0, -EIO, true, false, -EIO },
		{ FRESHNESS_OF_CUSTOMER, 100, -EIO, true, false, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, 1099, -EBUSY, true, false, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, 1100, -EBUSY, true, false, -EBUSY },
		{ FRESHNESS_OF_CUSTOMER, -1, -EIO, true, false, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, -1000, -EIO, true, false, -EIO },
		/* That there was nobody is no answer to whether there is. */
		{ FRESHNESS_OF_ABSENCE, 50, -ETIMEDOUT, true, false, -ETIMEDOUT },
		{ FRESHNESS_OF_CUSTOMER, 100, -EPROTO, true, false, FRESHNESS_SERVE_STALE },
		{ FRESHNESS_OF_CUSTOMER, 100, -EACCES, true, false, FRESHNESS_SERVE_STALE },
		/* A definite one is told. */
		{ FRESHNESS_OF_CUSTOMER, 100, -EACCES, false, false, -EACCES },
		{ FRESHNESS_OF_CUSTOMER, 100, -EACCES, false, true, -EACCES },
		/*
		 * Past its ttl nothing is served once the token was refused, whatever else
		 * fails.
		 */
		{ FRESHNESS_OF_CUSTOMER, 100, -ETIMEDOUT, true, true, -EACCES },
		{ FRESHNESS_OF_CUSTOMER, 99, -ETIMEDOUT, true, true, FRESHNESS_SERVE },
		/* Answered, and still nothing known: not even that there is nobody. */
		{ FRESHNESS_OF_NOTHING, 0, 0, false, false, -EIO },
		{ FRESHNESS_OF_CUSTOMER, 100, 0, false, false, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		const struct freshness_case known = {
			.known = table[i].known,
			.fetched_ms = 5000,
			.now_ms = 5000 + table[i].age_ms,
			.asked_ms = 5000 + table[i].age_ms,
			.waited = true,
			.error = table[i].error,
			.may_pass = table[i].may_pass,
			.is_refused = table[i].is_refused,
		};

		assert_int_equal(freshness_decide(&usual, &known), table[i].expected);
	}
}

static void test_an_answer_given_while_waiting_is_fresh_whatever_its_ttl(void **state)
{
	const struct freshness_rules none = { .max_stale_ms = 1000 };
	struct freshness_case known = {
		.known = FRESHNESS_OF_CUSTOMER,
		.fetched_ms = 5000,
		.now_ms = 6000,
		.asked_ms = 5000,
		.waited = true,
	};

	(void)state;
	assert_int_equal(freshness_decide(&none, &known), FRESHNESS_SERVE);
	known.known = FRESHNESS_OF_ABSENCE;
	assert_int_equal(freshness_decide(&none, &known), FRESHNESS_SERVE_ABSENT);
	known.waited = false;
	assert_int_equal(freshness_decide(&none, &known), FRESHNESS_ASK);
}

/* The clock tells milliseconds apart, and no more. */
static void test_what_was_known_when_a_lookup_came_is_no_answer_to_one_that_failed(void **state)
{
	const struct freshness_rules none = { .max_stale_ms = 1000 };
	struct freshness_case known = {
		.known = FRESHNESS_OF_CUSTOMER,
		.fetched_ms = 5000,
		.now_ms = 5000,
		.asked_ms = 5000,
		.waited = true,
		.error = -EACCES,
	};

	(void)state;
	assert_int_equal(freshness_decide(&none, &known), -EACCES);
	known.may_pass = true;
	assert_int_equal(freshness_decide(&none, &known), FRESHNESS_SERVE_STALE);
	known.known = FRESHNESS_OF_ABSENCE;
	assert_int_equal(freshness_decide(&none, &known), -EACCES);
	/* Another question was answered meanwhile. */
	known.fetched_ms = known.now_ms = 5001;
	assert_int_equal(freshness_decide(&none, &known), FRESHNESS_SERVE_ABSENT);
}

static void test_a_day_that_was_over_everywhere_stays_fresh_for_a_month(void **state)
{
	const int64_t hour_ms = 3600000;
	const int64_t over_ms = 48 * hour_ms + 12 * hour_ms; /* of day 1, in the last zone */

	(void)state;
	assert_int_equal(freshness_ttl_of_day(1, over_ms - 1, TTL_MS), TTL_MS);
	assert_int_equal(freshness_ttl_of_day(1, over_ms, TTL_MS), UINT64_C(30) * 24 * 3600000);
	assert_int_equal(freshness_ttl_of_day(1, over_ms, UINT64_MAX), UINT64_MAX);
	assert_int_equal(freshness_ttl_of_day(1, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_day_that_was_over_everywhere_stays_fresh_for_a_month),
		cmocka_unit_test(test_an_answer_is_fresh_until_its_ttl),
		cmocka_unit_test(test_a_stale_answer_dies_at_max_stale),
		cmocka_unit_test(test_an_answer_from_the_future_is_not_fresh),
		cmocka_unit_test(test_an_answer_from_far_in_the_future_is_not_kept_alive_by_it),
		cmocka_unit_test(test_without_ttl_nothing_is_fresh),
		cmocka_unit_test(test_what_a_lookup_does_first),
		cmocka_unit_test(test_what_a_lookup_does_when_there_is_no_new_answer),
		cmocka_unit_test(test_an_answer_given_while_waiting_is_fresh_whatever_its_ttl),
		cmocka_unit_test(
		        test_what_was_known_when_a_lookup_came_is_no_answer_to_one_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
