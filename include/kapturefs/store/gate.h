#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Whether a request may go out to the API now, later, or had better not. The clock is the
 * loop's, in ms.
 *
 * Three things stand in its way: the *door*, closed when the token was refused; the *breaker*,
 * open when key after key fails; the *limiter*, which makes requests wait for their
 * turn. Each endpoint has a door of its own, for Kapture gives out tokens for single endpoints.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/breaker.h"
#include "kapturefs/store/kapture_verdict.h"
#include "kapturefs/store/limiter.h"

enum gate_door {
	GATE_CUSTOMERS,
	GATE_DAYS,
	GATE_DOORS,
};

struct gate {
	struct limiter limiter;
	struct limiter unwaited; /* half of it, for what nobody waits for */
	struct breaker breaker;
	struct breaker doors[GATE_DOORS];
	int held_error; /* what the server said when it asked to be left alone */
};

/** Begin with everything open. @rate and @burst as in limiter_init(). */
void gate_init(struct gate *gate, uint64_t rate, uint64_t burst, uint64_t now_ms);

/** Go on with another rate and burst. */
void gate_change(struct gate *gate, uint64_t rate, uint64_t burst, uint64_t now_ms);

/** The outcome of gate_check() for a request whose turn has not come. */
enum { GATE_WAIT = 1 };

/**
 * Whether a request by @door that has to go out by @latest_ms may do so. Returns 0;
 * GATE_WAIT with the time to wait in *@ret_wait_ms; or the negative errno of the verdict in
 * *@ret_refusal.
 */
int gate_check(struct gate *gate, enum gate_door door, uint64_t latest_ms, uint64_t now_ms,
               uint64_t *ret_wait_ms, struct kapture_verdict *ret_refusal) must_check;

/** A request goes out, which gate_check() has allowed. */
void gate_ask(struct gate *gate, enum gate_door door, uint64_t now_ms);

/** The API has given a definite answer. @proves_token if it took the token. */
void gate_answered(struct gate *gate, enum gate_door door, bool proves_token);

/** The API is there, but what it has said is no answer: that is one reply's matter. */
void gate_replied(struct gate *gate);

/** A question for @key has got no answer, retries included: the API does not work. */
void gate_failed(struct gate *gate, const struct key *key, int error, uint64_t now_ms);

/** The API has refused the token: close @door. */
void gate_refused(struct gate *gate, enum gate_door door, uint64_t now_ms);

/** The API has denied access to @key: @door closes when it does so for key after key. */
void gate_denied(struct gate *gate, enum gate_door door, const struct key *key, uint64_t now_ms);

/** There may be another token: open the doors. */
void gate_open_doors(struct gate *gate);

bool gate_is_closed(const struct gate *gate, enum gate_door door);

/**
 * A reply with @error asks for fewer requests (@is_throttled), or for none for @pause_ms, or
 * both.
 */
void gate_slow_down(struct gate *gate, int error, bool is_throttled, uint64_t pause_ms,
                    uint64_t now_ms);
