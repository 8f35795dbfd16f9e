#pragma once
/* SPDX-License-Identifier: MIT */
/* How good an answer still is, and what to do about it: pure functions of the clock. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum freshness {
	FRESHNESS_FRESH, /* younger than its time to live: as good as asking */
	FRESHNESS_STALE, /* expired, yet better than nothing when asking fails */
	FRESHNESS_DEAD,  /* not to be served any more */
};

/**
 * The state at @now_ms of an answer given at @fetched_ms. The age of one from the future, which
 * a clock set back between two runs makes, is not known; it is never fresh, and dead when it
 * would take longer than @max_stale_ms to come about.
 */
enum freshness freshness_at(int64_t now_ms, int64_t fetched_ms, uint64_t ttl_ms,
                            uint64_t max_stale_ms);

/**
 * How long the answer for @day, see date.h, counts as fresh that was given at @fetched_ms: a month
 * if the day was over everywhere, for then nobody is created on it any more; else @ttl_ms.
 */
uint64_t freshness_ttl_of_day(int32_t day, int64_t fetched_ms, uint64_t ttl_ms);

struct freshness_rules {
	uint64_t ttl_ms;          /* how long an answer is fresh */
	uint64_t negative_ttl_ms; /* how long an absence is */
	uint64_t max_stale_ms;    /* how long past its ttl an answer may be served */
	bool offline;             /* nobody can be asked */
};

/** What the last answer for a key was. */
enum freshness_known {
	FRESHNESS_OF_NOTHING,  /* there has been none */
	FRESHNESS_OF_CUSTOMER, /* or of the customers of a day */
	FRESHNESS_OF_ABSENCE,
};

/** What is known of a key when somebody looks it up. Times are Unix milliseconds. */
struct freshness_case {
	enum freshness_known known;
	int64_t fetched_ms; /* when the answer was given, if there is one */
	bool is_vague;      /* of a day: a text has said it, which is good for the ttl only */
	bool is_forced;     /* somebody has said that it is not fresh any more */
	int64_t now_ms;
	int64_t asked_ms; /* when the look-up came: what was answered since is fresh */
	bool waited;      /* the API has been asked, or could not be; what is there now must do */
	int error;     /* ... and why there is no new answer: a negative errno, 0 if there is one */
	bool may_pass; /* of that error: it is not definite, as in source.h */
	bool is_overtaken; /* without error: what is known is later than the answer */
	bool is_refused;   /* the token does not hold: nothing past its ttl may be served */
};

/** The outcomes of freshness_decide(). */
enum {
	FRESHNESS_ASK = 1,      /* ask the API, and decide again */
	FRESHNESS_SERVE,        /* the customer, fresh */
	FRESHNESS_SERVE_STALE,  /* the customer, for want of a newer answer */
	FRESHNESS_SERVE_ABSENT, /* that there is none */
};

/** What a look-up comes to. Returns an outcome or the negative errno that it fails with. */
int freshness_decide(const struct freshness_rules *rules,
                     const struct freshness_case *known) must_check;
