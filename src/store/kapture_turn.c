/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is to ask.
 *
 * Turns are given when a request may go out, by the gate, and there is a connection for it. So
 * what waits for a connection has not used up the budget, and nothing that was allowed before
 * goes out later, in a heap. Whatever the gate refuses, nobody waits for.
 */

#include <errno.h>

#include "kapturefs/store/kapture_parts.h"

enum { TURNS_MAX = 256 }; /* at a time, so that others have theirs */

/* What has been tried fails for its own reason. */
static void conclude_untried(struct source_fetch *fetch, const struct kapture_verdict *verdict)
{
	const struct kapture_verdict own = fetch->tries ? fetch->last : *verdict;

	fetch_conclude(fetch, &own);
}

/* Waiting */

static void take_turns(uv_timer_t *turn);

void kapture_take_turns_in(struct kapture *kapture, uint64_t wait_ms)
{
	uv_timer_start(&kapture->turn, take_turns, wait_ms, 0);
}

static uint64_t *count_of_queue(const struct source_fetch *fetch)
{
	return fetch->question.is_renewal ? &fetch->kapture->renewal_count
	                                  : &fetch->kapture->waiting_count;
}

void fetch_leave_queue(struct source_fetch *fetch)
{
	if (list_is_empty(&fetch->link))
		return;
	list_remove(&fetch->link);
	(*count_of_queue(fetch))--;
	uv_timer_stop(&fetch->timer);
}

static void wait_ended(uv_timer_t *timer)
{
	struct source_fetch *fetch = container_of(timer, struct source_fetch, timer);
	const struct kapture_verdict verdict = kapture_trouble(-ETIMEDOUT, "its turn never came");

	fetch_leave_queue(fetch);
	conclude_untried(fetch, &verdict);
}

uint64_t fetch_time_left(const struct source_fetch *fetch)
{
	uint64_t now_ms = uv_now(fetch->kapture->loop);

	return fetch->deadline_ms > now_ms ? fetch->deadline_ms - now_ms : 0;
}

void fetch_wait(struct source_fetch *fetch, bool is_first)
{
	struct kapture *kapture = fetch->kapture;
	struct list *queue = fetch->question.is_renewal ? &kapture->renewals : &kapture->waiting;

	list_insert_before(is_first ? queue->next : queue, &fetch->link);
	(*count_of_queue(fetch))++;
	uv_timer_start(&fetch->timer, wait_ended, fetch_time_left(fetch), 0);
	kapture_take_turns_in(kapture, 0);
}

/* Turns */

static struct source_fetch *next_fetch(const struct kapture *kapture)
{
	const struct list *queue =
	        list_is_empty(&kapture->waiting) ? &kapture->renewals : &kapture->waiting;

	if (list_is_empty(queue))
		return NULL;
	return container_of(queue->next, struct source_fetch, link);
}

static void note_throttled(struct source_fetch *fetch)
{
	if (!fetch->was_throttled)
		counter_add(&fetch->kapture->throttled, 1);
	fetch->was_throttled = true;
}

/* Returns whether it is the next one's turn. */
static bool take_turn(struct source_fetch *fetch)
{
	struct kapture *kapture = fetch->kapture;
	uint64_t now_ms = uv_now(kapture->loop);
	struct kapture_verdict refusal;
	uint64_t wait_ms;
	int r;

	r = gate_check(&kapture->gate, fetch->deadline_ms, now_ms, &wait_ms, &refusal);
	if (r < 0) {
		fetch_leave_queue(fetch);
		counter_add(&kapture->held_back, 1);
		conclude_untried(fetch, &refusal);
		return true;
	}
	if (kapture->asking >= kapture->asking_max)
		return false;
	if (r == GATE_WAIT) {
		note_throttled(fetch);
		kapture_take_turns_in(kapture, wait_ms);
		return false;
	}

	fetch_leave_queue(fetch);
	gate_ask(&kapture->gate, now_ms);
	fetch_try(fetch);
	return true;
}

static void take_turns(uv_timer_t *turn)
{
	struct kapture *kapture = container_of(turn, struct kapture, turn);
	struct source_fetch *fetch;

	for (int i = 0; i < TURNS_MAX; i++) {
		fetch = next_fetch(kapture);
		if (!fetch || !take_turn(fetch))
			return;
	}
	kapture_take_turns_in(kapture, 0);
}
