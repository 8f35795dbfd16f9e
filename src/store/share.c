/* SPDX-License-Identifier: MIT */

#include <inttypes.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/share.h"

enum {
	RESERVE_PART = 4, /* of the burst */
	OTHERS_PART = 2,  /* ... of that */
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

static const struct share *look(const struct share *list, uint64_t caller)
{
	for (int i = 0; i < SHARE_CALLERS; i++) {
		if (list[i].used && list[i].caller == caller)
			return &list[i];
	}
	return NULL;
}

static struct share *find(struct shares *shares, struct share *list, uint64_t caller,
                          uint64_t now_ms)
{
	struct share *oldest = &list[0];

	for (int i = 0; i < SHARE_CALLERS; i++) {
		struct share *share = &list[i];

		if (share->used && share->caller == caller) {
			share->used = ++shares->uses;
			return share;
		}
		if (share->used < oldest->used)
			oldest = share;
	}
	*oldest = (struct share){
		.caller = caller,
		.used = ++shares->uses,
		.minute_ms = now_ms,
	};
	limiter_init(&oldest->own, part_of(shares->rate), part_of(shares->burst), now_ms);
	return oldest;
}

static struct share *find_user(struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	return find(shares, shares->users, share_user(caller), now_ms);
}

static struct share *find_session(struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	return find(shares, shares->sessions, caller, now_ms);
}

/* Behind its last question, and behind what has had its turn: who was away has saved up none. */
static uint64_t place_behind(const struct share *share, uint64_t turn)
{
	return (share && share->place > turn ? share->place : turn) + 1;
}

struct share_place shares_queue(struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	struct share *user = find_user(shares, caller, now_ms);
	struct share *session = find_session(shares, caller, now_ms);

	user->place = place_behind(user, shares->place);
	session->place = place_behind(session, user->turn);
	return (struct share_place){ user->place, session->place };
}

struct share_place shares_next_place(const struct shares *shares, uint64_t caller)
{
	const struct share *user = look(shares->users, share_user(caller));
	const struct share *session = look(shares->sessions, caller);

	return (struct share_place){
		.of_user = place_behind(user, shares->place),
		.of_session = place_behind(session, user ? user->turn : 0),
	};
}

static bool has_had_much(const struct share *share, uint64_t now_ms)
{
	struct limiter own;

	if (!share)
		return false;
	own = share->own;
	return !limiter_budget(&own, now_ms);
}

uint64_t shares_reserve(const struct shares *shares, uint64_t caller, uint64_t now_ms)
{
	uint64_t reserve = shares->burst / RESERVE_PART;

	if (!caller)
		return 0;
	if (has_had_much(look(shares->sessions, caller), now_ms))
		return reserve;
	if (has_had_much(look(shares->users, share_user(caller)), now_ms))
		return (reserve + 1) / OTHERS_PART;
	return 0;
}

static void count(struct share *share, uint64_t now_ms)
{
	if (now_ms - share->minute_ms >= MINUTE_MS) {
		share->minute_ms = now_ms;
		share->asked = 0;
	}
	if (++share->asked == WALK_REQUESTS && share->caller)
		log_notice("kapture: somebody asks for many customers session=%" PRIu32
		           " requests=%d",
		           (uint32_t)share->caller, WALK_REQUESTS);
}

void shares_ask(struct shares *shares, uint64_t caller, struct share_place place, uint64_t now_ms)
{
	struct share *user = find_user(shares, caller, now_ms);
	struct share *session = find_session(shares, caller, now_ms);

	if (place.of_user > shares->place)
		shares->place = place.of_user;
	if (place.of_session > user->turn)
		user->turn = place.of_session;
	(void)limiter_take(&user->own, now_ms);
	(void)limiter_take(&session->own, now_ms);
	count(session, now_ms);
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
		const struct share *share = &shares->sessions[i];

		if (share->asked && share->caller && now_ms - share->minute_ms < MINUTE_MS)
			insert(list, count++, share);
	}
	for (size_t i = 0; i < count && i < max; i++)
		ret[i] = list[i];
	return count < max ? count : max;
}
