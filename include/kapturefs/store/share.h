#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The budget of requests, shared fairly among those who ask. The clock is the caller's, in ms, and
 * never goes back.
 *
 * Who waits is put in an order in which every user has as many turns as any other, however many
 * questions each has waiting (start-time fair queueing, with every question of equal cost), and a
 * user's turns go round among his sessions in the same way: for sessions cost nothing, and whoever
 * makes thousands takes from himself alone. A session that has lately had more than half of what
 * there is leaves a quarter of the burst alone: it is for those who ask now and then, who so need
 * not wait even while somebody walks through everything. Of that quarter a user who has had more
 * than half, by whatever sessions, leaves a half to other users. Nobody is slowed down when nobody
 * else asks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/limiter.h"

enum { SHARE_CALLERS = 64 };

/** A caller is a session of a user, by caller_group() in caller.h; 0 is nobody in particular. */
static inline uint32_t share_user(uint64_t caller)
{
	return (uint32_t)(caller >> 32);
}

/** Of a user, or of a session. */
struct share {
	uint64_t caller;
	uint64_t used;      /* when it was needed last; 0: this share is free */
	uint64_t place;     /* of its last question, among those of all users, or of all sessions */
	uint64_t turn;      /* of a user: the place of the session that had the last turn */
	struct limiter own; /* half of what all have */
	uint64_t minute_ms; /* when the present minute of counting began */
	uint64_t asked;     /* in it */
};

struct shares {
	struct share users[SHARE_CALLERS]; /* the least recent makes room */
	struct share sessions[SHARE_CALLERS];
	uint64_t uses;
	uint64_t place; /* of the question that was asked last */
	uint64_t rate;
	uint64_t burst;
};

/** Where a question stands: lower ones go first. */
struct share_place {
	uint64_t of_user;    /* among those of all users */
	uint64_t of_session; /* among those of one user, whatever their places among all */
};

/** Begin. @rate and @burst as in limiter_init(). */
void shares_init(struct shares *shares, uint64_t rate, uint64_t burst);

/** @caller has a question: its place in the order. */
struct share_place shares_queue(struct shares *shares, uint64_t caller, uint64_t now_ms) must_check;

/** The place that a question of @caller would get. */
struct share_place shares_next_place(const struct shares *shares, uint64_t caller) must_check;

/** How much of the budget @caller has to leave alone. */
uint64_t shares_reserve(const struct shares *shares, uint64_t caller, uint64_t now_ms) must_check;

/** The question of @caller with @place goes out. */
void shares_ask(struct shares *shares, uint64_t caller, struct share_place place, uint64_t now_ms);

struct share_count {
	uint64_t caller;
	uint64_t asked; /* in the last minute, or in part of it */
};

/** Who asks most, most first, at most @max. Returns how many. */
size_t shares_list(const struct shares *shares, uint64_t now_ms, struct share_count *ret,
                   size_t max);
