/* SPDX-License-Identifier: MIT */
/* The part of catalog that fetches: one question a key, whose answer is kept and told to all. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/store/catalog_parts.h"

static uint64_t oldest_fetch(struct catalog *catalog)
{
	struct list *all = &catalog->all_fetches;

	return list_is_empty(all) ? UINT64_MAX
	                          : container_of(all->next, struct fetch, of_all)->number;
}

void fetch_free(struct fetch *fetch)
{
	assert(list_is_empty(&fetch->tickets));

	list_remove(&fetch->link);
	list_remove(&fetch->of_all);
	fetch->catalog->fetch_count--;
	recency_prune(&fetch->catalog->recency, oldest_fetch(fetch->catalog));
	if (fetch->source_fetch)
		fetch->catalog->source->operations->free(fetch->source_fetch);
	free(fetch);
}

static int store(struct cache *cache, const struct source_question *question,
                 const struct source_answer *answer, int64_t now_ms, struct cache_change *ret)
{
	const struct key *key = &question->key;

	if (key->kind == KEY_DATE)
		return cache_store_roster(cache, key, answer->roster, question->account, now_ms,
		                          ret);
	if (answer->record)
		return cache_store(cache, key, answer->record, now_ms, ret);
	return cache_store_absent(cache, key, now_ms, ret);
}

/* What the cache has of the customer @id: NULL if there is none. Returns 0 or a negative errno. */
static int read_known(struct cache *cache, const char *id, struct record **ret)
{
	struct cache_customer customer = { 0 };
	struct cache_key found;
	struct key key;
	int r;

	*ret = NULL;
	if (key_parse(KEY_ID, id, strlen(id), &key))
		return 0;
	r = cache_find_key(cache, &key, &found);
	if (!r)
		r = cache_read_customer(cache, found.customer, &customer);
	*ret = customer.record;
	return r < 0 ? r : 0;
}

/* The customer of an answer that comes late is as a later question has told. */
static int take_later(const struct fetch *fetch, const struct source_answer *answer,
                      struct record **ret)
{
	struct catalog *catalog = fetch->catalog;
	const struct key *key = &fetch->question.key;
	const char *id = answer->record        ? record_id(answer->record)
	                 : key->kind == KEY_ID ? key->text
	                                       : NULL;

	*ret = NULL;
	if (!id || !recency_is_late(&catalog->recency, id, fetch->number))
		return 0;
	return read_known(catalog->cache, id, ret);
}

/* Store the answer and tell the listener. */
static int keep(const struct fetch *fetch, const struct source_answer *answer)
{
	cleanup(record_unrefp) struct record *later = NULL;
	struct catalog *catalog = fetch->catalog;
	struct source_answer kept = *answer;
	struct cache_change change;
	int r;

	r = take_later(fetch, answer, &later);
	if (r)
		return r;
	if (later)
		kept.record = later;
	r = store(catalog->cache, &fetch->question, &kept, catalog_now_ms(catalog), &change);
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
	fetch->number = ++catalog->fetch_number;
	r = catalog->source->operations->start(catalog->source, &fetch->question, fetch_answered,
	                                       fetch, &fetch->source_fetch);
	if (r) {
		free(fetch);
		return r;
	}

	list_insert_before(bucket_of(catalog, &question->key), &fetch->link);
	list_insert_before(&catalog->all_fetches, &fetch->of_all);
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
