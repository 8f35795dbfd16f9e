/* SPDX-License-Identifier: MIT */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kapturefs/base/log.h"
#include "kapturefs/config/number.h"

static const struct unit {
	char letter;
	unsigned shift;
} units[] = { { 'T', 40 }, { 'G', 30 }, { 'M', 20 }, { 'K', 10 } };

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const struct {
	char letter;
	unsigned seconds;
} periods[] = { { 's', 1 }, { 'm', MINUTE }, { 'h', HOUR }, { 'd', DAY } };

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Read digits; *@ret_end is where they stop. */
static bool parse_digits(const char *text, int base, uint64_t *ret, const char **ret_end)
{
	char *end;

	/* strtoull() would also take blanks and a sign. */
	if (!is_digit(*text))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	*ret_end = end;
	return !errno;
}

/* K, M, G or T, which are powers of 1024, each with B or iB behind it or without; or a B alone. */
static bool parse_unit(const char *text, uint64_t *number)
{
	const char *rest = text + 1;
	unsigned shift = 0;

	if (!*text || strcasecmp(text, "B") == 0)
		return true;
	for (size_t i = 0; i < array_length(units); i++) {
		if (toupper((unsigned char)*text) == units[i].letter)
			shift = units[i].shift;
	}
	if (*rest && strcasecmp(rest, "B") != 0 && strcasecmp(rest, "iB") != 0)
		return false;
	return shift && !__builtin_mul_overflow(*number, UINT64_C(1) << shift, number);
}

/* Nothing, or the letter of a unit. M would be months elsewhere, so case counts. */
static bool parse_period(const char *text, uint64_t *seconds)
{
	if (!*text)
		return true;
	for (size_t i = 0; i < array_length(periods); i++) {
		if (*text == periods[i].letter && !text[1])
			return !__builtin_mul_overflow(*seconds, periods[i].seconds, seconds);
	}
	return false;
}

/* Days, unless there is a unit; then whole ones. */
static bool parse_days(const char *text, uint64_t *days)
{
	uint64_t seconds = *days;

	if (!*text)
		return true;
	if (!parse_period(text, &seconds) || seconds % DAY)
		return false;
	*days = seconds / DAY;
	return true;
}

/* Up to three decimals, and `/s`, which is optional because nothing else would make sense. */
static bool parse_rate(const char *text, uint64_t *number)
{
	uint64_t thousandths = 0;

	if (*text == '.') {
		unsigned place = 100;

		if (!is_digit(*++text))
			return false;
		for (; is_digit(*text) && place; place /= 10)
			thousandths += (uint64_t)(*text++ - '0') * place;
	}
	return (!*text || strcmp(text, "/s") == 0) &&
	       !__builtin_mul_overflow(*number, 1000U, number) &&
	       !__builtin_add_overflow(*number, thousandths, number);
}

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static bool parse_level(const char *text, uint64_t *ret)
{
	for (size_t level = 0; level < array_length(levels); level++) {
		if (strcasecmp(text, levels[level]) == 0) {
			*ret = level;
			return true;
		}
	}
	return false;
}

bool number_parse(enum number_kind kind, const char *text, uint64_t *ret)
{
	uint64_t number;
	const char *end;
	bool is_valid = false;

	if (kind == NUMBER_LEVEL)
		return parse_level(text, ret);
	if (kind == NUMBER_COUNTRY)
		text += *text == '+' ? 1 : strncmp(text, "00", 2) == 0 ? 2 : 0;
	if (!parse_digits(text, kind == NUMBER_OCTAL ? 8 : 10, &number, &end))
		return false;
	switch (kind) {
	case NUMBER_SIZE:
		is_valid = parse_unit(end, &number);
		break;
	case NUMBER_SECONDS:
		is_valid = parse_period(end, &number);
		break;
	case NUMBER_DAYS:
		is_valid = parse_days(end, &number);
		break;
	case NUMBER_RATE:
		is_valid = parse_rate(end, &number);
		break;
	case NUMBER_PLAIN:
	case NUMBER_OCTAL:
	case NUMBER_COUNTRY:
	case NUMBER_LEVEL:
		is_valid = !*end;
		break;
	}
	if (is_valid)
		*ret = number;
	return is_valid;
}

static void print_size(uint64_t number, char *ret)
{
	for (size_t i = 0; i < array_length(units); i++) {
		uint64_t unit = UINT64_C(1) << units[i].shift;

		if (number && number % unit == 0) {
			snprintf(ret, NUMBER_TEXT_SIZE, "%llu%c",
			         (unsigned long long)(number / unit), units[i].letter);
			return;
		}
	}
	snprintf(ret, NUMBER_TEXT_SIZE, "%llu", (unsigned long long)number);
}

static void print_rate(uint64_t number, char *ret)
{
	unsigned thousandths = (unsigned)(number % 1000);
	int length = snprintf(ret, NUMBER_TEXT_SIZE, "%llu.%03u",
	                      (unsigned long long)(number / 1000), thousandths);

	while (ret[length - 1] == '0')
		length--;
	if (ret[length - 1] == '.')
		length--;
	strcpy(ret + length, "/s");
}

const char *number_print(enum number_kind kind, uint64_t number, char ret[NUMBER_TEXT_SIZE])
{
	switch (kind) {
	case NUMBER_SIZE:
		print_size(number, ret);
		break;
	case NUMBER_RATE:
		print_rate(number, ret);
		break;
	case NUMBER_OCTAL:
		snprintf(ret, NUMBER_TEXT_SIZE, "%#llo", (unsigned long long)number);
		break;
	case NUMBER_LEVEL:
		snprintf(ret, NUMBER_TEXT_SIZE, "%s",
		         number < array_length(levels) ? levels[number] : "none");
		break;
	case NUMBER_PLAIN:
	case NUMBER_SECONDS:
	case NUMBER_DAYS:
	case NUMBER_COUNTRY:
		snprintf(ret, NUMBER_TEXT_SIZE, "%llu", (unsigned long long)number);
		break;
	}
	return ret;
}
