/* SPDX-License-Identifier: MIT */

#include "kapturefs/store/freshness.h"

enum freshness freshness_at(int64_t now_ms, int64_t fetched_ms, int64_t ttl_ms,
                            int64_t max_stale_ms)
{
	int64_t age_ms = now_ms - fetched_ms;

	if (age_ms < 0)
		return FRESHNESS_STALE;
	if (age_ms < ttl_ms)
		return FRESHNESS_FRESH;
	if (age_ms - ttl_ms < max_stale_ms)
		return FRESHNESS_STALE;
	return FRESHNESS_DEAD;
}
