/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "customers.h"
#include "kapturefs/store/breaker.h"

enum { START_MS = 1000, APART_MS = 5000 };

static struct breaker begin(void)
{
	struct breaker breaker;

	breaker_init(&breaker, APART_MS);
	return breaker;
}

static bool fail_key(struct breaker *breaker, const char *id, int error, uint64_t now_ms)
{
	const struct key key = make_key(KEY_ID, id);

	return breaker_fail(breaker, &key, error, now_ms);
}

static struct breaker begin_open(void)
{
	struct breaker breaker = begin();

	fail_key(&breaker, "1", -EIO, START_MS);
	fail_key(&breaker, "2", -EIO, START_MS);
	fail_key(&breaker, "3", -EIO, START_MS);
	return breaker;
}

static void test_it_opens_when_three_different_keys_fail_in_a_row(void **state)
{
	struct breaker breaker = begin();

	(void)state;
	assert_false(fail_key(&breaker, "1", -EIO, START_MS));
	assert_false(fail_key(&breaker, "2", -EIO, START_MS));
	assert_int_equal(breaker_check(&breaker, START_MS), 0);
	assert_true(fail_key(&breaker, "3", -EHOSTUNREACH, START_MS));
	assert_int_equal(breaker_check(&breaker, START_MS), -EHOSTUNREACH);
	assert_int_equal(breaker_state(&breaker), BREAKER_OPEN);
}

static void test_one_key_alone_or_two_never_open_it(void **state)
{
	struct breaker breaker = begin();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(fail_key(&breaker, i % 3 ? "1" : "2", -EIO, START_MS));
	assert_int_equal(breaker_state(&breaker), BREAKER_CLOSED);
	/* In a row means that nothing succeeds between them, not that none comes twice. */
	assert_true(fail_key(&breaker, "3", -EIO, START_MS));
}

static void test_keys_of_different_kinds_are_different(void **state)
{
	const struct key keys[] = {
		make_key(KEY_ID, "20260105"),
		make_key(KEY_PHONE, "20260105"),
		make_key(KEY_DATE, "2026-01-05"),
	};
	struct breaker breaker = begin();

	(void)state;
	assert_false(breaker_fail(&breaker, &keys[0], -EIO, START_MS));
	assert_false(breaker_fail(&breaker, &keys[1], -EIO, START_MS));
	assert_true(breaker_fail(&breaker, &keys[2], -EIO, START_MS));
}

static void test_a_success_in_between_begins_the_row_anew(void **state)
{
	struct breaker breaker = begin();

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_false(fail_key(&breaker, "1", -EIO, START_MS));
		assert_false(fail_key(&breaker, "2", -EIO, START_MS));
		assert_false(breaker_succeed(&breaker));
	}
	assert_int_equal(breaker_state(&breaker), BREAKER_CLOSED);
}

static void test_what_is_neither_leaves_the_row_and_closes_what_is_open(void **state)
{
	struct breaker breaker = begin();

	(void)state;
	fail_key(&breaker, "1", -EIO, START_MS);
	fail_key(&breaker, "2", -EIO, START_MS);
	assert_false(breaker_pass(&breaker));
	assert_true(fail_key(&breaker, "3", -EIO, START_MS));
	assert_true(breaker_pass(&breaker));
	assert_int_equal(breaker_state(&breaker), BREAKER_CLOSED);
	assert_false(fail_key(&breaker, "4", -EIO, START_MS));
}

static void test_it_can_be_opened_at_once(void **state)
{
	struct breaker breaker = begin();

	(void)state;
	assert_true(breaker_trip(&breaker, -EACCES, START_MS));
	assert_false(breaker_trip(&breaker, -EACCES, START_MS + 1));
	assert_int_equal(breaker_check(&breaker, START_MS + APART_MS), -EACCES);
	assert_int_equal(breaker_check(&breaker, START_MS + 1 + APART_MS), 0);
	assert_true(breaker_succeed(&breaker));
}

static void test_open_it_lets_one_probe_through_in_a_while(void **state)
{
	struct breaker breaker = begin_open();

	(void)state;
	assert_int_equal(breaker_check(&breaker, START_MS + APART_MS - 1), -EIO);
	assert_int_equal(breaker_check(&breaker, START_MS + APART_MS), 0);
	breaker_ask(&breaker, START_MS + APART_MS);
	assert_int_equal(breaker_state(&breaker), BREAKER_HALF_OPEN);
	assert_int_equal(breaker_check(&breaker, START_MS + APART_MS), -EIO);
}

static void test_a_probe_that_succeeds_closes_it(void **state)
{
	struct breaker breaker = begin_open();

	(void)state;
	breaker_ask(&breaker, START_MS + APART_MS);
	assert_true(breaker_succeed(&breaker));
	assert_int_equal(breaker_check(&breaker, START_MS + APART_MS), 0);
	/* And it takes as many keys as ever to open it, those that failed before among them. */
	assert_false(fail_key(&breaker, "1", -EIO, START_MS + APART_MS));
	assert_false(fail_key(&breaker, "2", -EIO, START_MS + APART_MS));
}

static void test_a_probe_that_fails_tells_the_newest_error(void **state)
{
	struct breaker breaker = begin_open();
	const uint64_t failed_ms = START_MS + APART_MS + 300;

	(void)state;
	breaker_ask(&breaker, START_MS + APART_MS);
	assert_false(fail_key(&breaker, "1", -ETIMEDOUT, failed_ms));
	assert_int_equal(breaker_state(&breaker), BREAKER_OPEN);
	assert_int_equal(breaker_check(&breaker, failed_ms + APART_MS - 1), -ETIMEDOUT);
	assert_int_equal(breaker_check(&breaker, failed_ms + APART_MS), 0);
}

static void test_a_probe_that_is_lost_is_followed_by_another(void **state)
{
	struct breaker breaker = begin_open();

	(void)state;
	breaker_ask(&breaker, START_MS + APART_MS);
	assert_int_equal(breaker_check(&breaker, START_MS + 2 * APART_MS - 1), -EIO);
	assert_int_equal(breaker_check(&breaker, START_MS + 2 * APART_MS), 0);
}

static void test_reset_closes_it(void **state)
{
	struct breaker breaker = begin_open();

	(void)state;
	breaker_reset(&breaker);
	assert_int_equal(breaker_check(&breaker, START_MS), 0);
	assert_int_equal(breaker_state(&breaker), BREAKER_CLOSED);
}

/* Numbers that look random and are the same in each run. */
static uint64_t roll(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

/* Whatever happens, while nothing succeeds, what goes out once it has opened goes out far apart. */
static void test_probes_are_never_closer_than_they_may_be(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct breaker breaker = begin_open();
		uint64_t random = seed;
		uint64_t now_ms = START_MS;
		uint64_t asked_ms = START_MS;
		unsigned asked = 0;

		for (int step = 0; step < 1000; step++) {
			now_ms += roll(&random, 3000);
			if (roll(&random, 4) == 0)
				fail_key(&breaker, "1", -EIO, now_ms);
			if (breaker_check(&breaker, now_ms))
				continue;
			assert_true(now_ms - asked_ms >= APART_MS);
			breaker_ask(&breaker, now_ms);
			asked_ms = now_ms;
			asked++;
		}
		assert_true(asked > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_opens_when_three_different_keys_fail_in_a_row),
		cmocka_unit_test(test_one_key_alone_or_two_never_open_it),
		cmocka_unit_test(test_keys_of_different_kinds_are_different),
		cmocka_unit_test(test_a_success_in_between_begins_the_row_anew),
		cmocka_unit_test(test_what_is_neither_leaves_the_row_and_closes_what_is_open),
		cmocka_unit_test(test_it_can_be_opened_at_once),
		cmocka_unit_test(test_open_it_lets_one_probe_through_in_a_while),
		cmocka_unit_test(test_a_probe_that_succeeds_closes_it),
		cmocka_unit_test(test_a_probe_that_fails_tells_the_newest_error),
		cmocka_unit_test(test_a_probe_that_is_lost_is_followed_by_another),
		cmocka_unit_test(test_reset_closes_it),
		cmocka_unit_test(test_probes_are_never_closer_than_they_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
