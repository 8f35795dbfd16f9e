/* SPDX-License-Identifier: MIT */

#include <errno.h>

#include "kapturefs/model/date.h"
#include "kapturefs/store/freshness.h"

#define MONTH_MS (UINT64_C(30) * 86400 * 1000)

enum freshness freshness_at(int64_t now_ms, int64_t fetched_ms, uint64_t ttl_ms,
                            uint64_t max_stale_ms)
{
	uint64_t age_ms;

	if (now_ms < fetched_ms)
		return (uint64_t)fetched_ms - (uint64_t)now_ms < max_stale_ms ? FRESHNESS_STALE
		                                                              : FRESHNESS_DEAD;
	age_ms = (uint64_t)now_ms - (uint64_t)fetched_ms;
	if (age_ms < ttl_ms)
		return FRESHNESS_FRESH;
	if (age_ms - ttl_ms < max_stale_ms)
		return FRESHNESS_STALE;
	return FRESHNESS_DEAD;
}

uint64_t freshness_ttl_of_day(int32_t day, int64_t fetched_ms, uint64_t ttl_ms)
{
	return fetched_ms >= date_over_ms(day) && ttl_ms < MONTH_MS ? MONTH_MS : ttl_ms;
}

/* Of the millisecond in which the look-up came only its own answer is surely a later one. */
static bool was_answered_since(const struct freshness_case *known)
{
	if (known->fetched_ms > known->now_ms)
		return false;
	return known->error ? known->fetched_ms > known->asked_ms
	                    : known->fetched_ms >= known->asked_ms;
}

static enum freshness freshness_of(const struct freshness_rules *rules,
                                   const struct freshness_case *known)
{
	if (known->waited && known->is_overtaken)
		return FRESHNESS_FRESH;
	if (known->waited && was_answered_since(known))
		return FRESHNESS_FRESH;
	if (known->known == FRESHNESS_OF_CUSTOMER)
		return freshness_at(known->now_ms, known->fetched_ms,
		                    known->is_forced ? 0 : rules->ttl_ms, rules->max_stale_ms);
	return freshness_at(known->now_ms, known->fetched_ms, rules->negative_ttl_ms, 0);
}

static int serve(const struct freshness_case *known, bool is_fresh)
{
	if (known->known == FRESHNESS_OF_ABSENCE)
		return FRESHNESS_SERVE_ABSENT;
	return is_fresh ? FRESHNESS_SERVE : FRESHNESS_SERVE_STALE;
}

int freshness_decide(const struct freshness_rules *rules, const struct freshness_case *known)
{
	bool is_known = known->known != FRESHNESS_OF_NOTHING;
	enum freshness freshness = is_known ? freshness_of(rules, known) : FRESHNESS_DEAD;

	if (freshness == FRESHNESS_FRESH)
		return serve(known, true);
	if (rules->offline)
		return is_known ? serve(known, false) : -ENETDOWN;
	if (!known->waited)
		return FRESHNESS_ASK;
	/* Answered, and yet not known: missing the same key twice is an error. */
	if (!known->error)
		return -EIO;
	if (!known->may_pass || freshness == FRESHNESS_DEAD)
		return known->error;
	return known->is_refused ? -EACCES : serve(known, false);
}
