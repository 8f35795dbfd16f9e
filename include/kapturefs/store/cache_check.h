#pragma once
/* SPDX-License-Identifier: MIT */
/* A look at a cache's file that changes nothing. */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/trust.h"

enum cache_health {
	CACHE_HEALTHY,
	CACHE_IN_USE,  /* a mount has it open, and looks after it */
	CACHE_ALIEN,   /* not a cache of this program */
	CACHE_DAMAGED, /* a cache, and not whole */
	CACHE_UNREAD,  /* whole as far as it could be read in the time */
};

/**
 * See that nobody else can put a file in the place of the cache at @path or beside it. Returns as
 * trust_look().
 */
int cache_check_place(const char *path, char why[TRUST_WHY_SIZE]) must_check;

/**
 * Look at the file at @path, which must exist, for at most @timeout_ms. Returns 0 with *@ret or a
 * negative errno.
 */
int cache_check(const char *path, uint64_t timeout_ms, enum cache_health *ret) must_check;
