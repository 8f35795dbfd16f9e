/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/date.h"

#define HOUR_MS INT64_C(3600000)

static void test_days_are_counted_from_1970(void **state)
{
	static const struct {
		const char *text;
		int32_t day;
	} rows[] = {
		{ "1970-01-01", 0 },     { "1970-01-31", 30 },      { "1970-03-01", 59 },
		{ "1972-02-29", 789 },   { "1999-12-31", 10956 },   { "2000-02-29", 11016 },
		{ "2000-03-01", 11017 }, { "2026-01-05", 20458 },   { "2100-02-28", 47540 },
		{ "2100-03-01", 47541 }, { "9999-12-31", 2932896 },
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		char text[DATE_SIZE];
		int32_t day = -1;

		assert_int_equal(date_parse(rows[i].text, strlen(rows[i].text), &day), 0);
		assert_int_equal(day, rows[i].day);
		date_print(day, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_every_day_follows_the_one_before(void **state)
{
	char text[DATE_SIZE];
	int32_t again = -1;

	(void)state;
	for (int32_t day = 0; day <= 200 * 366; day++) {
		date_print(day, text);
		assert_int_equal(date_parse(text, strlen(text), &again), 0);
		assert_int_equal(again, day);
	}
}

static void test_what_is_not_in_the_calendar_is_no_day(void **state)
{
	static const char *const texts[] = {
		"",           "2026-1-5",        "2026-01-5",  "2026-01-05 ", " 2026-01-05",
		"2026-02-29", "2100-02-29",      "2026-02-30", "2026-04-31",  "2026-13-01",
		"2026-00-10", "2026-01-00",      "2026-01-32", "1969-12-31",  "0000-00-00",
		"2026/01/05", "20260105",        "2026-01-0x", "+026-01-05",  "2026-01--5",
		"-2026-01-0", "2026-01-05.json", "05-01-2026",
	};
	int32_t day = 7;

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		assert_int_equal(date_parse(texts[i], strlen(texts[i]), &day), DATE_IMPOSSIBLE);
		assert_int_equal(day, 7);
	}
}

static void test_a_day_takes_fifty_hours_from_the_first_zone_to_the_last(void **state)
{
	(void)state;
	assert_int_equal(date_midnight_ms(1), 24 * HOUR_MS);
	assert_int_equal(date_begins_ms(1), 10 * HOUR_MS);
	assert_int_equal(date_over_ms(1), 60 * HOUR_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days_are_counted_from_1970),
		cmocka_unit_test(test_every_day_follows_the_one_before),
		cmocka_unit_test(test_what_is_not_in_the_calendar_is_no_day),
		cmocka_unit_test(test_a_day_takes_fifty_hours_from_the_first_zone_to_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
