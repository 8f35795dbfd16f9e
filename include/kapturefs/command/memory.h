#pragma once
/* SPDX-License-Identifier: MIT */
/* How much memory this process may take, and how much of it customers may. */

#include <stdint.h>

enum { MEMORY_SOURCE_SIZE = 512 };

/** The narrowest limit there is. */
struct memory_limit {
	uint64_t bytes;                  /* UINT64_MAX: none */
	char source[MEMORY_SOURCE_SIZE]; /* who sets it, for people; "" for none */
};

/**
 * The limits of this process: of its control groups, of versions 1 and 2, and those above them; and
 * RLIMIT_AS and RLIMIT_DATA. @root is "" but in tests, where it stands before /proc and /sys.
 */
void memory_limit_find(const char *root, struct memory_limit *ret);

/**
 * How much of @wanted customers may take within @limit: half of what is left beside the program,
 * the pages of the database and 10,000 who wait; but 1 MiB always.
 */
uint64_t memory_share(const struct memory_limit *limit, uint64_t wanted);
