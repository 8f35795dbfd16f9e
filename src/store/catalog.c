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

#include "kapturefs/store/catalog_parts.h"
#include "kapturefs/store/freshness.h"

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
		catalog_keep_hot(catalog, &change.customer);
	catalog_tell(catalog, &change);
	cache_change_fini(&change);
	house_answer_kept(catalog);
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
	counter_add(&catalog->metrics.fetches, 1);
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
	if (fetch) {
		counter_add(&catalog->metrics.joined, 1);
	} else {
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

void catalog_listen(struct catalog *catalog, struct catalog_listener listener)
{
	catalog->listener = listener;
}

void catalog_add_metrics(struct catalog *catalog, struct metrics *metrics)
{
	struct catalog_metrics *own = &catalog->metrics;
	const struct {
		struct counter *counter;
		enum metric_type type;
		const char *name;
		const char *labels;
		const char *help;
	} table[] = {
		{ &own->hits, METRIC_COUNTER, "kapturefs_cache_hits_total", "",
		  "Look-ups answered from what was known." },
		{ &own->misses_cold, METRIC_COUNTER, "kapturefs_cache_misses_total",
		  "reason=\"cold\"", "Look-ups that had to ask the API." },
		{ &own->misses_expired, METRIC_COUNTER, "kapturefs_cache_misses_total",
		  "reason=\"expired\"", "" },
		{ &own->misses_forced, METRIC_COUNTER, "kapturefs_cache_misses_total",
		  "reason=\"forced\"", "" },
		{ &own->misses_evicted, METRIC_COUNTER, "kapturefs_cache_misses_total",
		  "reason=\"evicted\"", "" },
		{ &own->stale, METRIC_COUNTER, "kapturefs_stale_answers_total", "",
		  "Old answers served because there was no new one." },
		{ &own->fetches, METRIC_COUNTER, "kapturefs_fetches_total", "",
		  "Keys fetched from the API, whatever the tries it took." },
		{ &own->joined, METRIC_COUNTER, "kapturefs_fetches_joined_total", "",
		  "Look-ups that joined a fetch under way." },
		{ &own->hotset_hits, METRIC_COUNTER, "kapturefs_hotset_hits_total", "",
		  "Customers found parsed in memory." },
		{ &own->hotset_misses, METRIC_COUNTER, "kapturefs_hotset_misses_total", "",
		  "Customers read from the cache file." },
		{ &own->hotset_bytes, METRIC_GAUGE, "kapturefs_hotset_bytes", "",
		  "Memory of the customers kept parsed." },
	};

	for (size_t i = 0; i < array_length(table); i++)
		metrics_add_counter(metrics, table[i].counter, table[i].type, table[i].name,
		                    table[i].labels, table[i].help);
}

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
	house_open(catalog);
	*ret = catalog;
	return 0;
}

void catalog_let_go(struct catalog *catalog)
{
	if (--catalog->handles_open == 0)
		free(catalog);
}

static void timer_closed(uv_handle_t *handle)
{
	catalog_let_go(handle->data);
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
	house_close(catalog, timer_closed);
}
