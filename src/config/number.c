/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/config/number.h"

static const struct unit {
	char letter;
	unsigned shift;
} units[] = { { 'G', 30 }, { 'M', 20 }, { 'K', 10 } };

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

static bool parse_unit(const char *text, uint64_t *number)
{
	for (size_t i = 0; i < array_length(units); i++) {
		if (text[0] == units[i].letter && !text[1])
			return !__builtin_mul_overflow(*number, UINT64_C(1) << units[i].shift,
			                               number);
	}
	return !*text;
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

bool number_parse(enum number_kind kind, const char *text, uint64_t *ret)
{
	uint64_t number;
	const char *end;
	bool is_valid;

	if (!parse_digits(text, kind == NUMBER_OCTAL ? 8 : 10, &number, &end))
		return false;
	if (kind == NUMBER_SIZE)
		is_valid = parse_unit(end, &number);
	else if (kind == NUMBER_RATE)
		is_valid = parse_rate(end, &number);
	else
		is_valid = !*end;
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
	case NUMBER_PLAIN:
		snprintf(ret, NUMBER_TEXT_SIZE, "%llu", (unsigned long long)number);
		break;
	}
	return ret;
}
