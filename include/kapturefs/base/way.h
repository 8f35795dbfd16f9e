#pragma once
/* SPDX-License-Identifier: MIT */
/* The way along a path, name by name, through symbolic links; as long as nothing changes there. */

#include <limits.h>

#include "kapturefs/base/base.h"

struct way {
	char done[PATH_MAX]; /* without links, `.` and `..`; "" for the root */
	char rest[2 * PATH_MAX];
	unsigned links;
};

/** Begin at the root with @path, which is absolute. Returns 0 or -ENAMETOOLONG. */
int way_begin(struct way *way, const char *path) must_check;

/**
 * Take up the next name; the last one must be no link, or have been followed. Returns 1 if there
 * was one, 0 at the end, or -ENAMETOOLONG.
 */
int way_next(struct way *way) must_check;

/**
 * If what was taken up last is a symbolic link, go on from where it stands with what it holds.
 * Returns 1 if it was, 0 if it was none or does not exist, -ELOOP, -ENAMETOOLONG.
 */
int way_follow(struct way *way) must_check;

/** What way_next() has not taken up yet, without the slashes before it; "" at the end. */
const char *way_rest(const struct way *way);
