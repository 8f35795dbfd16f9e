/* SPDX-License-Identifier: MIT */
/*
 * The conversions count years from March on, so that the day of a leap year comes last; 400 years
 * are 146,097 days, whichever they are.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/model/date.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

enum {
	FIRST_ZONE_HOURS = 14, /* east of Greenwich */
	LAST_ZONE_HOURS = 12,  /* west of it */
	ERA_YEARS = 400,
	ERA_DAYS = 146097,
	EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
	DAY_MAX = 2932896,   /* 9999-12-31 */
};

static bool read_digits(const char *text, int count, int *ret)
{
	*ret = 0;
	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*ret = *ret * 10 + (text[i] - '0');
	}
	return true;
}

/* @month and @day_of_month need not be in the calendar. */
static int32_t to_day(int year, int month, int day_of_month)
{
	int march_year = month <= 2 ? year - 1 : year;
	int era = march_year / ERA_YEARS;
	int year_of_era = march_year - era * ERA_YEARS;
	int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day_of_month - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - EPOCH_DAYS;
}

void date_print(int32_t day, char ret[DATE_SIZE])
{
	int32_t count = (day < 0 ? 0 : day > DAY_MAX ? DAY_MAX : day) + EPOCH_DAYS;
	int era = count / ERA_DAYS;
	int day_of_era = count - era * ERA_DAYS;
	int year_of_era =
	        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int from_march = (5 * day_of_year + 2) / 153;
	int month = from_march < 10 ? from_march + 3 : from_march - 9;
	int year = era * ERA_YEARS + year_of_era + (month <= 2);
	char text[40]; /* what the compiler thinks it could take */

	snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month,
	         day_of_year - (153 * from_march + 2) / 5 + 1);
	snprintf(ret, DATE_SIZE, "%.10s", text);
}

int date_parse(const char *text, size_t length, int32_t *ret)
{
	char again[DATE_SIZE];
	int year;
	int month;
	int day_of_month;
	int32_t day;

	if (length != DATE_SIZE - 1 || text[4] != '-' || text[7] != '-')
		return DATE_IMPOSSIBLE;
	if (!read_digits(text, 4, &year) || !read_digits(text + 5, 2, &month) ||
	    !read_digits(text + 8, 2, &day_of_month))
		return DATE_IMPOSSIBLE;
	if (year < 1970 || month < 1 || month > 12)
		return DATE_IMPOSSIBLE;

	/* The 31st of a month with 30 days would come back as the 1st of the next. */
	day = to_day(year, month, day_of_month);
	date_print(day, again);
	if (day > DAY_MAX || memcmp(again, text, length) != 0)
		return DATE_IMPOSSIBLE;
	*ret = day;
	return 0;
}

int64_t date_midnight_ms(int32_t day)
{
	return day * DAY_MS;
}

int64_t date_begins_ms(int32_t day)
{
	return day * DAY_MS - FIRST_ZONE_HOURS * HOUR_MS;
}

int64_t date_over_ms(int32_t day)
{
	return (day + INT64_C(1)) * DAY_MS + LAST_ZONE_HOURS * HOUR_MS;
}
