#pragma once
/* SPDX-License-Identifier: MIT */
/* What generated customers are made of: common names, places and phrases of many cultures. */

#include <stdbool.h>
#include <stddef.h>

enum {
	WORDS_GIVEN = 8,
	WORDS_FAMILY = 8,
	WORDS_PLACES = 4,
	WORDS_STREETS = 3,
	WORDS_REMARKS = 3,
};

/** @latin has the letters A to Z only. */
struct word_name {
	const char *latin;
	const char *written; /* as those write it who bear it */
};

struct word_place {
	const char *city;
	const char *state;
};

struct culture {
	const char *country;
	bool is_family_first;  /* in @written; in Latin letters the given name comes first */
	const char *separator; /* between the two in @written */
	unsigned pin_digits;
	struct word_name given[WORDS_GIVEN];
	struct word_name family[WORDS_FAMILY];
	struct word_place places[WORDS_PLACES];
	const char *streets[WORDS_STREETS];
	const char *remarks[WORDS_REMARKS];
};

/** All cultures; static memory. */
const struct culture *words_cultures(size_t *ret_count);
