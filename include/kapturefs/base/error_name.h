#pragma once
/* SPDX-License-Identifier: MIT */
/* Error numbers as words for a log, the same in every language. */

/**
 * The name of @error, a positive errno, such as "ENOENT"; "unknown" for a number that has none.
 * The C library's own names where it has them, which is an extension of glibc 2.32.
 */
const char *error_name(int error);
