#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * How many requests may go out, and when: a token bucket. The clock is the caller's, in ms, and
 * never goes back.
 *
 * In any stretch of time no more requests go out than the burst and what the rate gives for
 * that time. A server that complains slows the bucket down for a while.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/**
 * Millionths of a request are counted, so that one ms at one thousandth of a request a second
 * is one.
 */
struct limiter {
	uint64_t rate; /* thousandths of a request a second */
	uint64_t size;
	uint64_t level;
	uint64_t filled_ms; /* up to when level has grown */
	uint64_t held_until_ms;
	uint64_t penalised_ms;
	uint64_t eased_ms; /* when one halving ends */
	unsigned halvings; /* of the rate */
};

/**
 * Begin full. @rate is in thousandths of a request a second, @burst in requests; both are
 * positive.
 */
void limiter_init(struct limiter *limiter, uint64_t rate, uint64_t burst, uint64_t now_ms);

/** Go on with another rate and burst, as in limiter_init(); what is saved up and owed stays. */
void limiter_change(struct limiter *limiter, uint64_t rate, uint64_t burst, uint64_t now_ms);

/** How many requests may go out now. */
uint64_t limiter_budget(struct limiter *limiter, uint64_t now_ms) must_check;

/** Requests a second, in thousandths, that it gives at present. */
uint64_t limiter_rate(struct limiter *limiter, uint64_t now_ms) must_check;

/** How many requests may go out at once when nothing has for a while. */
uint64_t limiter_burst(const struct limiter *limiter);

/** In how many ms the next request may go out; 0 for now. */
uint64_t limiter_wait_ms(struct limiter *limiter, uint64_t now_ms) must_check;

/** The same for @requests of them at once, at most the burst. */
uint64_t limiter_wait_for(struct limiter *limiter, uint64_t requests, uint64_t now_ms) must_check;

/** Take one request out of the budget, and tell whether there was one. */
bool limiter_take(struct limiter *limiter, uint64_t now_ms);

/**
 * The server finds that there are too many: what was saved up is gone, and the rate is halved
 * for a minute; at the most to a sixteenth, and once a second, because one cause makes many
 * complaints.
 */
void limiter_penalise(struct limiter *limiter, uint64_t now_ms);

/** Let nothing go out before @until_ms, and nothing at once then but one request. */
void limiter_hold(struct limiter *limiter, uint64_t until_ms, uint64_t now_ms);
