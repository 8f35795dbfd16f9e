#pragma once
/* SPDX-License-Identifier: MIT */
/* How many of the last few minutes' events were bad. The clock is the caller's, in ms. */

#include <stdbool.h>
#include <stdint.h>

enum { RECENT_MINUTES = 5 };

struct recent_count {
	uint64_t all;
	uint64_t bad;
};

/** Zero to begin with. */
struct recent {
	uint64_t minute; /* the last in which something happened */
	struct recent_count minutes[RECENT_MINUTES];
};

void recent_add(struct recent *recent, uint64_t now_ms, bool is_bad);

/** Those of the last RECENT_MINUTES, of which the present one has just begun. */
struct recent_count recent_sum(const struct recent *recent, uint64_t now_ms);
