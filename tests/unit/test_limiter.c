/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kapturefs/store/limiter.h"

enum { START_MS = 5000000 };

static unsigned take_all(struct limiter *limiter, uint64_t now_ms)
{
	unsigned count = 0;

	while (limiter_take(limiter, now_ms))
		count++;
	return count;
}

static void test_after_a_quiet_time_a_burst_may_go_out_and_no_more(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 10000, 20, START_MS);
	assert_int_equal(limiter_budget(&limiter, START_MS), 20);
	assert_int_equal(take_all(&limiter, START_MS), 20);
	assert_int_equal(take_all(&limiter, START_MS + 3600000), 20);
	assert_int_equal(take_all(&limiter, START_MS + UINT32_MAX * UINT64_C(1000)), 20);
}

static void test_the_wait_is_exact(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 10000, 1, START_MS);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS), 0);
	assert_true(limiter_take(&limiter, START_MS));
	assert_int_equal(limiter_wait_ms(&limiter, START_MS), 100);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS + 99), 1);
	assert_false(limiter_take(&limiter, START_MS + 99));
	assert_int_equal(limiter_wait_ms(&limiter, START_MS + 100), 0);
	assert_true(limiter_take(&limiter, START_MS + 100));
}

static void test_a_rate_below_one_a_second_works(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 1, 1, START_MS);
	assert_true(limiter_take(&limiter, START_MS));
	assert_int_equal(limiter_wait_ms(&limiter, START_MS), 1000000);
	assert_false(limiter_take(&limiter, START_MS + 999999));
	assert_true(limiter_take(&limiter, START_MS + 1000000));
}

static void test_the_clock_may_stand_still(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 10000000, 2, 0);
	assert_int_equal(take_all(&limiter, 0), 2);
	assert_int_equal(take_all(&limiter, 0), 0);
	/* More than one a millisecond is possible. */
	assert_int_equal(take_all(&limiter, 1), 2);
}

static void test_a_complaint_halves_the_rate_for_a_minute(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 10000, 20, START_MS);
	limiter_penalise(&limiter, START_MS);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS), 200);
	/* What was saved up is gone, and grows at half the rate. */
	assert_int_equal(take_all(&limiter, START_MS + 1000), 5);
	assert_int_equal(take_all(&limiter, START_MS + 2000), 5);
	take_all(&limiter, START_MS + 60000);
	assert_int_equal(take_all(&limiter, START_MS + 61000), 10);
}

static void test_many_complaints_at_once_are_one(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 16000, 1, START_MS);
	for (int i = 0; i < 8; i++)
		limiter_penalise(&limiter, START_MS + (uint64_t)i);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS + 7), 125);
}

static void test_complaints_that_go_on_slow_down_to_a_sixteenth_which_wears_off(void **state)
{
	static const uint64_t waits[] = { 1000, 500, 250, 125, 63 };
	struct limiter limiter;
	uint64_t now_ms = START_MS;

	(void)state;
	limiter_init(&limiter, 16000, 1, START_MS);
	for (int i = 0; i < 10; i++) {
		now_ms += 1000;
		limiter_penalise(&limiter, now_ms);
	}
	for (size_t i = 0; i < array_length(waits); i++) {
		take_all(&limiter, now_ms);
		assert_int_equal(limiter_wait_ms(&limiter, now_ms), waits[i]);
		now_ms += 60000;
	}
}

static void test_whoever_waits_at_a_slow_rate_looks_again_when_it_is_faster(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 1, 1, START_MS);
	limiter_penalise(&limiter, START_MS);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS), 60000);
}

static void test_while_held_nothing_goes_out_and_then_one(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 10000, 20, START_MS);
	limiter_hold(&limiter, START_MS + 3000, START_MS);
	assert_int_equal(limiter_budget(&limiter, START_MS), 0);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS + 1), 2999);
	assert_int_equal(take_all(&limiter, START_MS + 2999), 0);
	assert_int_equal(take_all(&limiter, START_MS + 3000), 1);
	assert_int_equal(take_all(&limiter, START_MS + 3100), 1);
}

static void test_a_shorter_hold_does_not_shorten_a_longer_one(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 10000, 20, START_MS);
	limiter_hold(&limiter, START_MS + 3000, START_MS);
	limiter_hold(&limiter, START_MS + 1000, START_MS);
	limiter_hold(&limiter, START_MS, START_MS);
	assert_int_equal(limiter_wait_ms(&limiter, START_MS), 3000);
}

/* Numbers that look random and are the same in each run. */
static uint64_t roll(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

enum { TAKES_MAX = 4000 };

/* No window of time, of any length, holds more than the burst and what the rate gives. */
static void assert_within_limit(const uint64_t *taken_ms, size_t count, uint64_t rate,
                                uint64_t burst)
{
	for (size_t first = 0; first < count; first++) {
		for (size_t last = first; last < count; last++) {
			uint64_t window_ms = taken_ms[last] - taken_ms[first];

			assert_true((last - first + 1) * UINT64_C(1000000) <=
			            burst * UINT64_C(1000000) + window_ms * rate);
		}
	}
}

static void run_randomly(uint64_t seed)
{
	uint64_t *taken_ms = calloc(TAKES_MAX, sizeof(*taken_ms));
	uint64_t rate = 1 + roll(&seed, 50000);
	uint64_t burst = 1 + roll(&seed, 30);
	uint64_t now_ms = START_MS;
	struct limiter limiter;
	size_t count = 0;

	limiter_init(&limiter, rate, burst, now_ms);
	for (int step = 0; step < 1000 && count < TAKES_MAX - 100; step++) {
		uint64_t chance = roll(&seed, 100);

		if (chance < 60)
			now_ms += roll(&seed, 300);
		else if (chance < 62)
			now_ms += roll(&seed, 200000);
		else if (chance < 64)
			limiter_penalise(&limiter, now_ms);
		else if (chance < 65)
			limiter_hold(&limiter, now_ms + roll(&seed, 5000), now_ms);
		else if (chance < 80)
			now_ms += limiter_wait_ms(&limiter, now_ms);
		else if (limiter_take(&limiter, now_ms))
			taken_ms[count++] = now_ms;
	}
	assert_true(count > 10);
	assert_within_limit(taken_ms, count, rate, burst);
	free(taken_ms);
}

static void test_never_more_than_the_rate_and_the_burst_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++)
		run_randomly(seed);
}

/* Whoever waits as long as told, again and again, gets the full rate. */
static void test_waiting_as_told_loses_nothing_of_the_rate(void **state)
{
	struct limiter limiter;
	uint64_t now_ms = START_MS;

	(void)state;
	limiter_init(&limiter, 7300, 1, now_ms);
	for (int i = 0; i < 7300; i++) {
		now_ms += limiter_wait_ms(&limiter, now_ms);
		assert_true(limiter_take(&limiter, now_ms));
	}
	/* 7300 requests at 7.3 a second; a burst of one cannot save fractions of a ms. */
	assert_in_range(now_ms - START_MS, 999000, 1008000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_a_quiet_time_a_burst_may_go_out_and_no_more),
		cmocka_unit_test(test_the_wait_is_exact),
		cmocka_unit_test(test_a_rate_below_one_a_second_works),
		cmocka_unit_test(test_the_clock_may_stand_still),
		cmocka_unit_test(test_a_complaint_halves_the_rate_for_a_minute),
		cmocka_unit_test(test_many_complaints_at_once_are_one),
		cmocka_unit_test(
		        test_complaints_that_go_on_slow_down_to_a_sixteenth_which_wears_off),
		cmocka_unit_test(test_whoever_waits_at_a_slow_rate_looks_again_when_it_is_faster),
		cmocka_unit_test(test_while_held_nothing_goes_out_and_then_one),
		cmocka_unit_test(test_a_shorter_hold_does_not_shorten_a_longer_one),
		cmocka_unit_test(test_never_more_than_the_rate_and_the_burst_whatever_happens),
		cmocka_unit_test(test_waiting_as_told_loses_nothing_of_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
