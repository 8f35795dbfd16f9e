#pragma once
/* SPDX-License-Identifier: MIT */
/* What the programs that libfuse runs write to standard error, to be told in one line of ours. */

#include <stddef.h>

#include "kapturefs/base/base.h"

struct overhear {
	int saved; /* standard error, or -1 where nothing is overheard */
	int file;
};

/** Begin. If that cannot be done, what is written goes where it always does. */
void overhear_begin(struct overhear *overhear);

/**
 * End: standard error is what it was, and gets what was written, but for the last complaint of
 * libfuse or its helper, which comes to @ret with how to fix it, if that is known; "" for none.
 */
void overhear_end(struct overhear *overhear, char *ret, size_t size);
