#pragma once
/* SPDX-License-Identifier: MIT */
/* What the kernel offers to a FUSE file system, as far as it is made use of, and what for. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

struct session_feature {
	const char *name;
	const char *cost; /* what its absence means for the user */
	uint64_t flag;    /* of the kernel's INIT request */
};

extern const struct session_feature session_features[];
extern const size_t session_feature_count;

/**
 * Ask the kernel for its flags, by a mount that nobody sees: in a process and a namespace of its
 * own, and gone when this returns. Needs no privilege where the kernel lets users have
 * namespaces. Returns 0, or a negative errno: -EPERM where that is not allowed, -ENODEV or -ENOENT
 * without FUSE.
 */
int session_probe(uint64_t *ret_flags) must_check;
