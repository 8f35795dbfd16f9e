/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a key: tickets and their deadlines.
 *
 * What a ticket comes back for is a look-up that is answered, and ten thousand of them take a
 * quarter of a second. So those who come back at once do so in steps, in their order, and others
 * have their turns in between.
 */

#include <errno.h>
#include <stdlib.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/catalog_parts.h"

enum {
	SOON_MS = 1,   /* a timer of 0 would go off again in the same turn of the loop */
	USER_PART = 2, /* of the places: no user has more, so that there are some for the others */
};

/* What is nobody's in particular is ours. */
bool catalog_is_full(const struct catalog *catalog, const struct tally *tally, uint32_t user,
                     size_t count)
{
	size_t max = catalog->settings.waiting_max;

	return count >= max || (user && tally_of(tally, user) >= (max + 1) / USER_PART);
}

/* Told once each time that it comes about. */
static bool is_full(struct catalog *catalog, uint32_t user)
{
	bool is_full = catalog_is_full(catalog, &catalog->tickets_of, user, catalog->ticket_count);

	if (is_full && !catalog->was_full)
		log_warning("catalog: the queue is full, or one user's half of it is waiting=%zu",
		            catalog->ticket_count);
	catalog->was_full = is_full;
	return is_full;
}

int ticket_new(struct catalog *catalog, uint64_t caller, catalog_ready_fn *ready, void *userdata,
               struct catalog_ticket **ret)
{
	uint32_t user = share_user(caller);
	struct catalog_ticket *ticket;

	if (is_full(catalog, user)) {
		counter_add(&catalog->metrics.turned_away, 1);
		return -EBUSY;
	}
	if (tally_reserve(&catalog->tickets_of))
		return -ENOMEM;
	ticket = calloc(1, sizeof(*ticket));
	if (!ticket)
		return -ENOMEM;

	ticket->catalog = catalog;
	ticket->user = user;
	ticket->ready = ready;
	ticket->userdata = userdata;
	*ret = ticket;
	return 0;
}

/* Wait no longer for what it waits for. */
static void ticket_leave(struct catalog_ticket *ticket)
{
	struct fetch *fetch = steal(&ticket->fetch);

	list_remove(&ticket->of_fetch);
	if (fetch && !fetch->is_answered && list_is_empty(&fetch->tickets))
		fetch_unwaited(fetch);
}

static void ticket_free(struct catalog_ticket *ticket)
{
	ticket_leave(ticket);
	list_remove(&ticket->of_deadlines);
	ticket->catalog->ticket_count--;
	tally_remove(&ticket->catalog->tickets_of, ticket->user);
	free(ticket);
}

static void ticket_come_back(struct catalog_ticket *ticket, const struct catalog_result *result)
{
	ticket_leave(ticket);
	ticket->is_returning = true;
	ticket->result = *result;
	list_move_before(&ticket->catalog->returning.tickets, &ticket->of_deadlines);
}

void fetch_come_back(struct fetch *fetch, const struct catalog_result *result)
{
	while (!list_is_empty(&fetch->tickets))
		ticket_come_back(container_of(fetch->tickets.next, struct catalog_ticket, of_fetch),
		                 result);
}

static void tell(struct catalog_ticket *ticket)
{
	const struct catalog_result result = ticket->result;
	catalog_ready_fn *ready = ticket->ready;
	void *userdata = ticket->userdata;

	ticket_free(ticket);
	ready(userdata, &result);
}

static void returning_goes_on(uv_timer_t *timer)
{
	tickets_return(timer->data);
}

void tickets_return(struct catalog *catalog)
{
	struct list *tickets = &catalog->returning.tickets;
	struct turn_share *share = &catalog->returning.share;

	while (!list_is_empty(tickets) && turn_share_begin(share, catalog->loop)) {
		tell(container_of(tickets->next, struct catalog_ticket, of_deadlines));
		turn_share_end(share);
	}
	if (!list_is_empty(tickets))
		uv_timer_start(&catalog->returning.timer, returning_goes_on, SOON_MS, 0);
}

bool catalog_is_returning(const struct catalog_ticket *ticket)
{
	return ticket && ticket->is_returning;
}

void tickets_init(struct catalog *catalog)
{
	list_init(&catalog->returning.tickets);
	uv_timer_init(catalog->loop, &catalog->returning.timer);
	catalog->returning.timer.data = catalog;
	catalog->handles_open++;
}

/* Nobody wants the answer, and nothing has been spent on it. */
static bool is_worthless(const struct fetch *fetch)
{
	return list_is_empty(&fetch->tickets) && fetch->question.hurry == SOURCE_IN_A_HURRY &&
	       !fetch->is_answered && !fetch_sent(fetch);
}

void catalog_cancel(struct catalog_ticket *ticket)
{
	struct fetch *fetch;

	if (!ticket)
		return;

	fetch = ticket->fetch;
	ticket_free(ticket);
	if (fetch && is_worthless(fetch))
		fetch_free(fetch);
}

static void deadlines_passed(uv_timer_t *timer);

static struct catalog_ticket *first_ticket(const struct deadlines *deadlines)
{
	return container_of(deadlines->tickets.next, struct catalog_ticket, of_deadlines);
}

/* Have the timer run when the first ticket is due. */
static void deadlines_arm(struct deadlines *deadlines)
{
	uint64_t now_ms = uv_now(deadlines->timer.loop);
	uint64_t due_ms;

	if (list_is_empty(&deadlines->tickets)) {
		uv_timer_stop(&deadlines->timer);
		return;
	}
	due_ms = first_ticket(deadlines)->due_ms;
	uv_timer_start(&deadlines->timer, deadlines_passed, due_ms > now_ms ? due_ms - now_ms : 0,
	               0);
}

static void deadlines_passed(uv_timer_t *timer)
{
	struct deadlines *deadlines = container_of(timer, struct deadlines, timer);
	const struct catalog_result result = { .error = deadlines->error, .may_pass = true };

	while (!list_is_empty(&deadlines->tickets) &&
	       first_ticket(deadlines)->due_ms <= uv_now(timer->loop))
		ticket_come_back(first_ticket(deadlines), &result);
	deadlines_arm(deadlines);
	tickets_return(timer->data);
}

void ticket_link(struct catalog_ticket *ticket, struct fetch *fetch, struct deadlines *deadlines)
{
	struct list *place = &deadlines->tickets;

	ticket->catalog->ticket_count++;
	tally_add(&ticket->catalog->tickets_of, ticket->user);
	list_init(&ticket->of_fetch);
	ticket->fetch = fetch;
	if (fetch)
		list_insert_before(&fetch->tickets, &ticket->of_fetch);

	ticket->due_ms = uv_now(deadlines->timer.loop) + deadlines->duration_ms;
	/* Those who came before the duration changed may be due later. */
	while (place->previous != &deadlines->tickets &&
	       container_of(place->previous, struct catalog_ticket, of_deadlines)->due_ms >
	               ticket->due_ms)
		place = place->previous;
	list_insert_before(place, &ticket->of_deadlines);
	if (first_ticket(deadlines) == ticket)
		deadlines_arm(deadlines);
}

void ticket_move(struct catalog_ticket *ticket, struct fetch *to)
{
	list_move_before(&to->tickets, &ticket->of_fetch);
	ticket->fetch = to;
}

void deadlines_init(struct catalog *catalog, struct deadlines *deadlines, uint64_t duration_ms,
                    int error)
{
	list_init(&deadlines->tickets);
	deadlines->duration_ms = duration_ms;
	deadlines->error = error;
	uv_timer_init(catalog->loop, &deadlines->timer);
	deadlines->timer.data = catalog;
	catalog->handles_open++;
}
