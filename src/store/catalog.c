/* SPDX-License-Identifier: MIT */
/*
 * One fetch a key, any number of tickets on it:
 *
 *   want      links a ticket to the key's fetch, starting one if there is none,
 *             and to the list of its deadline
 *   answered  the answer is stored and the listener told; then every ticket
 *             of the fetch comes back, and the fetch is gone
 *   deadline  the ticket alone comes back; the fetch goes on
 *   cancel    the ticket alone is gone; the fetch goes on
 *
 * All tickets of one list wait equally long, so each list is in the order of its deadlines.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "kapturefs/base/list.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/freshness.h"
#include "kapturefs/store/hotset.h"

struct deadlines {
	struct list tickets;
	uv_timer_t timer;
	uint64_t duration_ms;
};

struct catalog {
	uv_loop_t *loop;
	struct cache *cache;
	struct source *source;
	struct hotset *hotset;
	struct catalog_settings settings;
	struct catalog_listener listener;
	struct list fetches;
	struct deadlines timeout;
	struct deadlines patience;
	int64_t started_ms;
	unsigned handles_open; /* the timers, closing or not */
};

struct fetch {
	struct list link;
	struct catalog *catalog;
	struct key key;
	struct list tickets;
	struct source_fetch *source_fetch;
};

struct catalog_ticket {
	struct list of_fetch;
	struct list of_deadlines;
	uint64_t due_ms; /* of the loop's clock */
	catalog_ready_fn *ready;
	void *userdata;
};

int64_t catalog_now_ms(const struct catalog *catalog)
{
	struct timespec now;

	(void)catalog;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void catalog_listen(struct catalog *catalog, struct catalog_listener listener)
{
	catalog->listener = listener;
}

void catalog_entry_fini(struct catalog_entry *entry)
{
	record_unref(steal(&entry->customer.record));
}

/* Finding */

int catalog_customer(struct catalog *catalog, uint32_t slot, struct cache_customer *ret)
{
	int r;

	if (hotset_find(catalog->hotset, slot, ret))
		return 0;

	r = cache_read_customer(catalog->cache, slot, ret);
	if (r == CACHE_NONE)
		return CATALOG_ABSENT;
	if (r)
		return r;

	hotset_put(catalog->hotset, ret);
	return 0;
}

int catalog_key(struct catalog *catalog, uint32_t slot, struct cache_key *ret)
{
	int r = cache_read_key(catalog->cache, slot, ret);

	return r == CACHE_NONE ? CATALOG_ABSENT : r;
}

int catalog_next_key(struct catalog *catalog, enum key_kind kind, uint32_t slot,
                     struct cache_key *ret)
{
	int r = cache_next_key(catalog->cache, kind, slot, ret);

	return r == CACHE_NONE ? CATALOG_ABSENT : r;
}

int64_t catalog_listing_changed_ms(const struct catalog *catalog, enum key_kind kind)
{
	return cache_listing_changed_ms(catalog->cache, kind);
}

static enum freshness answer_freshness(const struct catalog *catalog, int64_t fetched_ms,
                                       uint64_t ttl_ms, const struct catalog_question *question)
{
	if (fetched_ms >= question->asked_ms && question->waited)
		return FRESHNESS_FRESH;
	return freshness_at(catalog_now_ms(catalog), fetched_ms, (int64_t)ttl_ms,
	                    (int64_t)catalog->settings.max_stale_ms);
}

/* Nothing fresh is known: what is there instead of a fresh answer? */
static int find_instead(const struct catalog *catalog, bool may_serve_old,
                        const struct catalog_question *question)
{
	if (catalog->settings.offline)
		return may_serve_old ? 0 : -ENETDOWN;
	if (!question->waited)
		return CATALOG_MISSING;
	/* Answered, and yet not known: missing the same key twice is an error. */
	if (!question->result.error)
		return -EIO;
	if (question->result.may_pass && may_serve_old)
		return 0;
	return question->result.error;
}

static int find_absent(struct catalog *catalog, const struct key *key,
                       const struct catalog_question *question)
{
	enum freshness freshness;
	int64_t fetched_ms;
	int r;

	r = cache_find_absent(catalog->cache, key, &fetched_ms);
	if (r < 0)
		return r;
	if (r == CACHE_NONE)
		return find_instead(catalog, false, question);

	freshness =
	        answer_freshness(catalog, fetched_ms, catalog->settings.negative_ttl_ms, question);
	if (freshness == FRESHNESS_FRESH || catalog->settings.offline)
		return CATALOG_ABSENT;
	return find_instead(catalog, false, question);
}

int catalog_find(struct catalog *catalog, const struct key *key,
                 const struct catalog_question *question, struct catalog_entry *ret)
{
	struct catalog_entry entry = { 0 };
	enum freshness freshness;
	int r;

	r = cache_find_key(catalog->cache, key, &entry.key);
	if (r < 0)
		return r;
	if (r == CACHE_NONE)
		return find_absent(catalog, key, question);

	freshness =
	        answer_freshness(catalog, entry.key.fetched_ms, catalog->settings.ttl_ms, question);
	if (freshness != FRESHNESS_FRESH) {
		r = find_instead(catalog, freshness == FRESHNESS_STALE || catalog->settings.offline,
		                 question);
		if (r)
			return r;
	}

	r = catalog_customer(catalog, entry.key.customer, &entry.customer);
	if (r)
		return r < 0 ? r : -EIO;

	entry.is_stale = freshness != FRESHNESS_FRESH;
	entry.is_from_api = entry.key.fetched_ms >= catalog->started_ms;
	entry.expires_ms = entry.key.fetched_ms + (int64_t)catalog->settings.ttl_ms;
	*ret = entry;
	return 0;
}

/* Waiting */

static void ticket_come_back(struct catalog_ticket *ticket, const struct catalog_result *result)
{
	catalog_ready_fn *ready = ticket->ready;
	void *userdata = ticket->userdata;

	catalog_cancel(ticket);
	ready(userdata, result);
}

void catalog_cancel(struct catalog_ticket *ticket)
{
	if (!ticket)
		return;

	list_remove(&ticket->of_fetch);
	list_remove(&ticket->of_deadlines);
	free(ticket);
}

static void deadlines_passed(uv_timer_t *timer);

/* Have the timer run when the first ticket is due. */
static void deadlines_arm(struct deadlines *deadlines)
{
	struct catalog_ticket *first;
	uint64_t now_ms;

	if (list_is_empty(&deadlines->tickets)) {
		uv_timer_stop(&deadlines->timer);
		return;
	}
	first = container_of(deadlines->tickets.next, struct catalog_ticket, of_deadlines);
	now_ms = uv_now(deadlines->timer.loop);
	uv_timer_start(&deadlines->timer, deadlines_passed,
	               first->due_ms > now_ms ? first->due_ms - now_ms : 0, 0);
}

static void deadlines_passed(uv_timer_t *timer)
{
	struct deadlines *deadlines = container_of(timer, struct deadlines, timer);
	const struct catalog_result result = { .error = -ETIMEDOUT, .may_pass = true };

	while (!list_is_empty(&deadlines->tickets)) {
		struct catalog_ticket *first =
		        container_of(deadlines->tickets.next, struct catalog_ticket, of_deadlines);

		if (first->due_ms > uv_now(timer->loop))
			break;
		ticket_come_back(first, &result);
	}
	deadlines_arm(deadlines);
}

static void deadlines_add(struct deadlines *deadlines, struct catalog_ticket *ticket)
{
	bool was_empty = list_is_empty(&deadlines->tickets);

	ticket->due_ms = uv_now(deadlines->timer.loop) + deadlines->duration_ms;
	list_insert_before(&deadlines->tickets, &ticket->of_deadlines);
	if (was_empty)
		deadlines_arm(deadlines);
}

/* Fetching */

static void fetch_free(struct fetch *fetch)
{
	assert(list_is_empty(&fetch->tickets));

	list_remove(&fetch->link);
	if (fetch->source_fetch)
		fetch->catalog->source->operations->free(fetch->source_fetch);
	free(fetch);
}

/* Store the answer and tell the listener. */
static int keep(struct catalog *catalog, const struct key *key, struct record *record)
{
	int64_t now_ms = catalog_now_ms(catalog);
	struct cache_change change;
	int r;

	r = record ? cache_store(catalog->cache, key, record, now_ms, &change)
	           : cache_store_absent(catalog->cache, key, now_ms, &change);
	if (r)
		return r;

	if (change.customer.record)
		hotset_put(catalog->hotset, &change.customer);
	else if (change.customer.slot)
		hotset_remove(catalog->hotset, change.customer.slot);
	if (catalog->listener.changed)
		catalog->listener.changed(catalog->listener.userdata, &change);
	cache_change_fini(&change);
	return 0;
}

static void fetch_answered(void *userdata, const struct source_answer *answer)
{
	struct fetch *fetch = userdata;
	struct catalog_result result = { answer->error, answer->may_pass };

	if (!result.error)
		result.error = keep(fetch->catalog, &fetch->key, answer->record);

	/* Those who come back may want the key again: that is another fetch. */
	list_remove(&fetch->link);
	while (!list_is_empty(&fetch->tickets))
		ticket_come_back(container_of(fetch->tickets.next, struct catalog_ticket, of_fetch),
		                 &result);
	fetch_free(fetch);
}

static struct fetch *find_fetch(struct catalog *catalog, const struct key *key)
{
	for (struct list *link = catalog->fetches.next; link != &catalog->fetches;
	     link = link->next) {
		struct fetch *fetch = container_of(link, struct fetch, link);

		if (key_equal(&fetch->key, key))
			return fetch;
	}
	return NULL;
}

static int fetch_new(struct catalog *catalog, const struct key *key, struct fetch **ret)
{
	struct fetch *fetch;
	int r;

	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;

	fetch->catalog = catalog;
	fetch->key = *key;
	list_init(&fetch->tickets);
	list_init(&fetch->link);
	r = catalog->source->operations->start(catalog->source, key, fetch_answered, fetch,
	                                       &fetch->source_fetch);
	if (r) {
		fetch_free(fetch);
		return r;
	}

	list_insert_before(&catalog->fetches, &fetch->link);
	*ret = fetch;
	return 0;
}

/* Whether a wait for @key may end with an old answer. */
static bool has_old_answer(struct catalog *catalog, const struct key *key)
{
	struct cache_key found;

	return cache_find_key(catalog->cache, key, &found) == 0 &&
	       freshness_at(catalog_now_ms(catalog), found.fetched_ms,
	                    (int64_t)catalog->settings.ttl_ms,
	                    (int64_t)catalog->settings.max_stale_ms) != FRESHNESS_DEAD;
}

int catalog_want(struct catalog *catalog, const struct key *key, catalog_ready_fn *ready,
                 void *userdata, struct catalog_ticket **ret)
{
	struct catalog_ticket *ticket;
	struct fetch *fetch;
	int r;

	ticket = calloc(1, sizeof(*ticket));
	if (!ticket)
		return -ENOMEM;

	fetch = find_fetch(catalog, key);
	if (!fetch) {
		r = fetch_new(catalog, key, &fetch);
		if (r) {
			free(ticket);
			return r;
		}
	}

	ticket->ready = ready;
	ticket->userdata = userdata;
	list_insert_before(&fetch->tickets, &ticket->of_fetch);
	deadlines_add(has_old_answer(catalog, key) ? &catalog->patience : &catalog->timeout,
	              ticket);
	*ret = ticket;
	return 0;
}

/* Life cycle */

static void deadlines_init(struct catalog *catalog, struct deadlines *deadlines,
                           uint64_t duration_ms)
{
	list_init(&deadlines->tickets);
	deadlines->duration_ms = duration_ms;
	uv_timer_init(catalog->loop, &deadlines->timer);
	deadlines->timer.data = catalog;
	catalog->handles_open++;
}

int catalog_new(uv_loop_t *loop, struct cache *cache, struct source *source,
                const struct catalog_settings *settings, struct catalog **ret)
{
	struct catalog *catalog;
	int r;

	catalog = calloc(1, sizeof(*catalog));
	if (!catalog)
		return -ENOMEM;
	r = hotset_new(settings->memory_max, &catalog->hotset);
	if (r) {
		free(catalog);
		return r;
	}

	catalog->loop = loop;
	catalog->cache = cache;
	catalog->source = source;
	catalog->settings = *settings;
	catalog->started_ms = catalog_now_ms(catalog);
	list_init(&catalog->fetches);
	deadlines_init(catalog, &catalog->timeout, settings->timeout_ms);
	deadlines_init(catalog, &catalog->patience, settings->patience_ms);
	*ret = catalog;
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	struct catalog *catalog = handle->data;

	if (--catalog->handles_open == 0)
		free(catalog);
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;

	assert(list_is_empty(&catalog->timeout.tickets));
	assert(list_is_empty(&catalog->patience.tickets));
	while (!list_is_empty(&catalog->fetches))
		fetch_free(container_of(catalog->fetches.next, struct fetch, link));
	hotset_free(catalog->hotset);
	uv_close((uv_handle_t *)&catalog->timeout.timer, timer_closed);
	uv_close((uv_handle_t *)&catalog->patience.timer, timer_closed);
}
