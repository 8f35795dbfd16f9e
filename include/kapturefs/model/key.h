#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The kinds of key by which customers can be asked for, and one key in canonical spelling. A
 * date leads to any number of customers, the others to one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/text.h"

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
 * Read @length bytes of @text as a key of @kind, in any spelling.
 *
 * Ids are 1 to 20 digits; canonical is the number without leading zeros. Dates are as date.h reads
 * them.
 *
 * Phone numbers are as people write and paste them: `tel:`, a `+`, and blanks, `-`, `.`, `(`, `)`
 * anywhere, with all that fold_to_ascii() takes for those; canonical are the digits, 1 to 20 of
 * them. `9380491326.0` is a spreadsheet's number, and none. @country is the code that national
 * numbers lack, or 0. With it, a leading `+` or `00` and the code are taken off, then one leading
 * zero, which is part of the number in Italy only; after another country's `+` or `00` all digits
 * are the number.
 *
 * E-mail addresses have one `@` with something on both sides, UTF-8 without blanks and control
 * bytes, at most 254 bytes; `mailto:`, `<`, `>` and blanks around them are taken off; canonical is
 * lower case (ASCII).
 *
 * The text of a key reads as that key again. Returns 0, or KEY_IMPOSSIBLE with *@ret untouched.
 */
int key_parse_typed(uint32_t country, enum key_kind kind, const char *text, size_t length,
                    struct key *ret) must_check;

/** The same without a country. */
int key_parse(enum key_kind kind, const char *text, size_t length, struct key *ret) must_check;

/** Take blanks and what cannot be seen off both ends. */
void key_trim(struct text *text);

/* As many bytes as the file name of any key can take; over NAME_MAX, which binds no FUSE mount. */
enum { KEY_NAME_SIZE = 3 * KEY_TEXT_MAX + 1 };

/**
 * Write the file name of @key: its text, but in an address `/` is `%2F`, `%` is `%25`, what
 * cannot be seen is escaped likewise, see naming.h, and the dot of `.json` or `.meta` at the end is
 * `%2E`, as those endings mean something else; see view.h.
 */
void key_print_name(const struct key *key, char ret[KEY_NAME_SIZE]);

/**
 * Read a file name, in any spelling, as key_parse_typed(). Escapes that key_print_name() does not
 * make, and a `%` that is part of none, are taken as they stand.
 */
int key_parse_name(uint32_t country, enum key_kind kind, const char *name, size_t length,
                   struct key *ret) must_check;

/**
 * Whether the text of @key reads as @key, and not as another or none: that of one which was stored
 * by other rules may not.
 */
bool key_is_canonical(uint32_t country, const struct key *key);

/** Whether @length bytes of @name are the text of @key. */
bool key_is_spelled(const struct key *key, const char *name, size_t length);

bool key_equal(const struct key *left, const struct key *right);
