#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * How long a loop's turns take: whoever comes next waits for as long as the turn that is under way.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"

/**
 * What one kind of work may have of a turn, so that everything else has its own. Zero to begin
 * with.
 */
struct turn_share {
	uint64_t turn_ms; /* the turn that it was last worked in */
	uint64_t spent_ns;
	uint64_t began_ns;
};

enum { TURN_SHARE_NS = 2 * 1000 * 1000 };

/**
 * Whether there is some of the share left in this turn of @loop; then a step begins, which
 * turn_share_end() ends.
 */
bool turn_share_begin(struct turn_share *share, const uv_loop_t *loop);
void turn_share_end(struct turn_share *share);

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
