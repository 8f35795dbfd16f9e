/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/gate.h"

enum {
	FAILURES_MAX = 5,
	PROBE_APART_MS = 5000,
	REFUSED_MS = 30000,
};

void gate_init(struct gate *gate, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
	limiter_init(&gate->limiter, rate, burst, now_ms);
	breaker_init(&gate->breaker, FAILURES_MAX, PROBE_APART_MS);
	breaker_init(&gate->door, 1, REFUSED_MS);
	gate->held_error = 0;
}

static int refuse(struct kapture_verdict verdict, struct kapture_verdict *ret_refusal)
{
	*ret_refusal = verdict;
	return verdict.answer.error;
}

int gate_check(struct gate *gate, uint64_t deadline_ms, uint64_t now_ms, uint64_t *ret_wait_ms,
               struct kapture_verdict *ret_refusal)
{
	uint64_t held_until_ms = gate->limiter.held_until_ms;
	int r;

	r = breaker_check(&gate->door, now_ms);
	if (r)
		return refuse(kapture_failure(r, "the token has been refused"), ret_refusal);
	r = breaker_check(&gate->breaker, now_ms);
	if (r)
		return refuse(kapture_trouble(r, "too many requests have failed"), ret_refusal);
	if (held_until_ms > now_ms && held_until_ms >= deadline_ms)
		return refuse(kapture_trouble(gate->held_error,
		                              "the API has asked to be left alone"),
		              ret_refusal);

	*ret_wait_ms = limiter_wait_ms(&gate->limiter, now_ms);
	return *ret_wait_ms ? GATE_WAIT : 0;
}

void gate_ask(struct gate *gate, uint64_t now_ms)
{
	(void)limiter_take(&gate->limiter, now_ms);
	breaker_ask(&gate->breaker, now_ms);
	breaker_ask(&gate->door, now_ms);
}

void gate_answered(struct gate *gate, bool proves_token)
{
	if (breaker_succeed(&gate->breaker))
		log_notice("kapture: the API answers again");
	if (proves_token && breaker_succeed(&gate->door))
		log_notice("kapture: the API takes the token again");
}

void gate_failed(struct gate *gate, int error, uint64_t now_ms)
{
	if (breaker_fail(&gate->breaker, error, now_ms))
		log_warning("kapture: the API is left alone failures=%d error=%s", FAILURES_MAX,
		            strerrorname_np(-error));
}

void gate_refused(struct gate *gate, uint64_t now_ms)
{
	if (breaker_fail(&gate->door, -EACCES, now_ms))
		log_error("kapture: the API refuses the token; what has expired is not served; "
		          "put a valid one into the token file");
}

void gate_open_door(struct gate *gate)
{
	breaker_reset(&gate->door);
}

bool gate_is_door_closed(const struct gate *gate)
{
	return breaker_state(&gate->door) != BREAKER_CLOSED;
}

void gate_slow_down(struct gate *gate, int error, bool is_throttled, uint64_t pause_ms,
                    uint64_t now_ms)
{
	if (is_throttled)
		limiter_penalise(&gate->limiter, now_ms);
	if (!pause_ms)
		return;
	gate->held_error = error;
	limiter_hold(&gate->limiter, now_ms + pause_ms, now_ms);
}
