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

enum {
	TURNS_MAX = 256, /* at a time, so that others have theirs */
	SOON_MS = 1,     /* a timer of 0 would go off again in the same turn of the loop */
	LEAST_PART = 10, /* of the timeout: with less than that left, nothing is asked */
};

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

void fetch_leave_queue(struct source_fetch *fetch)
{
	if (list_is_empty(&fetch->link))
		return;
	list_remove(&fetch->link);
	fetch->kapture->queued_count--;
	uv_timer_stop(&fetch->timer);
}

static struct source_fetch *fetch_at(struct list *link)
{
	return container_of(link, struct source_fetch, link);
}

/* Thousands may have begun to wait at once: so their end is told in steps. */
static void tell_ended(uv_timer_t *timer)
{
	const struct kapture_verdict verdict =
	        kapture_trouble(-ETIMEDOUT, "its turn did not come in time");
	struct kapture *kapture = timer->data;
	struct list *ended = &kapture->ended;

	while (!list_is_empty(ended) && turn_share_begin(&kapture->ending, kapture->loop)) {
		struct source_fetch *fetch = fetch_at(ended->next);

		fetch_leave_queue(fetch);
		conclude_untried(fetch, &verdict);
		turn_share_end(&kapture->ending);
	}
	if (!list_is_empty(ended))
		uv_timer_start(timer, tell_ended, SOON_MS, 0);
}

static void wait_ended(uv_timer_t *timer)
{
	struct source_fetch *fetch = container_of(timer, struct source_fetch, timer);

	list_move_before(&fetch->kapture->ended, &fetch->link);
	tell_ended(&fetch->kapture->end);
}

uint64_t fetch_time_left(const struct source_fetch *fetch)
{
	uint64_t now_ms = uv_now(fetch->kapture->loop);

	return fetch->deadline_ms > now_ms ? fetch->deadline_ms - now_ms : 0;
}

/* When it is too late for its turn to come, of the loop's clock. */
static uint64_t latest_start_ms(const struct source_fetch *fetch)
{
	uint64_t least_ms = fetch->kapture->timeout_ms / LEAST_PART;

	return fetch->deadline_ms > least_ms ? fetch->deadline_ms - least_ms : 0;
}

bool fetch_has_time(const struct source_fetch *fetch, uint64_t at_ms)
{
	return at_ms < latest_start_ms(fetch);
}

/* Behind those with places that are not later: most questions come last, or nearly first. */
static struct list *place_in(struct list *queue, uint64_t place)
{
	struct list *link;

	if (list_is_empty(queue) || fetch_at(queue->previous)->place.of_user <= place)
		return queue;
	for (link = queue->next; fetch_at(link)->place.of_user <= place; link = link->next)
		;
	return link;
}

/* Whether it waits for its turn; it may be under way, between its tries, or its time be over. */
static bool is_queued(const struct source_fetch *fetch)
{
	return !list_is_empty(&fetch->link) && uv_is_active((const uv_handle_t *)&fetch->timer);
}

static void queue_again(struct source_fetch *fetch)
{
	struct list *queue = &fetch->kapture->queues[fetch->question.hurry];

	list_remove(&fetch->link);
	list_insert_before(place_in(queue, fetch->place.of_user), &fetch->link);
	kapture_take_turns_in(fetch->kapture, 0);
}

void fetch_wait(struct source_fetch *fetch, bool is_first)
{
	struct kapture *kapture = fetch->kapture;
	struct list *queue = &kapture->queues[fetch->question.hurry];
	uint64_t latest_ms = latest_start_ms(fetch);
	uint64_t now_ms = uv_now(kapture->loop);

	if (!is_first)
		fetch->place = shares_queue(&kapture->shares, fetch->question.caller, now_ms);
	list_insert_before(is_first ? queue->next : place_in(queue, fetch->place.of_user),
	                   &fetch->link);
	kapture->queued_count++;
	uv_timer_start(&fetch->timer, wait_ended, latest_ms > now_ms ? latest_ms - now_ms : 0, 0);
	kapture_take_turns_in(kapture, 0);
}

void kapture_hurry(struct source_fetch *fetch, enum source_hurry hurry)
{
	if (fetch->question.hurry == hurry)
		return;
	fetch->question.hurry = hurry;
	if (is_queued(fetch))
		queue_again(fetch);
}

void kapture_join(struct source_fetch *fetch, uint64_t caller)
{
	struct shares *shares = &fetch->kapture->shares;

	if (!is_queued(fetch) || fetch->question.caller == caller ||
	    shares_next_place(shares, caller).of_user >= fetch->place.of_user)
		return;
	fetch->question.caller = caller;
	fetch->place = shares_queue(shares, caller, uv_now(fetch->kapture->loop));
	queue_again(fetch);
}

/* Turns */

static uint64_t reserve_for(struct source_fetch *fetch)
{
	struct kapture *kapture = fetch->kapture;

	return shares_reserve(&kapture->shares, fetch->question.caller, uv_now(kapture->loop));
}

static bool is_of_same_user(const struct source_fetch *one, const struct source_fetch *other)
{
	return share_user(one->question.caller) == share_user(other->question.caller);
}

/* Have @fetch and @later, which stands behind it, change places among those of all users. */
static void change_places(struct source_fetch *fetch, struct source_fetch *later)
{
	struct list *behind = later->link.next;
	uint64_t place = fetch->place.of_user;

	fetch->place.of_user = later->place.of_user;
	later->place.of_user = place;
	list_move_before(&fetch->link, &later->link);
	list_move_before(behind, &fetch->link);
}

/* It is the turn of the user of @fetch: of the session of his that is due, if that has budget. */
static struct source_fetch *due_of_user(struct list *queue, struct source_fetch *fetch,
                                        uint64_t budget)
{
	struct source_fetch *due = fetch;

	for (struct list *link = fetch->link.next; link != queue; link = link->next) {
		struct source_fetch *other = fetch_at(link);

		if (other->place.of_session < due->place.of_session &&
		    is_of_same_user(other, fetch))
			due = other;
	}
	if (due == fetch || budget <= reserve_for(due))
		return fetch;
	change_places(fetch, due);
	return due;
}

/* The first for whom there is some budget; if there is none, the first. */
static struct source_fetch *next_in(struct kapture *kapture, struct list *queue)
{
	uint64_t budget = limiter_budget(&kapture->gate.limiter, uv_now(kapture->loop));

	for (struct list *link = queue->next; budget && link != queue; link = link->next) {
		if (budget > reserve_for(fetch_at(link)))
			return due_of_user(queue, fetch_at(link), budget);
	}
	return fetch_at(queue->next);
}

static struct source_fetch *next_fetch(struct kapture *kapture)
{
	struct list *in_a_hurry = &kapture->queues[SOURCE_IN_A_HURRY];

	if (!list_is_empty(in_a_hurry))
		return next_in(kapture, in_a_hurry);
	for (int hurry = SOURCE_CAN_WAIT; hurry < SOURCE_HURRIES; hurry++) {
		if (!list_is_empty(&kapture->queues[hurry]))
			return fetch_at(kapture->queues[hurry].next);
	}
	return NULL;
}

/* As gate_check(), and with what the caller has to leave alone. */
static int check(struct source_fetch *fetch, uint64_t *ret_wait_ms,
                 struct kapture_verdict *ret_refusal)
{
	struct kapture *kapture = fetch->kapture;
	uint64_t now_ms = uv_now(kapture->loop);
	int r = gate_check(&kapture->gate, kapture_door(fetch->question.key.kind),
	                   latest_start_ms(fetch), now_ms, ret_wait_ms, ret_refusal);

	if (r)
		return r;
	*ret_wait_ms = limiter_wait_for(&kapture->gate.limiter, reserve_for(fetch) + 1, now_ms);
	if (!*ret_wait_ms && fetch->question.hurry == SOURCE_UNWAITED)
		*ret_wait_ms = limiter_wait_ms(&kapture->gate.unwaited, now_ms);
	return *ret_wait_ms ? GATE_WAIT : 0;
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

	r = check(fetch, &wait_ms, &refusal);
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
	if (fetch->question.hurry == SOURCE_UNWAITED)
		(void)limiter_take(&kapture->gate.unwaited, now_ms);
	gate_ask(&kapture->gate, kapture_door(fetch->question.key.kind), now_ms);
	shares_ask(&kapture->shares, fetch->question.caller, fetch->place, now_ms);
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
	kapture_take_turns_in(kapture, SOON_MS);
}
