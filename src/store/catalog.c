/* SPDX-License-Identifier: MIT */
/*
 * One fetch a key, any number of tickets on it:
 *
 *   want      links a ticket to the key's fetch, starting one if there is none,
 *             and to the list of its deadline
 *   answered  the answer is stored and the listener told; then every ticket
 *             of the fetch comes back, and the fetch is gone
 *   renewed   a fetch whose request has gone out is overtaken by another; it stays for those who
 *             wait for it, but may not have the last word
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

#include "kapturefs/store/catalog_parts.h"
#include "kapturefs/store/freshness.h"

/* Fetching */

void fetch_free(struct fetch *fetch)
{
	assert(list_is_empty(&fetch->tickets));

	list_remove(&fetch->link);
	fetch->catalog->fetch_count--;
	if (fetch->source_fetch)
		fetch->catalog->source->operations->free(fetch->source_fetch);
	free(fetch);
}

static int store(struct cache *cache, const struct key *key, const struct source_answer *answer,
                 int64_t now_ms, struct cache_change *ret)
{
	if (key->kind == KEY_DATE)
		return cache_store_roster(cache, key, answer->roster, now_ms, ret);
	if (answer->record)
		return cache_store(cache, key, answer->record, now_ms, ret);
	return cache_store_absent(cache, key, now_ms, ret);
}

/* Store the answer and tell the listener. */
static int keep(const struct fetch *fetch, const struct source_answer *answer)
{
	struct catalog *catalog = fetch->catalog;
	struct cache_change change;
	int r;

	r = store(catalog->cache, &fetch->question.key, answer, catalog_now_ms(catalog), &change);
	if (r)
		return r;

	change.at_once = fetch->is_urgent;
	if (change.customer.record)
		catalog_keep_hot(catalog, &change.customer);
	catalog_tell(catalog, &change);
	cache_change_fini(&change);
	house_answer_kept(catalog);
	return 0;
}

static void fetch_answered(void *userdata, const struct source_answer *answer);

/* FNV-1a. */
static struct list *bucket_of(struct catalog *catalog, const struct key *key)
{
	uint32_t hash = 2166136261u ^ (uint32_t)key->kind;

	for (const char *byte = key->text; *byte; byte++)
		hash = (hash ^ (unsigned char)*byte) * 16777619u;
	return &catalog->fetches[hash % CATALOG_BUCKETS];
}

struct fetch *fetch_find(struct catalog *catalog, const struct key *key)
{
	struct list *bucket = bucket_of(catalog, key);

	for (struct list *link = bucket->next; link != bucket; link = link->next) {
		struct fetch *fetch = container_of(link, struct fetch, link);

		if (!fetch->is_overtaken && key_equal(&fetch->question.key, key))
			return fetch;
	}
	return NULL;
}

/* Those of the same key that began earlier must not have the last word. */
static void outdate_earlier(const struct fetch *fetch)
{
	struct list *bucket = bucket_of(fetch->catalog, &fetch->question.key);

	for (struct list *link = bucket->next; link != &fetch->link; link = link->next) {
		struct fetch *earlier = container_of(link, struct fetch, link);

		if (key_equal(&earlier->question.key, &fetch->question.key))
			earlier->is_outdated = true;
	}
}

int fetch_new(struct catalog *catalog, const struct source_question *question, struct fetch **ret)
{
	struct fetch *fetch;
	int r;

	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;

	fetch->catalog = catalog;
	fetch->question = *question;
	if (question->key.kind == KEY_DATE)
		snprintf(fetch->question.account, sizeof(fetch->question.account), "%s",
		         catalog_account(catalog));
	fetch->deadline_ms = uv_now(catalog->loop) + catalog->settings.timeout_ms;
	list_init(&fetch->tickets);
	list_init(&fetch->link);
	r = catalog->source->operations->start(catalog->source, &fetch->question, fetch_answered,
	                                       fetch, &fetch->source_fetch);
	if (r) {
		free(fetch);
		return r;
	}

	list_insert_before(bucket_of(catalog, &question->key), &fetch->link);
	catalog->fetch_count++;
	counter_add(&catalog->metrics.fetches, 1);
	*ret = fetch;
	return 0;
}

/* The transport's clock is not quite the loop's. */
enum { CLOCKS_APART_MS = 20 };

/*
 * Those who joined a fetch late are not to suffer from its having run out of time, for they have
 * not: they go on to another.
 */
static void move_latecomers(struct fetch *fetch)
{
	uint64_t over_ms = uv_now(fetch->catalog->loop) + CLOCKS_APART_MS;
	struct fetch *next_fetch = NULL;
	struct list *next;

	if (over_ms < fetch->deadline_ms)
		return;
	for (struct list *link = fetch->tickets.next; link != &fetch->tickets; link = next) {
		struct catalog_ticket *ticket = container_of(link, struct catalog_ticket, of_fetch);

		next = link->next;
		if (ticket->due_ms <= over_ms)
			continue;
		if (!next_fetch && fetch_new(fetch->catalog, &fetch->question, &next_fetch))
			return;
		ticket_move(ticket, next_fetch);
	}
}

/* Whoever wanted a new answer does not believe the old one, if he can help it. */
static void doubt(struct catalog *catalog, const struct key *key)
{
	struct cache_key known;

	if (cache_find_key(catalog->cache, key, &known) == 0)
		(void)!cache_expire(catalog->cache, known.customer);
}

static void fetch_answered(void *userdata, const struct source_answer *answer)
{
	struct fetch *fetch = userdata;
	struct catalog_result result = { answer->error, answer->may_pass };

	if (!result.error && !fetch->is_outdated) {
		result.error = keep(fetch, answer);
		outdate_earlier(fetch);
	}
	if (result.error && fetch->is_urgent)
		doubt(fetch->catalog, &fetch->question.key);

	/* Those who come back may want the key again: that is another fetch. */
	fetch->is_answered = true;
	list_remove(&fetch->link);
	if (result.error == -ETIMEDOUT)
		move_latecomers(fetch);
	while (!list_is_empty(&fetch->tickets))
		ticket_come_back(container_of(fetch->tickets.next, struct catalog_ticket, of_fetch),
		                 &result);
	fetch_free(fetch);
}

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

/* Whether the fetch for @key, if there is one, has tried everybody's patience already. */
static bool is_long_under_way(struct catalog *catalog, const struct key *key)
{
	const struct catalog_settings *settings = &catalog->settings;
	const struct fetch *fetch = fetch_find(catalog, key);

	return fetch && uv_now(catalog->loop) + settings->timeout_ms >=
	                        fetch->deadline_ms + settings->patience_ms;
}

static struct deadlines *deadlines_for(struct catalog *catalog, const struct key *key,
                                       uint64_t caller)
{
	if (!has_old_answer(catalog, key))
		return &catalog->timeout;
	/* A path has many names, each of them looked up, and is one wait to its user. */
	if (catalog->source->operations->state(catalog->source, caller) == SOURCE_BUSY ||
	    is_long_under_way(catalog, key))
		return &catalog->none;
	return &catalog->patience;
}

/* The fetch for @key, old or new; NULL if it is a renewal and there are too many already. */
static int join_fetch(struct catalog *catalog, const struct source_question *question,
                      struct fetch **ret)
{
	struct fetch *fetch = fetch_find(catalog, &question->key);

	if (!fetch && question->is_renewal &&
	    catalog->fetch_count >= catalog->settings.waiting_max) {
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
		.is_renewal = deadlines == &catalog->none,
		.caller = caller,
	};
	struct catalog_ticket *ticket;
	struct fetch *fetch;
	int r;

	r = ticket_new(catalog, ready, userdata, &ticket);
	if (r)
		return r;
	r = join_fetch(catalog, &question, &fetch);
	if (r) {
		free(ticket);
		return r;
	}

	ticket_link(ticket, fetch, deadlines);
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
	};

	for (size_t i = 0; i < array_length(table); i++)
		metrics_add_counter(metrics, table[i].counter, table[i].type, table[i].name,
		                    table[i].labels, table[i].help);
}

void catalog_change(struct catalog *catalog, const struct catalog_settings *settings)
{
	catalog->settings.ttl_ms = settings->ttl_ms;
	catalog->settings.negative_ttl_ms = settings->negative_ttl_ms;
	catalog->settings.max_stale_ms = settings->max_stale_ms;
	catalog->settings.timeout_ms = settings->timeout_ms;
	catalog->settings.patience_ms = settings->patience_ms;
	catalog->settings.offline = settings->offline;
	catalog->timeout.duration_ms = settings->timeout_ms;
	catalog->patience.duration_ms = settings->patience_ms;
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
	if (settings->account)
		snprintf(catalog->account, sizeof(catalog->account), "%" PRIu64, settings->account);
	wallclock_init(&catalog->clock);
	catalog->started_ms = catalog_now_ms(catalog);
	for (size_t i = 0; i < array_length(catalog->fetches); i++)
		list_init(&catalog->fetches[i]);
	deadlines_init(catalog, &catalog->timeout, settings->timeout_ms, -ETIMEDOUT);
	deadlines_init(catalog, &catalog->patience, settings->patience_ms, -ETIMEDOUT);
	deadlines_init(catalog, &catalog->none, 0, -EBUSY);
	house_open(catalog);
	*ret = catalog;
	return 0;
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

static void free_fetches(struct list *bucket)
{
	while (!list_is_empty(bucket))
		fetch_free(container_of(bucket->next, struct fetch, link));
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;

	for (size_t i = 0; i < array_length(catalog->fetches); i++)
		free_fetches(&catalog->fetches[i]);
	hotset_free(catalog->hotset);
	deadlines_close(&catalog->timeout);
	deadlines_close(&catalog->patience);
	deadlines_close(&catalog->none);
	house_close(catalog, timer_closed);
}
