/* SPDX-License-Identifier: MIT */
/*
 * One fetch a key, any number of tickets on it:
 *
 *   want      links a ticket to the key's fetch, starting one if there is none,
 *             and to the list of its deadline
 *   answered  the answer is stored and the listener told; then every ticket
 *             of the fetch comes back, and the fetch is gone
 *   renewed   a fetch whose request has gone out stays for those who wait for it, and another is
 *             begun for those who insist on what is new
 *   late      an answer whose try was sent before what is there was stored, see answer_order.h,
 *             counts for what it does not replace; those who wait take what is there, and for those
 *             whom that is not new enough, or if it has gone, the key is fetched once more
 *   failed    nobody waits any more, and the customer is left alone, see backoff.h: until then
 *             its old answer, or the error, is found without wanting
 *   outlived  a fetch that has run out of time is followed by another for those who came later
 *   deadline  the ticket alone comes back; the fetch goes on
 *   cancel    the ticket alone is gone; the fetch goes on, unless it was the last
 *             and the source has not begun to ask
 *
 * There are three deadlines: the timeout; the patience, of those for whom there is an old
 * answer; and none at all while the source has no budget, when an old answer is served at once
 * and a new one comes when it comes.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/catalog_parts.h"
#include "kapturefs/store/freshness.h"

/* Wanting */

/* Whether a wait for @key may end with an old answer. */
static bool has_old_answer(struct catalog *catalog, const struct key *key)
{
	struct cache_key found;

	return cache_find_key(catalog->cache, key, &found) == 0 &&
	       freshness_at(catalog_now_ms(catalog), found.fetched_ms,
	                    catalog_ttl_ms(catalog, key, found.fetched_ms),
	                    catalog->settings.max_stale_ms) != FRESHNESS_DEAD;
}

static struct deadlines *deadlines_for(struct catalog *catalog, const struct key *key,
                                       uint64_t caller)
{
	if (!has_old_answer(catalog, key))
		return &catalog->timeout;
	if (catalog->source->operations->state(catalog->source, key->kind, caller) == SOURCE_BUSY)
		return &catalog->none;
	return &catalog->patience;
}

/* The fetch for the key; NULL if nobody waits for it and there are too many, or of one user. */
static int join_fetch(struct catalog *catalog, const struct source_question *question,
                      struct fetch **ret)
{
	struct fetch *fetch = fetch_find(catalog, &question->key);

	if (!fetch && question->hurry == SOURCE_UNWAITED &&
	    catalog_is_full(catalog, &catalog->fetches_of, share_user(question->caller),
	                    catalog->fetch_count)) {
		*ret = NULL;
		return 0;
	}
	if (!fetch)
		return fetch_new(catalog, question, ret);

	counter_add(&catalog->metrics.joined, 1);
	*ret = fetch;
	return 0;
}

int catalog_want_for(struct catalog *catalog, const struct key *key, uint64_t caller,
                     catalog_ready_fn *ready, void *userdata, struct catalog_ticket **ret)
{
	struct deadlines *deadlines = deadlines_for(catalog, key, caller);
	const struct source_question question = {
		.key = *key,
		.hurry = deadlines == &catalog->none ? SOURCE_UNWAITED : SOURCE_IN_A_HURRY,
		.caller = caller,
	};
	struct catalog_ticket *ticket;
	struct fetch *fetch;
	int r;

	r = ticket_new(catalog, caller, ready, userdata, &ticket);
	if (r)
		return r;
	r = join_fetch(catalog, &question, &fetch);
	if (r) {
		free(ticket);
		return r;
	}

	ticket_link(ticket, fetch, deadlines);
	if (fetch) {
		fetch_hurry(fetch, question.hurry);
		fetch_join(fetch, caller);
	}
	*ret = ticket;
	return 0;
}

int catalog_want(struct catalog *catalog, const struct key *key, catalog_ready_fn *ready,
                 void *userdata, struct catalog_ticket **ret)
{
	return catalog_want_for(catalog, key, 0, ready, userdata, ret);
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
		{ &own->turned_away, METRIC_COUNTER, "kapturefs_lookups_turned_away_total", "",
		  "Look-ups that failed because too many wait." },
		{ &own->joined, METRIC_COUNTER, "kapturefs_fetches_joined_total", "",
		  "Look-ups that joined a fetch under way." },
		{ &own->hotset_hits, METRIC_COUNTER, "kapturefs_hotset_hits_total", "",
		  "Customers found parsed in memory." },
		{ &own->hotset_misses, METRIC_COUNTER, "kapturefs_hotset_misses_total", "",
		  "Customers read from the cache file." },
		{ &own->hotset_bytes, METRIC_GAUGE, "kapturefs_hotset_bytes", "",
		  "Memory of the customers kept parsed." },
		{ &own->phone_country, METRIC_GAUGE, "kapturefs_phone_country", "",
		  "The option phone_country, 0 if it is not given." },
	};

	for (size_t i = 0; i < array_length(table); i++)
		metrics_add_counter(metrics, table[i].counter, table[i].type, table[i].name,
		                    table[i].labels, table[i].help);
	counter_set(&own->phone_country, catalog->settings.phone_country);
}

struct catalog_standing catalog_stand(const struct catalog *catalog)
{
	uint64_t now_ms = uv_now(catalog->loop);

	return (struct catalog_standing){
		.served = recent_sum(&catalog->served, now_ms),
		.kept = recent_sum(&catalog->kept, now_ms),
	};
}

static void take_account(struct catalog *catalog)
{
	const char *settings = catalog->account;
	const char *known = cache_account(catalog->cache);

	if (*settings && *known && strcmp(settings, known) != 0)
		log_warning("catalog: account_id=%s is not the account of the cached customers, "
		            "which is %s; set it to that, or leave it out",
		            settings, known);
	if (cache_keep_days_of(catalog->cache, catalog_account(catalog), catalog_now_ms(catalog)))
		log_warning("catalog: the days of another account could not be removed");
}

int catalog_new(uv_loop_t *loop, struct cache *cache, struct source *source,
                const struct catalog_settings *settings, struct catalog **ret)
{
	struct catalog *catalog;
	int r;

	catalog = calloc(1, sizeof(*catalog));
	if (!catalog)
		return -ENOMEM;
	r = backoff_new(&catalog->backoff);
	if (!r)
		r = hotset_new(settings->memory_max, &catalog->hotset);
	if (r) {
		backoff_free(catalog->backoff);
		free(catalog);
		return r;
	}

	catalog->loop = loop;
	catalog->cache = cache;
	catalog->source = source;
	catalog->settings = *settings;
	if (settings->account)
		snprintf(catalog->account, sizeof(catalog->account), "%" PRIu64, settings->account);
	wallclock_init(&catalog->clock);
	catalog->started_ms = catalog_now_ms(catalog);
	for (size_t i = 0; i < CATALOG_BUCKETS; i++) {
		list_init(&catalog->fetches[i]);
		list_init(&catalog->of_customers[i]);
	}
	list_init(&catalog->all_fetches);
	tickets_init(catalog);
	deadlines_init(catalog, &catalog->timeout, settings->timeout_ms, -ETIMEDOUT);
	deadlines_init(catalog, &catalog->patience, settings->patience_ms, -ETIMEDOUT);
	deadlines_init(catalog, &catalog->none, 0, -EBUSY);
	house_open(catalog);
	room_open(catalog);
	rules_open(catalog);
	take_account(catalog);
	*ret = catalog;
	return 0;
}

uint32_t catalog_phone_country(const struct catalog *catalog)
{
	return catalog->settings.phone_country;
}

size_t catalog_memory_max(const struct catalog *catalog)
{
	return catalog->settings.memory_max;
}

uint64_t catalog_timeout_ms(const struct catalog *catalog)
{
	return catalog->settings.timeout_ms;
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

static void deadlines_close(struct deadlines *deadlines)
{
	assert(list_is_empty(&deadlines->tickets));
	uv_close((uv_handle_t *)&deadlines->timer, timer_closed);
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;

	while (!list_is_empty(&catalog->all_fetches))
		fetch_free(container_of(catalog->all_fetches.next, struct fetch, of_all));
	answer_order_fini(&catalog->order);
	backoff_free(catalog->backoff);
	hotset_free(catalog->hotset);
	tally_fini(&catalog->tickets_of);
	tally_fini(&catalog->fetches_of);
	assert(list_is_empty(&catalog->returning.tickets));
	uv_close((uv_handle_t *)&catalog->returning.timer, timer_closed);
	deadlines_close(&catalog->timeout);
	deadlines_close(&catalog->patience);
	deadlines_close(&catalog->none);
	room_close(catalog, timer_closed);
	rules_close(catalog, timer_closed);
	house_close(catalog, timer_closed);
}
