/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/words.h"

static void test_durations_have_two_units_at_most(void **state)
{
	static const struct {
		uint64_t duration_ms;
		const char *words;
	} table[] = {
		{ 0, "0 ms" },
		{ 999, "999 ms" },
		{ 1000, "1.0 s" },
		{ 1290, "1.2 s" },
		{ 9999, "9.9 s" },
		{ 10000, "10 s" },
		{ 59999, "59 s" },
		{ 60000, "1 min" },
		{ 200000, "3 min 20 s" },
		{ 7500000, "2 h 5 min" },
		{ 86400000, "1 day" },
		{ 3 * UINT64_C(86400000) + 4 * 3600000, "3 days 4 h" },
	};
	char words[WORDS_SIZE];

	(void)state;
	for (size_t i = 0; i < array_length(table); i++)
		assert_string_equal(words_duration(table[i].duration_ms, words), table[i].words);
	assert_non_null(words_duration(UINT64_MAX, words));
}

static void test_sizes_are_in_powers_of_1024(void **state)
{
	char words[WORDS_SIZE];

	(void)state;
	assert_string_equal(words_bytes(0, words), "0 bytes");
	assert_string_equal(words_bytes(1023, words), "1023 bytes");
	assert_string_equal(words_bytes(1536, words), "1.5 KiB");
	assert_string_equal(words_bytes(UINT64_C(1) << 30, words), "1.0 GiB");
	assert_string_equal(words_bytes(UINT64_C(500) << 20, words), "500 MiB");
	assert_string_equal(words_bytes(UINT64_MAX, words), "16777216 TiB");
}

static void test_thousandths_have_no_zeros_behind(void **state)
{
	char words[WORDS_SIZE];

	(void)state;
	assert_string_equal(words_thousandths(10000, words), "10");
	assert_string_equal(words_thousandths(500, words), "0.5");
	assert_string_equal(words_thousandths(1, words), "0.001");
}

static void test_times_are_utc(void **state)
{
	char words[WORDS_SIZE];

	(void)state;
	assert_string_equal(words_time(1782900005123, words), "2026-07-01 10:00:05 UTC");
	assert_string_equal(words_timestamp(1782900005007, words), "2026-07-01T10:00:05.007Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_have_two_units_at_most),
		cmocka_unit_test(test_sizes_are_in_powers_of_1024),
		cmocka_unit_test(test_thousandths_have_no_zeros_behind),
		cmocka_unit_test(test_times_are_utc),
	};

	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
