/* SPDX-License-Identifier: MIT */

#include "kapturefs/store/breaker.h"

void breaker_init(struct breaker *breaker, uint64_t probe_apart_ms)
{
	*breaker = (struct breaker){ .probe_apart_ms = probe_apart_ms };
}

void breaker_reset(struct breaker *breaker)
{
	breaker_init(breaker, breaker->probe_apart_ms);
}

enum breaker_state breaker_state(const struct breaker *breaker)
{
	if (breaker->failed_count < BREAKER_KEYS)
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

static void note_error(struct breaker *breaker, int error, uint64_t now_ms)
{
	breaker->error = error;
	breaker->is_probing = false;
	breaker->probe_at_ms = now_ms + breaker->probe_apart_ms;
}

static void note_key(struct breaker *breaker, const struct key *key)
{
	for (uint32_t i = 0; i < breaker->failed_count; i++) {
		if (key_equal(&breaker->failed[i], key))
			return;
	}
	breaker->failed[breaker->failed_count++] = *key;
}

bool breaker_fail(struct breaker *breaker, const struct key *key, int error, uint64_t now_ms)
{
	bool was_closed = breaker_state(breaker) == BREAKER_CLOSED;

	note_error(breaker, error, now_ms);
	if (was_closed)
		note_key(breaker, key);
	return was_closed && breaker_state(breaker) != BREAKER_CLOSED;
}

bool breaker_trip(struct breaker *breaker, int error, uint64_t now_ms)
{
	bool was_closed = breaker_state(breaker) == BREAKER_CLOSED;

	note_error(breaker, error, now_ms);
	breaker->failed_count = BREAKER_KEYS;
	return was_closed;
}

bool breaker_succeed(struct breaker *breaker)
{
	bool was_closed = breaker_state(breaker) == BREAKER_CLOSED;

	breaker_reset(breaker);
	return !was_closed;
}

bool breaker_pass(struct breaker *breaker)
{
	return breaker_state(breaker) != BREAKER_CLOSED && breaker_succeed(breaker);
}
