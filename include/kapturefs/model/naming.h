#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Member names as file names, and back.
 *
 * A name that a file can have and a terminal can show stays as it is. What it
 * cannot is percent-encoded byte by byte, with capital hexadecimal digits:
 *
 *   - `/` and `%`, and every dot of `.` and `..`;
 *   - the control characters (C0, DEL, C1), the line and paragraph separators
 *     (U+2028, U+2029), and what is not seen in a listing, so that two names
 *     would look alike: Unicode's Default_Ignorable_Code_Point (soft hyphen,
 *     zero width, joiners, changes of direction, fillers, variation selectors,
 *     tags), and characters that only say how others are laid out;
 *   - bytes that are not UTF-8.
 *
 * The empty name is a lone `%`.
 *
 * A name that is longer than NAMING_LENGTH_MAX after that is cut, never within
 * a character or what encodes one, and ends in `~` and 16 small hexadecimal
 * digits, a hash of the whole name. A shorter name that ends like that by
 * itself has this `~` encoded. So no two names meet but two that are cut and
 * have the same hash, for which the caller has @salt.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum { NAMING_LENGTH_MAX = 255 };

/** Whether @character stands in a name as it is, where it is not a dot of `.` or `..`. */
bool naming_is_shown(uint32_t character);

/**
 * Write the file name of @name (@length bytes of anything) to @ret,
 * NUL-terminated, and return its length, 1 to NAMING_LENGTH_MAX. The same
 * @name and @salt give the same file name on every machine, today and later.
 * @salt, 0 at first, changes the hash of a name that is cut and nothing else.
 */
size_t naming_encode(const char *name, size_t length, uint32_t salt,
                     char ret[NAMING_LENGTH_MAX + 1]);

/** The outcomes of naming_decode(). */
enum {
	NAMING_FOREIGN = 1, /* no member's name is encoded like that */
	NAMING_CUT,         /* a cut name: only the record knows the whole */
};

/**
 * Write the member name behind the file name @name (@length bytes) to @ret,
 * which has room for @length bytes (a name never grows), and its length to
 * *@ret_length. Returns 0, or an outcome with *@ret_length untouched and
 * anything in @ret.
 */
int naming_decode(const char *name, size_t length, char *ret, size_t *ret_length) must_check;
