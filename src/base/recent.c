/* SPDX-License-Identifier: MIT */

#include "kapturefs/base/recent.h"

enum { MINUTE_MS = 60 * 1000 };

static void forget_old(struct recent *recent, uint64_t minute)
{
	uint64_t passed = minute - recent->minute;

	for (uint64_t i = 1; i <= passed && i <= RECENT_MINUTES; i++)
		recent->minutes[(recent->minute + i) % RECENT_MINUTES] = (struct recent_count){ 0 };
	recent->minute = minute;
}

void recent_add(struct recent *recent, uint64_t now_ms, bool is_bad)
{
	struct recent_count *count;

	forget_old(recent, now_ms / MINUTE_MS);
	count = &recent->minutes[recent->minute % RECENT_MINUTES];
	count->all++;
	count->bad += is_bad;
}

struct recent_count recent_sum(const struct recent *recent, uint64_t now_ms)
{
	struct recent now = *recent;
	struct recent_count sum = { 0 };

	forget_old(&now, now_ms / MINUTE_MS);
	for (int i = 0; i < RECENT_MINUTES; i++) {
		sum.all += now.minutes[i].all;
		sum.bad += now.minutes[i].bad;
	}
	return sum;
}
