#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * How long a loop's turns take: whoever comes next waits for as long as the turn that is under way.
 */

#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"

struct turns {
	uv_prepare_t prepare;
	uint64_t began_ns;
	uint64_t slept_ns; /* by the loop, up to then */
	struct counter longest_us;
	struct histogram durations;
};

/** Watch @loop, which must not have run yet, without keeping it alive. Returns 0 or a -errno. */
int turns_init(struct turns *turns, uv_loop_t *loop) must_check;

/** End watching; the memory is needed until the loop has run once more. */
void turns_fini(struct turns *turns);

void turns_add_metrics(struct turns *turns, struct metrics *metrics);
