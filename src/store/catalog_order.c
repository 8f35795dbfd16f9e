/* SPDX-License-Identifier: MIT */
/* The part of catalog that does what it is told: ask again, and forget. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/store/catalog_parts.h"

int catalog_peek(struct catalog *catalog, const struct key *key, struct cache_key *ret)
{
	int r;

	r = cache_find_key(catalog->cache, key, ret);
	if (r != CACHE_NONE)
		return r;
	*ret = (struct cache_key){ .key = *key };
	r = cache_find_absent(catalog->cache, key, &ret->fetched_ms);
	if (r < 0)
		return r;
	return r == CACHE_NONE ? CATALOG_MISSING : CATALOG_ABSENT;
}

/* Asking again */

static int fetch_anew(struct catalog *catalog, const struct key *key, uint64_t caller,
                      bool can_wait, struct fetch **ret)
{
	const struct source_question question = {
		.key = *key,
		.hurry = can_wait ? SOURCE_CAN_WAIT : SOURCE_IN_A_HURRY,
		.caller = caller,
	};
	struct fetch *fetch = fetch_find(catalog, key);

	/* What was sent already may be answered with what is not so any more. */
	if (!fetch || (!can_wait && fetch_sent(fetch)))
		return fetch_new(catalog, &question, ret);
	counter_add(&catalog->metrics.joined, 1);
	*ret = fetch;
	return 0;
}

int catalog_renew(struct catalog *catalog, const struct key *key, uint64_t caller, bool can_wait,
                  catalog_ready_fn *ready, void *userdata, struct catalog_ticket **ret)
{
	uint64_t insisted = source_draw(catalog->source);
	struct catalog_ticket *ticket;
	struct fetch *fetch;
	int r;

	if (catalog->settings.offline)
		return -ENETDOWN;
	r = ticket_new(catalog, caller, ready, userdata, &ticket);
	if (r)
		return r;
	r = fetch_anew(catalog, key, caller, can_wait, &fetch);
	if (r) {
		free(ticket);
		return r;
	}

	if (!can_wait) {
		fetch->is_urgent = true;
		fetch->insisted = insisted;
		backoff_end(catalog->backoff, fetch_subject(fetch));
	}
	ticket_link(ticket, fetch, &catalog->timeout);
	fetch_hurry(fetch, can_wait ? SOURCE_CAN_WAIT : SOURCE_IN_A_HURRY);
	fetch_join(fetch, caller);
	*ret = ticket;
	return 0;
}

/* Forgetting */

typedef void fetch_fn(struct fetch *fetch, void *userdata);

static void for_each_fetch(struct catalog *catalog, fetch_fn *run, void *userdata)
{
	struct list *all = &catalog->all_fetches;

	for (struct list *link = all->next; link != all; link = link->next) {
		struct fetch *fetch = container_of(link, struct fetch, of_all);

		if (!fetch->is_answered)
			run(fetch, userdata);
	}
}

/* Mark the fetch if its answer would bring back the customer behind a key. */
static void mark_same(struct fetch *fetch, void *userdata)
{
	const struct cache_key *known = userdata;
	struct cache_key asked;

	fetch->is_forgotten =
	        key_equal(&fetch->question.key, &known->key) ||
	        (known->customer &&
	         cache_find_key(fetch->catalog->cache, &fetch->question.key, &asked) == 0 &&
	         asked.customer == known->customer);
}

/* Collect, because those who come back may begin others. */
static void collect_marked(struct fetch *fetch, void *userdata)
{
	struct list *collected = userdata;

	if (!fetch->is_forgotten)
		return;
	fetch->is_answered = true;
	list_move_before(collected, &fetch->link);
}

static void drop_marked(struct catalog *catalog)
{
	const struct catalog_result result = { .error = -ESTALE };
	struct list collected;

	list_init(&collected);
	for_each_fetch(catalog, collect_marked, &collected);
	while (!list_is_empty(&collected)) {
		struct fetch *fetch = container_of(collected.next, struct fetch, link);

		fetch_come_back(fetch, &result);
		fetch_free(fetch);
	}
	tickets_return(catalog);
}

/* What tries under way bring of it counts no more, by whatever key it comes. */
static void note_forgotten(struct catalog *catalog, const struct key *key,
                           const struct cache_change *change)
{
	const struct answer_note note = {
		.stored = source_draw(catalog->source),
		.is_forgotten = true,
	};
	struct key id;

	catalog_note(catalog, key, &note);
	if (change && change->previous) {
		const char *text = record_id(change->previous);

		if (key_parse(KEY_ID, text, strlen(text), &id) == 0)
			catalog_note(catalog, &id, &note);
	} else if (change && (change->customer.slot || change->has_gone)) {
		/* Its id is not known: damage has taken it, or it was evicted before. */
		answer_order_note_all(&catalog->order, note.stored);
	}
}

int catalog_forget(struct catalog *catalog, const struct key *key)
{
	struct cache_change change;
	struct cache_key known;
	int r;

	r = catalog_peek(catalog, key, &known);
	if (r < 0)
		return r;
	for_each_fetch(catalog, mark_same, &known);
	r = cache_forget_key(catalog->cache, key, catalog_now_ms(catalog), &change);
	if (r < 0)
		return r;

	note_forgotten(catalog, key, r == CACHE_NONE ? NULL : &change);
	if (r != CACHE_NONE) {
		change.at_once = true;
		catalog_tell(catalog, &change);
		cache_change_fini(&change);
	}
	drop_marked(catalog);
	house_forgotten(catalog);
	if (r == CACHE_NONE)
		return CATALOG_MISSING;
	return r == CACHE_REMAINS ? CATALOG_REMAINS : 0;
}
