/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#include "kapturefs/base/error_name.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/gate.h"

enum {
	PROBE_APART_MS = 5000,
	REFUSED_MS = 30000,
};

static const char *const what_for[] = {
	[GATE_CUSTOMERS] = "",
	[GATE_DAYS] = " for days",
};

static uint64_t half(uint64_t whole)
{
	return whole > 1 ? whole / 2 : 1;
}

void gate_init(struct gate *gate, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
	limiter_init(&gate->limiter, rate, burst, now_ms);
	limiter_init(&gate->unwaited, half(rate), half(burst), now_ms);
	breaker_init(&gate->breaker, PROBE_APART_MS);
	for (size_t i = 0; i < GATE_DOORS; i++)
		breaker_init(&gate->doors[i], REFUSED_MS);
	gate->held_error = 0;
}

void gate_change(struct gate *gate, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
	limiter_change(&gate->limiter, rate, burst, now_ms);
	limiter_change(&gate->unwaited, half(rate), half(burst), now_ms);
}

static int refuse(struct kapture_verdict verdict, struct kapture_verdict *ret_refusal)
{
	*ret_refusal = verdict;
	return verdict.answer.error;
}

int gate_check(struct gate *gate, enum gate_door door, uint64_t latest_ms, uint64_t now_ms,
               uint64_t *ret_wait_ms, struct kapture_verdict *ret_refusal)
{
	uint64_t held_until_ms = gate->limiter.held_until_ms;
	int r;

	r = breaker_check(&gate->doors[door], now_ms);
	if (r)
		return refuse(kapture_refusal("the API refuses the token"), ret_refusal);
	r = breaker_check(&gate->breaker, now_ms);
	if (r)
		return refuse(kapture_trouble(r, "too many requests have failed"), ret_refusal);
	if (held_until_ms > now_ms && held_until_ms >= latest_ms)
		return refuse(kapture_trouble(gate->held_error,
		                              "the API has asked to be left alone"),
		              ret_refusal);

	*ret_wait_ms = limiter_wait_ms(&gate->limiter, now_ms);
	return *ret_wait_ms ? GATE_WAIT : 0;
}

void gate_ask(struct gate *gate, enum gate_door door, uint64_t now_ms)
{
	(void)limiter_take(&gate->limiter, now_ms);
	breaker_ask(&gate->breaker, now_ms);
	breaker_ask(&gate->doors[door], now_ms);
}

static void tell_recovery(bool has_recovered)
{
	if (has_recovered)
		log_notice("kapture: the API answers again");
}

void gate_answered(struct gate *gate, enum gate_door door, bool proves_token)
{
	tell_recovery(breaker_succeed(&gate->breaker));
	if (proves_token && breaker_succeed(&gate->doors[door]))
		log_notice("kapture: the API takes the token again%s", what_for[door]);
}

void gate_replied(struct gate *gate)
{
	tell_recovery(breaker_pass(&gate->breaker));
}

void gate_failed(struct gate *gate, const struct key *key, int error, uint64_t now_ms)
{
	if (breaker_fail(&gate->breaker, key, error, now_ms))
		log_warning("kapture: the API is left alone failed_keys=%d error=%s", BREAKER_KEYS,
		            error_name(-error));
}

void gate_refused(struct gate *gate, enum gate_door door, uint64_t now_ms)
{
	if (breaker_trip(&gate->doors[door], -EACCES, now_ms))
		log_error("kapture: the API refuses the token%s; what has expired is not served; "
		          "put a valid one into the token file",
		          what_for[door]);
}

void gate_denied(struct gate *gate, enum gate_door door, const struct key *key, uint64_t now_ms)
{
	if (breaker_fail(&gate->doors[door], key, -EACCES, now_ms))
		log_error("kapture: the API denies access%s, whatever is asked for; what has "
		          "expired is not served; have the token's rights looked at, and firewalls "
		          "on the way",
		          what_for[door]);
}

void gate_open_doors(struct gate *gate)
{
	for (size_t i = 0; i < GATE_DOORS; i++)
		breaker_reset(&gate->doors[i]);
}

bool gate_is_closed(const struct gate *gate, enum gate_door door)
{
	return breaker_state(&gate->doors[door]) != BREAKER_CLOSED;
}

void gate_slow_down(struct gate *gate, int error, bool is_throttled, uint64_t pause_ms,
                    uint64_t now_ms)
{
	if (is_throttled) {
		limiter_penalise(&gate->limiter, now_ms);
		limiter_penalise(&gate->unwaited, now_ms);
	}
	if (!pause_ms)
		return;
	gate->held_error = error;
	limiter_hold(&gate->limiter, now_ms + pause_ms, now_ms);
}
