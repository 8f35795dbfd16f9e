/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/store/retry.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110. */
#define EXAMPLE_MS (INT64_C(784111777) * 1000)

static void test_the_pause_doubles_up_to_five_seconds(void **state)
{
	static const uint64_t pauses[] = { 200, 400, 800, 1600, 3200, 5000, 5000 };

	(void)state;
	for (uint32_t i = 0; i < array_length(pauses); i++)
		assert_int_equal(retry_pause_ms(i + 1, UINT16_MAX), pauses[i]);
	assert_int_equal(retry_pause_ms(UINT32_MAX, UINT16_MAX), 5000);
}

static void test_the_pause_is_spread_over_its_upper_half(void **state)
{
	(void)state;
	for (uint32_t tries = 1; tries < 10; tries++) {
		uint64_t longest_ms = retry_pause_ms(tries, UINT16_MAX);
		uint64_t previous_ms = 0;

		assert_int_equal(retry_pause_ms(tries, 0), longest_ms / 2);
		for (uint32_t random = 0; random <= UINT16_MAX; random += 257) {
			uint64_t pause_ms = retry_pause_ms(tries, (uint16_t)random);

			assert_in_range(pause_ms, longest_ms / 2, longest_ms);
			assert_true(pause_ms >= previous_ms);
			previous_ms = pause_ms;
		}
	}
}

static void assert_wait(const char *value, uint64_t expected_ms)
{
	uint64_t wait_ms = UINT64_MAX;

	if (!retry_after_ms(value, EXAMPLE_MS - 60000, &wait_ms))
		fail_msg("not understood: %s", value);
	assert_int_equal(wait_ms, expected_ms);
}

static void test_seconds_are_understood_and_limited_to_five_minutes(void **state)
{
	(void)state;
	assert_wait("0", 0);
	assert_wait("1", 1000);
	assert_wait("00007", 7000);
	assert_wait("299", 299000);
	assert_wait("300", 300000);
	assert_wait("301", 300000);
	assert_wait("3600", 300000);
	assert_wait("1000000000000", 300000);
	assert_wait("18446744073709551616", 300000);
	assert_wait("99999999999999999999999999999999999999999999999999999999999999999999", 300000);
	assert_wait("0000000000000000000000000000000000000000000000000000000000000000000002", 2000);
}

static void test_dates_are_understood_in_all_three_forms(void **state)
{
	(void)state;
	assert_wait("Sun, 06 Nov 1994 08:49:37 GMT", 60000);
	assert_wait("Sunday, 06-Nov-94 08:49:37 GMT", 60000);
	assert_wait("Sun Nov  6 08:49:37 1994", 60000);
}

static void test_a_date_that_has_passed_is_no_wait(void **state)
{
	(void)state;
	assert_wait("Sun, 06 Nov 1994 08:48:37 GMT", 0);
	assert_wait("Sun, 06 Nov 1994 08:48:36 GMT", 0);
	assert_wait("Thu, 01 Jan 1970 00:00:00 GMT", 0);
	assert_wait("Mon, 01 Jan 0001 00:00:00 GMT", 0);
}

static void test_a_date_far_ahead_is_limited(void **state)
{
	(void)state;
	assert_wait("Sun, 06 Nov 1994 08:53:37 GMT", 300000);
	assert_wait("Sun, 06 Nov 1994 08:53:38 GMT", 300000);
	assert_wait("Fri, 31 Dec 9999 23:59:59 GMT", 300000);
}

static void test_anything_else_is_not_understood(void **state)
{
	static const char *const values[] = {
		"",
		" ",
		"-1",
		"+1",
		"1.5",
		"1s",
		"1 2",
		"0x10",
		"1e3",
		"soon",
		"inf",
		"\xff\xfe",
		"\xe0\xa5\xa7",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 GMT+1",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 Nov 1994 25:49:37 GMT",
		"Sun, 46 Nov 1994 08:49:37 GMT",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"1994-11-06T08:49:37Z",
		"06 Nov 1994 08:49:37 GMT",
	};
	uint64_t wait_ms = 7;

	(void)state;
	for (size_t i = 0; i < array_length(values); i++) {
		if (retry_after_ms(values[i], EXAMPLE_MS, &wait_ms))
			fail_msg("understood: %s", values[i]);
	}
	assert_int_equal(wait_ms, 7);
}

/* Numbers that look random and are the same in each run. */
static uint64_t roll(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

static void test_no_bytes_do_harm_and_no_wait_is_too_long(void **state)
{
	static const char *const models[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"120",
		"%s%n%s %%%% \t\r\n",
	};
	uint64_t seed = 1;
	unsigned understood = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char value[64];
		uint64_t wait_ms = 0;
		size_t length;

		strcpy(value, models[roll(&seed, array_length(models))]);
		length = strlen(value);
		for (uint64_t changes = roll(&seed, 4); changes; changes--)
			value[roll(&seed, length)] = (char)roll(&seed, 256);
		understood += retry_after_ms(value, EXAMPLE_MS, &wait_ms);
		assert_in_range(wait_ms, 0, RETRY_AFTER_MAX_MS);
	}
	assert_true(understood > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_pause_doubles_up_to_five_seconds),
		cmocka_unit_test(test_the_pause_is_spread_over_its_upper_half),
		cmocka_unit_test(test_seconds_are_understood_and_limited_to_five_minutes),
		cmocka_unit_test(test_dates_are_understood_in_all_three_forms),
		cmocka_unit_test(test_a_date_that_has_passed_is_no_wait),
		cmocka_unit_test(test_a_date_far_ahead_is_limited),
		cmocka_unit_test(test_anything_else_is_not_understood),
		cmocka_unit_test(test_no_bytes_do_harm_and_no_wait_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
