#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A circuit breaker. The clock is the caller's, in ms, and never goes back.
 *
 *   closed     requests go out; failures in a row are counted
 *   open       so many have failed that asking is no use; requests fail at once, but one
 *              in a while may probe
 *   half open  a probe is out; for all others it is still open
 *
 * A probe that is never heard of again does no harm: the next one follows at its time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };

struct breaker {
	uint32_t failures_max;
	uint64_t probe_apart_ms;
	uint32_t failures; /* in a row */
	int error;         /* of the last one */
	uint64_t probe_at_ms;
	bool is_probing;
};

/**
 * Begin closed. It opens after @failures_max failures in a row; probes are at least
 * @probe_apart_ms apart.
 */
void breaker_init(struct breaker *breaker, uint32_t failures_max, uint64_t probe_apart_ms);

/** Close it and forget what has failed. */
void breaker_reset(struct breaker *breaker);

enum breaker_state breaker_state(const struct breaker *breaker);

/** Whether a request may go out: 0, or the error (negative errno) of the last failure. */
int breaker_check(const struct breaker *breaker, uint64_t now_ms) must_check;

/** A request goes out, which breaker_check() has allowed. */
void breaker_ask(struct breaker *breaker, uint64_t now_ms);

/** A request has failed with @error, a negative errno. Returns whether that opened it. */
bool breaker_fail(struct breaker *breaker, int error, uint64_t now_ms);

/** A request has succeeded. Returns whether that closed it. */
bool breaker_succeed(struct breaker *breaker);
