#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Member names as file names, and back.
 *
 * A name that a file can have and a terminal can show stays as it is. What
 * it cannot is percent-encoded byte by byte, with capital hexadecimal digits:
 * `/`, `%`, the control characters (C0, DEL, C1, and those that change the
 * direction of text), bytes that are not UTF-8, and the dots of `.` and `..`.
 * The empty name is a lone `%`. Names longer than NAMING_LENGTH_MAX after that are cut
 * at a whole character or escape and end in `~` and 16 hexadecimal digits; a
 * shorter name that would look like a cut one has its `~` encoded, so that no
 * two names meet except by a collision of the hash, for which the caller has @salt.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum { NAMING_LENGTH_MAX = 255 };

/**
 * Write the file name of @name (@length bytes of anything) to @ret,
 * NUL-terminated, and return its length. @salt, 0 at first, changes the hash of a name that
 * is cut and nothing else.
 */
size_t naming_encode(const char *name, size_t length, uint32_t salt,
                     char ret[NAMING_LENGTH_MAX + 1]);

/** The outcomes of naming_decode(). */
enum {
	NAMING_FOREIGN = 1, /* no member's name is encoded like that */
	NAMING_CUT,         /* a cut name: only the record knows the whole */
};

/**
 * Write the member name behind the file name @name to @ret, which has room for @length bytes
 * (a name never grows), and its length to *@ret_length. Returns 0 or an outcome.
 */
int naming_decode(const char *name, size_t length, char *ret, size_t *ret_length) must_check;
