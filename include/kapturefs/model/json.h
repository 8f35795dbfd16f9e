#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The strict gate before the JSON parser.
 *
 * Accepts RFC 8259 texts in UTF-8 (a byte order mark in front is skipped)
 * nested no deeper than JSON_DEPTH_MAX, and nothing else; and writes an
 * armoured copy in which nothing is left that cJSON would lose or bend: each number is a string
 * of `n` and its digits as sent, each string value begins with `s`, and U+0000 and U+0001 in strings and names are
 * escaped (see json_unarmour()).
 */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

enum { JSON_DEPTH_MAX = 64 };

/** A stretch of the text. */
struct json_span {
	size_t start;
	size_t length;
};

struct json_scan {
	struct buffer armoured; /* for cJSON */
	struct json_span
	        *members; /* where the values of the top-level object's members stand, in order */
	size_t member_count;
};

/**
 * Scan @length bytes of @text.
 *
 * Returns 0, *@ret to be ended with json_scan_fini(); -EPROTO with *@ret
 * untouched and *@ret_offset telling where the text stops being JSON; -ENOMEM.
 */
int json_scan(const char *text, size_t length, struct json_scan *ret,
              size_t *ret_offset) must_check;
void json_scan_fini(struct json_scan *scan);

/** Undo the armour of U+0000 and U+0001 in the @length bytes at @text, in place; returns the new length. */
size_t json_unarmour(char *text, size_t length);

/** Append @length bytes of @text, which must be UTF-8, as a JSON string with its quotes. Errors as buffer_append(). */
int json_append_string(struct buffer *buffer, const char *text, size_t length) must_check;
