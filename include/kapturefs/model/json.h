#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The strict gate before the JSON parser.
 *
 * Accepts RFC 8259 texts in strict UTF-8, nested no deeper than JSON_DEPTH_MAX,
 * and nothing else. One byte order mark in front is skipped. An escaped
 * surrogate without its other half (\ud800) names no character: in a value U+FFFD stands in for
 * it; in a name it becomes three bytes that are not UTF-8, so that names stay apart.
 *
 * What is accepted is written a second time in an armour that leaves nothing
 * that cJSON would lose or bend:
 *
 *     as sent              armoured                   because cJSON
 *     12.50                "n12.50"                   keeps a double
 *     "text"               "stext"                    must not mistake it for a number
 *     \u0000 in a string   \u00010 (U+0001 and `0`)   ends the string there
 *     \u0001 in a string   \u00011 (U+0001 and `1`)
 *
 * Names of members have no prefix, but are escaped like strings. Blanks
 * between the tokens are left out. Members that share a name are all kept.
 */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

enum {
	JSON_DEPTH_MAX = 64,
	/*
	 * The parser takes a hundred bytes and more for each value, and `[0,0,0...` has millions in
	 * a reply of the size that io lets through. A customer has hundreds. What is beyond the
	 * power of two is for what stands around the customer in a reply.
	 */
	JSON_VALUES_MAX = (1 << 16) + 64,
};

/** A stretch of the text, counted from its first byte, byte order mark included. */
struct json_span {
	size_t start;
	size_t length;
};

struct json_scan {
	struct buffer armoured; /* for cJSON */
	/*
	 * The values of the top-level object's members as sent, without the blanks around
	 * them, in the order of the text; none if the text is not an object.
	 */
	struct json_span *members;
	size_t member_count;
};

/**
 * Scan @length bytes of @text, in time linear in @length.
 *
 * Returns 0, *@ret to be ended with json_scan_fini(); -EPROTO with *@ret
 * untouched and *@ret_offset telling where the text stops being JSON (a text
 * cut short: at its end, or at the character that was cut); -EFBIG at the value after the
 * first JSON_VALUES_MAX, before there is memory for it; -ENOMEM. With the last two both are
 * untouched.
 */
int json_scan(const char *text, size_t length, struct json_scan *ret,
              size_t *ret_offset) must_check;

/**
 * What is wanted of the objects that are elements of arrays: the members with these names, and of
 * those that are arrays or objects only that they are. A name with an escape is always wanted.
 */
struct json_selection {
	const char *const *names;
	size_t count;
	bool is_element; /* the text itself is such an object */
};

/**
 * The same, but what @selection does not want is left out of the armoured text, is not counted and
 * takes no memory, so that an array may have any number of objects of any size. NULL wants all.
 */
int json_scan_selected(const char *text, size_t length, const struct json_selection *selection,
                       struct json_scan *ret, size_t *ret_offset) must_check;
void json_scan_fini(struct json_scan *scan);

/**
 * Undo the armour of U+0000 and U+0001 in the @length bytes at @text, a string
 * or name as cJSON returns it; in place. Returns the new length. The prefix of
 * a value is the caller's to skip. Bytes that no armour writes stay as they are.
 */
size_t json_unarmour(char *text, size_t length);
