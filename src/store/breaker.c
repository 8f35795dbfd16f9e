/* SPDX-License-Identifier: MIT */

#include "kapturefs/store/breaker.h"

void breaker_init(struct breaker *breaker, uint32_t failures_max, uint64_t probe_apart_ms)
{
	*breaker = (struct breaker){
		.failures_max = failures_max,
		.probe_apart_ms = probe_apart_ms,
	};
}

void breaker_reset(struct breaker *breaker)
{
	breaker_init(breaker, breaker->failures_max, breaker->probe_apart_ms);
}

enum breaker_state breaker_state(const struct breaker *breaker)
{
	if (breaker->failures < breaker->failures_max)
		return BREAKER_CLOSED;
	return breaker->is_probing ? BREAKER_HALF_OPEN : BREAKER_OPEN;
}

int breaker_check(const struct breaker *breaker, uint64_t now_ms)
{
	if (breaker_state(breaker) == BREAKER_CLOSED || now_ms >= breaker->probe_at_ms)
		return 0;
	return breaker->error;
}

void breaker_ask(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker_state(breaker) == BREAKER_CLOSED)
		return;
	breaker->is_probing = true;
	breaker->probe_at_ms = now_ms + breaker->probe_apart_ms;
}

bool breaker_fail(struct breaker *breaker, int error, uint64_t now_ms)
{
	bool was_closed = breaker_state(breaker) == BREAKER_CLOSED;

	breaker->error = error;
	breaker->is_probing = false;
	breaker->probe_at_ms = now_ms + breaker->probe_apart_ms;
	if (was_closed)
		breaker->failures++;
	return was_closed && breaker_state(breaker) != BREAKER_CLOSED;
}

bool breaker_succeed(struct breaker *breaker)
{
	bool was_closed = breaker_state(breaker) == BREAKER_CLOSED;

	breaker_reset(breaker);
	return !was_closed;
}
