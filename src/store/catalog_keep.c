/* SPDX-License-Identifier: MIT */
/*
 * The part of catalog that keeps answers: of each what counts, by the rule of answer_order.h.
 *
 *   customer   its values replace those of the customer, if their try was sent after these were
 *              stored; and its key is led there, if it was sent after the key's last answer. A key
 *              whose answer counts alone is led to the customer as it is known, and if there is
 *              none any more, the answer is void
 *   absence    counts or does not, as the answer for its key; an id's is one of the values, too
 *   day        likewise; one with a customer who was forgotten since is void
 */

#include <errno.h>
#include <string.h>

#include "kapturefs/store/catalog_parts.h"

/* Noting */

static uint64_t oldest_sent(struct catalog *catalog)
{
	struct list *all = &catalog->all_fetches;
	uint64_t oldest = catalog->source->number;

	for (struct list *link = all->next; link != all; link = link->next) {
		uint64_t sent = fetch_sent(container_of(link, struct fetch, of_all));

		if (sent && sent < oldest)
			oldest = sent;
	}
	return oldest;
}

void catalog_note(struct catalog *catalog, const struct key *key, const struct answer_note *note)
{
	if (answer_order_is_full(&catalog->order))
		answer_order_prune(&catalog->order, oldest_sent(catalog));
	answer_order_note(&catalog->order, key, note);
}

/* Keeping */

static int read_id(const struct record *record, struct key *ret)
{
	const char *id = record_id(record);

	return key_parse(KEY_ID, id, strlen(id), ret) ? -EPROTO : 0;
}

/* Something has been stored. */
static void tell(const struct fetch *fetch, struct cache_change *change)
{
	struct catalog *catalog = fetch->catalog;

	change->at_once = fetch->is_urgent;
	if (change->at_once)
		cache_export_insist(catalog->cache);
	catalog_tell(catalog, change);
	if (change->customer.record && (change->values || change->at_once))
		fetch_overtake(fetch, change->customer.slot);
	cache_change_fini(change);
	house_answer_kept(catalog);
}

/* Whether anything is known of the key whose answer is late. */
static int late_outcome(struct catalog *catalog, const struct key *key)
{
	struct cache_key known;
	int r = catalog_peek(catalog, key, &known);

	if (r < 0)
		return r;
	return r == CATALOG_MISSING ? ANSWER_IS_VOID : ANSWER_IS_LATE;
}

static int keep_absence(struct fetch *fetch, const struct answer_note *note)
{
	struct catalog *catalog = fetch->catalog;
	const struct key *key = &fetch->question.key;
	struct cache_change change;
	int r;

	if (answer_order_is_late(&catalog->order, key, note->sent))
		return late_outcome(catalog, key);
	r = cache_store_absent(catalog->cache, key, catalog_now_ms(catalog), &change);
	if (r)
		return r;
	catalog_note(catalog, key, note);
	tell(fetch, &change);
	return 0;
}

/* Who is on a day's list exists, unless that he does not was heard later. */
static int drop_absences(struct catalog *catalog, const struct roster *roster, uint64_t sent)
{
	const char *text;
	struct key id;
	int r = 0;

	for (uint32_t place = 1; place <= roster->ids.count && r == 0; place++) {
		text = roster_at(roster, place);
		if (text && key_parse(KEY_ID, text, strlen(text), &id) == 0 &&
		    !answer_order_is_late(&catalog->order, &id, sent))
			r = cache_drop_absence(catalog->cache, &id, catalog_now_ms(catalog));
	}
	return r;
}

static int keep_day(struct fetch *fetch, const struct roster *roster,
                    const struct answer_note *note)
{
	struct catalog *catalog = fetch->catalog;
	const struct source_question *question = &fetch->question;
	struct cache_change change;
	int r;

	if (answer_order_is_late(&catalog->order, &question->key, note->sent))
		return late_outcome(catalog, &question->key);
	if (answer_order_has_forgotten(&catalog->order, roster, note->sent))
		return ANSWER_IS_VOID;
	r = drop_absences(catalog, roster, note->sent);
	if (r)
		return r;
	r = cache_store_roster(catalog->cache, &question->key, roster, question->account,
	                       catalog_now_ms(catalog), &change);
	if (r)
		return r < 0 ? r : -EIO;
	catalog_note(catalog, &question->key, note);
	tell(fetch, &change);
	return 0;
}

/* The values are not as late as what is known, and the key may lead to another by now. */
static int keep_lead(struct fetch *fetch, const struct record *record,
                     const struct answer_note *note)
{
	struct catalog *catalog = fetch->catalog;
	const struct key *key = &fetch->question.key;
	struct cache_change change;
	int r;

	if (answer_order_is_late(&catalog->order, key, note->sent))
		return late_outcome(catalog, key);
	r = cache_store_lead(catalog->cache, key, record, catalog_now_ms(catalog), &change);
	if (r)
		return r == CACHE_NONE ? ANSWER_IS_VOID : r;
	catalog_note(catalog, key, note);
	tell(fetch, &change);
	return ANSWER_IS_LATE;
}

static int keep_customer(struct fetch *fetch, struct record *record, const struct answer_note *note)
{
	struct catalog *catalog = fetch->catalog;
	const struct key *key = &fetch->question.key;
	struct cache_change change;
	struct key id;
	bool leads;
	int r;

	r = read_id(record, &id);
	if (r)
		return r;
	if (answer_order_is_late(&catalog->order, &id, note->sent))
		return keep_lead(fetch, record, note);
	leads = !answer_order_is_late(&catalog->order, key, note->sent);
	r = cache_store(catalog->cache, leads ? key : &id, record, catalog_now_ms(catalog),
	                &change);
	if (r)
		return r;
	catalog_note(catalog, &id, note);
	if (leads)
		catalog_note(catalog, key, note);
	tell(fetch, &change);
	return leads ? 0 : late_outcome(catalog, key);
}

static int keep(struct fetch *fetch, const struct source_answer *answer,
                const struct answer_note *note)
{
	if (fetch->question.key.kind == KEY_DATE)
		return keep_day(fetch, answer->roster, note);
	if (answer->record)
		return keep_customer(fetch, answer->record, note);
	return keep_absence(fetch, note);
}

/* How long the answer is, as far as that counts. */
static size_t length_of(const struct source_answer *answer)
{
	size_t length = 0;

	if (answer->record)
		(void)record_json(answer->record, &length);
	return length;
}

/* Others go to make room, and how many it takes shows for certain when it is stored. */
int catalog_keep(struct fetch *fetch, const struct source_answer *answer)
{
	const struct answer_note note = {
		.sent = fetch_sent(fetch),
		.stored = source_draw(fetch->catalog->source),
	};
	int room = room_make(fetch, length_of(answer));
	int r;

	if (room == CACHE_FULL)
		return CACHE_FULL;
	r = keep(fetch, answer, &note);
	if (r != CACHE_FULL)
		return r;
	room_note_full(fetch);
	return room == CACHE_NONE ? -EFBIG : CACHE_FULL;
}

/* What is there */

static bool is_sent_since(struct catalog *catalog, const struct key *key, uint64_t insisted)
{
	return answer_order_find(&catalog->order, key).sent > insisted;
}

bool catalog_is_new_enough(const struct fetch *fetch)
{
	struct catalog *catalog = fetch->catalog;
	const struct key *key = &fetch->question.key;
	struct cache_customer customer;
	struct cache_key known;
	struct key id;
	bool is_new;

	if (!is_sent_since(catalog, key, fetch->insisted))
		return false;
	if (key->kind == KEY_DATE || catalog_peek(catalog, key, &known))
		return true;
	if (catalog_customer(catalog, known.customer, &customer))
		return false;
	is_new = read_id(customer.record, &id) == 0 && is_sent_since(catalog, &id, fetch->insisted);
	record_unref(customer.record);
	return is_new;
}

/* Store what is there once more: that changes nothing, and names all that shows it. */
static int store_again(struct catalog *catalog, const struct key *key, struct cache_change *ret)
{
	struct cache_customer customer;
	struct cache_key known;
	int r = catalog_peek(catalog, key, &known);

	if (r == CATALOG_ABSENT)
		return cache_store_absent(catalog->cache, key, known.fetched_ms, ret);
	if (!r)
		r = catalog_customer(catalog, known.customer, &customer);
	if (r)
		return r < 0 ? r : -ESTALE;
	r = cache_store_lead(catalog->cache, key, customer.record, known.fetched_ms, ret);
	record_unref(customer.record);
	return r == CACHE_NONE ? -ESTALE : r;
}

int catalog_tell_again(struct catalog *catalog, const struct key *key)
{
	struct cache_change change;
	int r;

	/* A change of a day is told to everybody at once. */
	if (key->kind == KEY_DATE)
		return 0;
	do
		r = store_again(catalog, key, &change);
	while (r == CACHE_FULL && house_make_room(catalog));
	if (r == CACHE_FULL)
		return -EFBIG;
	if (r)
		return r;
	change.at_once = true;
	catalog_tell(catalog, &change);
	cache_change_fini(&change);
	return 0;
}
