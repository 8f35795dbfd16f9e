/* SPDX-License-Identifier: MIT */

#include "kapturefs/store/limiter.h"

enum {
	REQUEST = 1000000,
	HALVINGS_MAX = 4,
	PENALTY_APART_MS = 1000,
	PENALTY_MS = 60000,
};

void limiter_init(struct limiter *limiter, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
	*limiter = (struct limiter){
		.rate = rate,
		.size = burst * REQUEST,
		.level = burst * REQUEST,
		.filled_ms = now_ms,
	};
}

static uint64_t rate_now(const struct limiter *limiter)
{
	uint64_t rate = limiter->rate >> limiter->halvings;

	return rate ? rate : 1;
}

static void grow(struct limiter *limiter, uint64_t now_ms)
{
	uint64_t missing = limiter->size - limiter->level;
	uint64_t elapsed_ms;

	/* A hold has moved the beginning of growth into the future. */
	if (now_ms <= limiter->filled_ms)
		return;
	elapsed_ms = now_ms - limiter->filled_ms;
	limiter->filled_ms = now_ms;
	if (elapsed_ms > missing / rate_now(limiter))
		limiter->level = limiter->size;
	else
		limiter->level += elapsed_ms * rate_now(limiter);
}

static void settle(struct limiter *limiter, uint64_t now_ms)
{
	while (limiter->halvings && limiter->eased_ms <= now_ms) {
		grow(limiter, limiter->eased_ms);
		limiter->halvings--;
		limiter->eased_ms += PENALTY_MS;
	}
	grow(limiter, now_ms);
}

void limiter_change(struct limiter *limiter, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
	settle(limiter, now_ms);
	limiter->rate = rate;
	limiter->size = burst * REQUEST;
	if (limiter->level > limiter->size)
		limiter->level = limiter->size;
}

uint64_t limiter_budget(struct limiter *limiter, uint64_t now_ms)
{
	settle(limiter, now_ms);
	return now_ms < limiter->held_until_ms ? 0 : limiter->level / REQUEST;
}

uint64_t limiter_rate(struct limiter *limiter, uint64_t now_ms)
{
	settle(limiter, now_ms);
	return rate_now(limiter);
}

uint64_t limiter_burst(const struct limiter *limiter)
{
	return limiter->size / REQUEST;
}

uint64_t limiter_wait_ms(struct limiter *limiter, uint64_t now_ms)
{
	return limiter_wait_for(limiter, 1, now_ms);
}

uint64_t limiter_wait_for(struct limiter *limiter, uint64_t requests, uint64_t now_ms)
{
	uint64_t wait_ms;

	if (limiter_budget(limiter, now_ms) >= requests)
		return 0;
	if (now_ms < limiter->held_until_ms)
		return limiter->held_until_ms - now_ms;

	wait_ms = (requests * REQUEST - limiter->level + rate_now(limiter) - 1) / rate_now(limiter);
	/* The rate may be better by then; whoever waits asks again. */
	if (limiter->halvings && wait_ms > limiter->eased_ms - now_ms)
		wait_ms = limiter->eased_ms - now_ms;
	return wait_ms;
}

bool limiter_take(struct limiter *limiter, uint64_t now_ms)
{
	if (!limiter_budget(limiter, now_ms))
		return false;
	limiter->level -= REQUEST;
	return true;
}

void limiter_penalise(struct limiter *limiter, uint64_t now_ms)
{
	settle(limiter, now_ms);
	limiter->level = 0;
	limiter->eased_ms = now_ms + PENALTY_MS;
	if (limiter->halvings && now_ms - limiter->penalised_ms < PENALTY_APART_MS)
		return;

	limiter->penalised_ms = now_ms;
	if (limiter->halvings < HALVINGS_MAX)
		limiter->halvings++;
}

void limiter_hold(struct limiter *limiter, uint64_t until_ms, uint64_t now_ms)
{
	if (until_ms <= now_ms || until_ms <= limiter->held_until_ms)
		return;

	/* What grows until then does, up to one request. */
	settle(limiter, until_ms);
	limiter->held_until_ms = until_ms;
	if (limiter->level > REQUEST)
		limiter->level = REQUEST;
}
