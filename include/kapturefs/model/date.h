#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Days of the calendar, as whole days since 1970-01-01.
 *
 * Nobody says in which time zone the API's days are. So of when a day begins and ends only this is
 * known: it has begun nowhere before it begins in the first time zone (UTC+14), and is over
 * everywhere when it ends in the last (UTC-12).
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum { DATE_SIZE = sizeof("2026-01-05") };

/** The outcome of date_parse() for what is no day. */
enum { DATE_IMPOSSIBLE = 1 };

/**
 * Read @length bytes of @text, `YYYY-MM-DD`, as a day of the Gregorian calendar, 1970-01-01 or
 * later. Returns 0, or DATE_IMPOSSIBLE with *@ret untouched.
 */
int date_parse(const char *text, size_t length, int32_t *ret) must_check;

/** Write @day, 0 to that of 9999-12-31. */
void date_print(int32_t day, char ret[DATE_SIZE]);

/** When @day begins in UTC, in the first time zone, and when it is over in the last; Unix ms. */
int64_t date_midnight_ms(int32_t day);
int64_t date_begins_ms(int32_t day);
int64_t date_over_ms(int32_t day);
