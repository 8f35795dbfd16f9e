#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A circuit breaker. The clock is the caller's, in ms, and never goes back.
 *
 *   closed     requests go out; the different keys that fail in a row are counted, so that one key
 *              alone, however often it is asked for, opens nothing
 *   open       so many have failed that asking is no use; requests fail at once, but one
 *              in a while may probe
 *   half open  a probe is out; for all others it is still open
 *
 * A probe that is never heard of again does no harm: the next one follows at its time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };

/** How many different keys have to fail in a row. */
enum { BREAKER_KEYS = 3 };

struct breaker {
	uint64_t probe_apart_ms;
	struct key failed[BREAKER_KEYS]; /* in a row, each once */
	uint32_t failed_count;
	int error; /* of the last failure */
	uint64_t probe_at_ms;
	bool is_probing;
};

/** Begin closed; probes are at least @probe_apart_ms apart. */
void breaker_init(struct breaker *breaker, uint64_t probe_apart_ms);

/** Close it and forget what has failed. */
void breaker_reset(struct breaker *breaker);

enum breaker_state breaker_state(const struct breaker *breaker);

/** Whether a request may go out: 0, or the error (negative errno) of the last failure. */
int breaker_check(const struct breaker *breaker, uint64_t now_ms) must_check;

/** A request goes out, which breaker_check() has allowed. */
void breaker_ask(struct breaker *breaker, uint64_t now_ms);

/** A request for @key has failed with @error, a negative errno. Returns whether that opened it. */
bool breaker_fail(struct breaker *breaker, const struct key *key, int error, uint64_t now_ms);

/** Open it whatever has failed so far. Returns whether it was closed. */
bool breaker_trip(struct breaker *breaker, int error, uint64_t now_ms);

/** A request has succeeded. Returns whether that closed it. */
bool breaker_succeed(struct breaker *breaker);

/**
 * A request has neither succeeded nor failed: an open one closes, for there is somebody to answer;
 * what has failed in a row so far stays. Returns whether that closed it.
 */
bool breaker_pass(struct breaker *breaker);
