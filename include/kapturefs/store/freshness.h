#pragma once
/* SPDX-License-Identifier: MIT */
/* How good an answer still is: a pure function of the clock. */

#include <stdint.h>

enum freshness {
	FRESHNESS_FRESH, /* younger than its time to live: as good as asking */
	FRESHNESS_STALE, /* better than nothing when asking fails */
	FRESHNESS_DEAD,  /* not to be served any more */
};

/**
 * The state at @now_ms of an answer given at @fetched_ms. One from the future, which a
 * clock set back makes, is stale: its age is not known.
 */
enum freshness freshness_at(int64_t now_ms, int64_t fetched_ms, int64_t ttl_ms,
                            int64_t max_stale_ms);
