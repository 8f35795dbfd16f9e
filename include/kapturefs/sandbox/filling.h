#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Text that repeats, without the memory that it would take: a large answer is a few bytes of its
 * own and a unit that all answers share.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct filling {
	size_t at;        /* it stands behind so many bytes */
	const char *unit; /* borrowed */
	size_t unit_length;
	uint64_t length; /* of the whole filling; the last unit may be cut */
};

/** Those of one text, in their order. Zero-initialized there are none. */
struct fillings {
	struct filling of[2];
	unsigned count;
};

/** Add one behind those that there are; there must be room. */
void fillings_add(struct fillings *fillings, const struct filling *filling);

/** The length of @bytes with the fillings. */
uint64_t fillings_length(const struct fillings *fillings, const struct buffer *bytes);

/** Copy @length bytes of that text from @offset on, which must be there, to @ret. */
void fillings_read(const struct fillings *fillings, const struct buffer *bytes, uint64_t offset,
                   char *ret, size_t length);
