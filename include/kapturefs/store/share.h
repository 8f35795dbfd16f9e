#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The budget of requests, shared fairly among those who ask. The clock is the caller's, in ms, and
 * never goes back.
 *
 * Who waits is put in an order in which every caller has as many turns as any other, however many
 * questions each has waiting (start-time fair queueing, with every question of equal cost). Who has
 * lately had more than half of what there is leaves a quarter of the burst alone: it is for
 * those who ask now and then, who so need not wait even while somebody walks through everything.
 * Nobody is slowed down when nobody else asks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/limiter.h"

enum { SHARE_CALLERS = 64 };

/** A caller is any number that keeps apart who is to be kept apart; 0 is nobody in particular. */
struct share {
	uint64_t caller;
	uint64_t place;     /* of its last question; 0: this share is free */
	struct limiter own; /* half of what all have */
	uint64_t minute_ms; /* when the present minute of counting began */
	uint64_t asked;     /* in it */
};

struct shares {
	struct share callers[SHARE_CALLERS]; /* the least recent makes room */
	uint64_t place;                      /* of the question that was asked last */
	uint64_t rate;
	uint64_t burst;
};

/** Begin. @rate and @burst as in limiter_init(). */
void shares_init(struct shares *shares, uint64_t rate, uint64_t burst);

/** @caller has a question: its place in the order, lower ones first. */
uint64_t shares_queue(struct shares *shares, uint64_t caller, uint64_t now_ms) must_check;

/** The place that a question of @caller would get. */
uint64_t shares_next_place(const struct shares *shares, uint64_t caller) must_check;

/** How much of the budget @caller has to leave alone. */
uint64_t shares_reserve(struct shares *shares, uint64_t caller, uint64_t now_ms) must_check;

/** The question of @caller with @place goes out. */
void shares_ask(struct shares *shares, uint64_t caller, uint64_t place, uint64_t now_ms);

struct share_count {
	uint64_t caller;
	uint64_t asked; /* in the last minute, or in part of it */
};

/** Who asks most, most first, at most @max. Returns how many. */
size_t shares_list(const struct shares *shares, uint64_t now_ms, struct share_count *ret,
                   size_t max);
