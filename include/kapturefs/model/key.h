#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The kinds of key by which customers can be asked for, and one key in canonical spelling. A
 * date leads to any number of customers, the others to one.
 */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"

enum key_kind {
	KEY_ID,
	KEY_PHONE,
	KEY_EMAIL,
	KEY_KINDS, /* of those that lead to one customer */
	KEY_DATE = KEY_KINDS,
	KEY_LISTINGS, /* of all that are listed */
};

enum {
	KEY_DIGITS_MAX = 20,
	KEY_TEXT_MAX = 254,
};

/** A key in the one spelling that is its directory: equal keys are equal bytes. */
struct key {
	enum key_kind kind;
	char text[KEY_TEXT_MAX + 1];
};

/** The outcome of key_parse() for a name that leads to no customer. */
enum { KEY_IMPOSSIBLE = 1 };

/**
 * What sets one kind apart: `by-phone`, `phone` in messages and `.meta`, and the API's request
 * member, of which a date has none.
 */
struct key_kind_facts {
	const char *directory;
	const char *word;
	const char *request_member;
};

/** The facts of @kind; static memory. */
const struct key_kind_facts *key_kind_facts(enum key_kind kind);

/**
 * Read @length bytes of @name as a key of @kind, in any spelling.
 *
 * Ids and phone numbers have 1 to 20 digits (phone: an optional leading `+`,
 * and blanks, `-`, `.`, `(`, `)` between digits); canonical are the digits
 * alone, an id without leading zeros. E-mail addresses have one `@` with
 * something on both sides, UTF-8 without blanks and control bytes, at most 254 bytes;
 * canonical is lower case (ASCII). Dates are as date.h reads them.
 *
 * Returns 0, or KEY_IMPOSSIBLE with *@ret untouched.
 */
int key_parse(enum key_kind kind, const char *name, size_t length, struct key *ret) must_check;

/** Whether @length bytes of @name spell @key canonically. */
bool key_is_spelled(const struct key *key, const char *name, size_t length);

bool key_equal(const struct key *left, const struct key *right);
