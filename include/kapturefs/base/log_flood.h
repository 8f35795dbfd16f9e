#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Which lines are one too many. The clock is the caller's, in ms, and never goes back.
 *
 * Each event has its own allowance a second; what goes beyond is counted, and told once when the
 * second is over.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum { LOG_FLOOD_EVENTS = 64 };

struct log_flood_event {
	const void *event; /* NULL: free */
	uint64_t began_ms; /* of the second */
	uint64_t lines;
	uint64_t suppressed;
};

/** Zero to begin with. */
struct log_flood {
	struct log_flood_event events[LOG_FLOOD_EVENTS];
};

/**
 * Whether a line of @event may be written. Where there are more events at a time than places, the
 * others are not held back.
 */
bool log_flood_allows(struct log_flood *flood, const void *event, uint64_t now_ms);

/**
 * Take one event out of which lines were held back and whose second is over, or any with @at_once.
 * Returns how many lines, 0 if there is no such event.
 */
uint64_t log_flood_take(struct log_flood *flood, bool at_once, uint64_t now_ms,
                        const void **ret_event) must_check;
