/* SPDX-License-Identifier: MIT */
/* The part of catalog that fetches: one question a key, whose answer is told to all. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/string_set.h"
#include "kapturefs/store/catalog_parts.h"

uint64_t fetch_sent(const struct fetch *fetch)
{
	return fetch->catalog->source->operations->sent(fetch->source_fetch);
}

struct backoff_subject fetch_subject(const struct fetch *fetch)
{
	return (struct backoff_subject){ fetch->customer, &fetch->question.key };
}

static void set_hurry(struct fetch *fetch, enum source_hurry hurry)
{
	fetch->hurry = hurry;
	fetch->catalog->source->operations->hurry(fetch->source_fetch, hurry);
}

void fetch_hurry(struct fetch *fetch, enum source_hurry hurry)
{
	if (hurry < fetch->hurry)
		set_hurry(fetch, hurry);
}

void fetch_join(struct fetch *fetch, uint64_t caller)
{
	const struct source_operations *operations = fetch->catalog->source->operations;

	if (operations->join && fetch->source_fetch)
		operations->join(fetch->source_fetch, caller);
}

void fetch_unwaited(struct fetch *fetch)
{
	set_hurry(fetch, SOURCE_UNWAITED);
}

void fetch_free(struct fetch *fetch)
{
	assert(list_is_empty(&fetch->tickets));

	list_remove(&fetch->link);
	list_remove(&fetch->of_all);
	list_remove(&fetch->of_customer);
	room_leave(fetch);
	fetch->catalog->fetch_count--;
	tally_remove(&fetch->catalog->fetches_of, share_user(fetch->question.caller));
	if (fetch->source_fetch)
		fetch->catalog->source->operations->free(fetch->source_fetch);
	free(fetch);
}

static void source_answered(void *userdata, const struct source_answer *answer)
{
	fetch_answered(userdata, answer);
}

static struct list *bucket_of(struct catalog *catalog, const struct key *key)
{
	uint64_t hash = string_hash(key->text, strlen(key->text), key->kind);

	return &catalog->fetches[hash % CATALOG_BUCKETS];
}

/* The last that began: it is the one to be joined. */
struct fetch *fetch_find(struct catalog *catalog, const struct key *key)
{
	struct list *bucket = bucket_of(catalog, key);

	for (struct list *link = bucket->previous; link != bucket; link = link->previous) {
		struct fetch *fetch = container_of(link, struct fetch, link);

		if (key_equal(&fetch->question.key, key))
			return fetch;
	}
	return NULL;
}

static struct list *customers_bucket(struct catalog *catalog, uint32_t customer)
{
	return &catalog->of_customers[customer % CATALOG_BUCKETS];
}

bool fetch_is_about(struct catalog *catalog, uint32_t customer)
{
	struct list *bucket = customers_bucket(catalog, customer);

	for (struct list *link = bucket->next; link != bucket; link = link->next) {
		if (container_of(link, struct fetch, of_customer)->customer == customer)
			return true;
	}
	return false;
}

void fetch_overtake(const struct fetch *by, uint32_t customer)
{
	const struct catalog_result result = { .is_overtaken = true };
	struct list *bucket = customers_bucket(by->catalog, customer);

	for (struct list *link = bucket->next; link != bucket; link = link->next) {
		struct fetch *fetch = container_of(link, struct fetch, of_customer);

		if (fetch != by && fetch->customer == customer && !fetch->is_urgent &&
		    !fetch->is_answered)
			fetch_come_back(fetch, &result);
	}
}

/* To whom @key leads now; 0: nobody who is known. */
static uint32_t customer_of(struct catalog *catalog, const struct key *key)
{
	struct cache_key known;

	return cache_find_key(catalog->cache, key, &known) == 0 ? known.customer : 0;
}

int fetch_new(struct catalog *catalog, const struct source_question *question, struct fetch **ret)
{
	struct fetch *fetch;
	int r;

	if (tally_reserve(&catalog->fetches_of))
		return -ENOMEM;
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
	list_init(&fetch->of_customer);
	list_init(&fetch->of_room);
	fetch->hurry = question->hurry;
	fetch->customer = customer_of(catalog, &question->key);
	r = catalog->source->operations->start(catalog->source, &fetch->question, source_answered,
	                                       fetch, &fetch->source_fetch);
	if (r) {
		free(fetch);
		return r;
	}

	list_insert_before(bucket_of(catalog, &question->key), &fetch->link);
	list_insert_before(&catalog->all_fetches, &fetch->of_all);
	if (fetch->customer)
		list_insert_before(customers_bucket(catalog, fetch->customer), &fetch->of_customer);
	catalog->fetch_count++;
	tally_add(&catalog->fetches_of, share_user(question->caller));
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
	struct cache_change change;
	struct cache_key known;

	if (cache_find_key(catalog->cache, key, &known)) {
		(void)!cache_drop_absence(catalog->cache, key, catalog_now_ms(catalog));
		return;
	}
	if (cache_expire(catalog->cache, known.customer) ||
	    cache_describe(catalog->cache, known.customer, &change))
		return;
	catalog_tell(catalog, &change);
	cache_change_fini(&change);
}

/* Whether the key is fetched once more for those who wait. */
static bool repeat(struct fetch *fetch)
{
	struct fetch *next;

	if (list_is_empty(&fetch->tickets) || fetch_new(fetch->catalog, &fetch->question, &next))
		return false;
	next->is_repeated = true;
	next->is_urgent = fetch->is_urgent;
	next->insisted = fetch->insisted;
	while (!list_is_empty(&fetch->tickets))
		ticket_move(container_of(fetch->tickets.next, struct catalog_ticket, of_fetch),
		            next);
	return true;
}

/* What those who wait are told of an answer that was kept with @r, if anybody still does. */
static struct catalog_result take(struct fetch *fetch, int r)
{
	static const char refused[] = "the answer is another account's (cmId), and refused";
	bool will_do = r == ANSWER_IS_LATE &&
	               (!fetch->is_urgent || fetch->is_repeated || catalog_is_new_enough(fetch));

	recent_add(&fetch->catalog->kept, uv_now(fetch->catalog->loop), r == -EPROTO);
	/* What could not be kept says nothing against what is. */
	if (r <= 0)
		return (struct catalog_result){ .error = r,
			                        .may_pass = true,
			                        .cause = r == -EPROTO ? refused : NULL };
	if (!will_do && repeat(fetch))
		return (struct catalog_result){ .error = 0 };
	if (r == ANSWER_IS_LATE)
		return (struct catalog_result){ .is_overtaken = true };
	return (struct catalog_result){ .error = -ESTALE };
}

/* What runs out here, and not there, is nobody's failure. */
static bool is_ours(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* What came is another account's, or more than can be kept: asked again, it is no other. */
static bool is_unfit(int error)
{
	return error == -EPROTO || error == -EFBIG;
}

static bool is_definite(const struct source_answer *answer, int error)
{
	return answer->error ? !answer->may_pass : !is_unfit(error);
}

/* What was not asked, or had no time to be answered, has not failed. */
static bool counts_for_nothing(const struct fetch *fetch, const struct source_answer *answer,
                               int error)
{
	return !fetch_sent(fetch) || answer->is_unfair || is_ours(error);
}

/* Leave the customer alone after a failure, which anything is that is not definite. */

static void note_outcome(const struct fetch *fetch, const struct source_answer *answer,
                         const struct catalog_result *result)
{
	struct catalog *catalog = fetch->catalog;
	struct backoff_subject subject = fetch_subject(fetch);
	uint64_t now_ms = uv_now(catalog->loop);
	const struct backoff_failure failure = {
		.error = result->error,
		.may_pass = result->may_pass,
		.retry_after_ms = answer->retry_after_ms,
		.epoch = catalog->source->operations->epoch(catalog->source),
		.cause = result->cause,
		.status = result->status,
	};

	if (is_definite(answer, result->error))
		backoff_end(catalog->backoff, subject);
	else if (!counts_for_nothing(fetch, answer, result->error)) {
		backoff_fail(catalog->backoff, subject, &failure, now_ms);
		return;
	}
	if (result->error)
		backoff_note(catalog->backoff, subject, &failure, now_ms);
}

void fetch_answered(struct fetch *fetch, const struct source_answer *answer)
{
	struct catalog *catalog = fetch->catalog;
	int kept = answer->error ? 0 : catalog_keep(fetch, answer);
	struct catalog_result result = {
		.error = answer->error,
		.may_pass = answer->may_pass,
		.cause = answer->cause,
		.status = answer->status,
	};

	if (kept == CACHE_FULL) {
		room_wait(fetch, answer);
		return;
	}
	if (!result.error)
		result = take(fetch, kept);
	note_outcome(fetch, answer, &result);
	if (result.is_overtaken && fetch->is_urgent)
		result.error = catalog_tell_again(catalog, &fetch->question.key);
	if (result.error && fetch->is_urgent)
		doubt(catalog, &fetch->question.key);

	/* Those who come back may want the key again: that is another fetch. */
	fetch->is_answered = true;
	list_remove(&fetch->link);
	if (result.error == -ETIMEDOUT)
		move_latecomers(fetch);
	fetch_come_back(fetch, &result);
	fetch_free(fetch);
	tickets_return(catalog);
}
