/* SPDX-License-Identifier: MIT */

#include <inttypes.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/share.h"

enum {
	RESERVE_PART = 4, /* of the burst */
	OWN_PART = 2,     /* of rate and burst */
	MINUTE_MS = 60000,
	/* A minute of somebody who walks, rather than looks something up. */
	WALK_REQUESTS = 100,
};

void shares_init(struct shares *shares, uint64_t rate, uint64_t burst)
{
	*shares = (struct shares){ .rate = rate, .burst = burst };
}

static uint64_t part_of(uint64_t whole)
{
	return whole >= OWN_PART ? whole / OWN_PART : 1;
}

static struct share *find(struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	struct share *oldest = &shares->callers[0];

	for (int i = 0; i < SHARE_CALLERS; i++) {
		struct share *share = &shares->callers[i];

		if (share->place && share->caller == caller)
			return share;
		if (share->place < oldest->place)
			oldest = share;
	}
	*oldest = (struct share){
		.caller = caller,
		.place = shares->place ? shares->place : 1,
		.minute_ms = now_ms,
	};
	limiter_init(&oldest->own, part_of(shares->rate), part_of(shares->burst), now_ms);
	return oldest;
}

uint64_t shares_queue(struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	struct share *share = find(shares, caller, now_ms);

	if (share->place < shares->place)
		share->place = shares->place;
	return ++share->place;
}

uint64_t shares_next_place(const struct shares *shares, uint64_t caller)
{
	for (int i = 0; i < SHARE_CALLERS; i++) {
		const struct share *share = &shares->callers[i];

		if (share->place > shares->place && share->caller == caller)
			return share->place + 1;
	}
	return shares->place + 1;
}

uint64_t shares_reserve(struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	if (!caller || limiter_budget(&find(shares, caller, now_ms)->own, now_ms))
		return 0;
	return shares->burst / RESERVE_PART;
}

static void count(struct share *share, uint64_t now_ms)
{
	if (now_ms - share->minute_ms >= MINUTE_MS) {
		share->minute_ms = now_ms;
		share->asked = 0;
	}
	if (++share->asked == WALK_REQUESTS && share->caller)
		log_notice("kapture: somebody asks for many customers session=%" PRIu64
		           " requests=%d",
		           share->caller, WALK_REQUESTS);
}

void shares_ask(struct shares *shares, uint64_t caller, uint64_t place, uint64_t now_ms)
{
	struct share *share = find(shares, caller, now_ms);

	if (place > shares->place)
		shares->place = place;
	(void)limiter_take(&share->own, now_ms);
	count(share, now_ms);
}

/* Put @share where it belongs among the first @count. */
static void insert(struct share_count *list, size_t count, const struct share *share)
{
	while (count && list[count - 1].asked < share->asked) {
		list[count] = list[count - 1];
		count--;
	}
	list[count] = (struct share_count){ share->caller, share->asked };
}

size_t shares_list(const struct shares *shares, uint64_t now_ms, struct share_count *ret,
                   size_t max)
{
	struct share_count list[SHARE_CALLERS];
	size_t count = 0;

	for (int i = 0; i < SHARE_CALLERS; i++) {
		const struct share *share = &shares->callers[i];

		if (share->asked && share->caller && now_ms - share->minute_ms < MINUTE_MS)
			insert(list, count++, share);
	}
	for (size_t i = 0; i < count && i < max; i++)
		ret[i] = list[i];
	return count < max ? count : max;
}
