/* SPDX-License-Identifier: MIT */
/* The part of catalog that looks, and never starts anything. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/model/date.h"
#include "kapturefs/store/catalog_parts.h"
#include "kapturefs/store/freshness.h"

int64_t catalog_now_ms(struct catalog *catalog)
{
	const struct catalog_clock *clock = &catalog->settings.clock;

	return clock->now_ms ? clock->now_ms(clock->userdata) : wallclock_now_ms(&catalog->clock);
}

void catalog_entry_fini(struct catalog_entry *entry)
{
	record_unref(steal(&entry->customer.record));
}

void catalog_keep_hot(struct catalog *catalog, const struct cache_customer *customer)
{
	hotset_put(catalog->hotset, customer);
	counter_set(&catalog->metrics.hotset_bytes, hotset_size(catalog->hotset));
}

int catalog_customer(struct catalog *catalog, uint32_t slot, struct cache_customer *ret)
{
	int r;

	cache_touch(catalog->cache, slot, catalog_now_ms(catalog));
	if (hotset_find(catalog->hotset, slot, ret)) {
		counter_add(&catalog->metrics.hotset_hits, 1);
		return 0;
	}

	counter_add(&catalog->metrics.hotset_misses, 1);
	r = cache_read_customer(catalog->cache, slot, ret);
	if (r == CACHE_NONE)
		return CATALOG_ABSENT;
	if (r)
		return r;

	catalog_keep_hot(catalog, ret);
	return 0;
}

/* Most of the work is left to whoever reads in the customer's directory, if anybody does. */
static int brief_customer(struct catalog *catalog, uint32_t slot, struct cache_customer *ret)
{
	int r;

	cache_touch(catalog->cache, slot, catalog_now_ms(catalog));
	if (hotset_find(catalog->hotset, slot, ret))
		return 0;
	r = cache_peek_customer(catalog->cache, slot, ret);
	return r == CACHE_NONE ? CATALOG_ABSENT : r;
}

int catalog_key(struct catalog *catalog, uint32_t slot, struct cache_key *ret)
{
	int r = cache_read_key(catalog->cache, slot, ret);

	if (r == CACHE_NONE)
		r = cache_read_reserved(catalog->cache, slot, ret);
	return r == CACHE_NONE ? CATALOG_ABSENT : r;
}

int catalog_list_keys(struct catalog *catalog, enum key_kind kind, uint32_t slot,
                      cache_key_fn *take, void *userdata)
{
	return cache_list_keys(catalog->cache, kind, slot, take, userdata);
}

int64_t catalog_listing_changed_ms(const struct catalog *catalog, enum key_kind kind)
{
	return cache_listing_changed_ms(catalog->cache, kind);
}

const char *catalog_account(struct catalog *catalog)
{
	return catalog->account[0] ? catalog->account : cache_account(catalog->cache);
}

uint64_t catalog_ttl_ms(const struct catalog *catalog, const struct key *key, int64_t fetched_ms)
{
	uint64_t ttl_ms = catalog->settings.ttl_ms;
	int32_t day;

	if (key->kind != KEY_DATE || date_parse(key->text, strlen(key->text), &day))
		return ttl_ms;
	return freshness_ttl_of_day(day, fetched_ms, ttl_ms);
}

/* What is known of @key; the slots of the key too, if a customer is. */
static int look(struct catalog *catalog, const struct key *key, struct freshness_case *known,
                struct cache_key *ret)
{
	int r;

	r = cache_find_key(catalog->cache, key, ret);
	if (r == 0) {
		known->known = FRESHNESS_OF_CUSTOMER;
		known->fetched_ms = ret->fetched_ms;
		known->is_forced = ret->is_forced;
		known->is_vague = ret->is_vague;
		return 0;
	}
	if (r == CACHE_NONE)
		r = cache_find_absent(catalog->cache, key, &known->fetched_ms);
	if (r == 0)
		known->known = FRESHNESS_OF_ABSENCE;
	return r < 0 ? r : 0;
}

static int decide(struct catalog *catalog, const struct key *key,
                  const struct catalog_question *question, struct freshness_case *known)
{
	const struct catalog_settings *settings = &catalog->settings;
	const struct freshness_rules rules = {
		.ttl_ms = known->is_vague ? settings->ttl_ms
		                          : catalog_ttl_ms(catalog, key, known->fetched_ms),
		.negative_ttl_ms = settings->negative_ttl_ms,
		.max_stale_ms = settings->max_stale_ms,
		.offline = settings->offline,
	};

	known->now_ms = catalog_now_ms(catalog);
	known->asked_ms = question->asked_ms;
	known->waited = question->waited;
	known->error = question->result.error;
	known->may_pass = question->result.may_pass;
	known->is_overtaken = question->result.is_overtaken;
	known->is_refused =
	        question->waited &&
	        catalog->source->operations->state(catalog->source, key->kind, 0) == SOURCE_REFUSED;
	return freshness_decide(&rules, known);
}

/*
 * What there is to be said without asking, as if somebody had asked and waited: a customer who has
 * failed is left alone, and while something is asked about one, one wait is enough.
 */
static int decide_unasked(struct catalog *catalog, const struct key *key, uint32_t customer,
                          const struct catalog_question *question, struct freshness_case *known)
{
	const struct backoff_subject subject = { customer, key };
	const struct backoff_failure *failure =
	        backoff_find(catalog->backoff, subject, uv_now(catalog->loop));
	struct catalog_question waited = *question;
	int decision;

	waited.waited = true;
	/* Nothing has been answered meanwhile. */
	waited.asked_ms = INT64_MAX;
	if (failure && failure->epoch == catalog->source->operations->epoch(catalog->source)) {
		waited.result.error = failure->error;
		waited.result.may_pass = failure->may_pass;
		return decide(catalog, key, &waited, known);
	}
	if (!customer || !fetch_is_about(catalog, customer))
		return FRESHNESS_ASK;
	waited.result.error = -EBUSY;
	waited.result.may_pass = true;
	decision = decide(catalog, key, &waited, known);
	return decision == FRESHNESS_SERVE_STALE ? decision : FRESHNESS_ASK;
}

bool catalog_why(struct catalog *catalog, const struct key *key, struct catalog_result *ret)
{
	struct backoff_subject subject = { .key = key };
	const struct backoff_failure *failure;
	struct cache_key known;

	if (cache_find_key(catalog->cache, key, &known) == 0)
		subject.customer = known.customer;
	failure = backoff_last(catalog->backoff, subject);
	if (!failure)
		return false;
	*ret = (struct catalog_result){
		.error = failure->error,
		.may_pass = failure->may_pass,
		.cause = failure->cause,
		.status = failure->status,
	};
	return true;
}

void catalog_print_cause(const struct catalog_result *result, char ret[CATALOG_CAUSE_SIZE])
{
	bool is_refused = result->error == -EACCES && !result->may_pass;
	char code[sizeof(", HTTP 9223372036854775807")] = "";

	ret[0] = '\0';
	if (!result->error || !result->cause)
		return;
	if (result->status)
		snprintf(code, sizeof(code), ", HTTP %ld", result->status);
	snprintf(ret, CATALOG_CAUSE_SIZE, "%s%s%s", result->cause, code,
	         is_refused ? "; put a valid one into the token file" : "");
}

/* Damage has taken the customer and left the key: as if nothing were known. */
static int decide_for_lost(struct catalog *catalog, const struct key *key,
                           const struct catalog_question *question, struct freshness_case *known)
{
	int decision;

	known->known = FRESHNESS_OF_NOTHING;
	decision = decide(catalog, key, question, known);
	if (decision == FRESHNESS_ASK)
		decision = decide_unasked(catalog, key, 0, question, known);
	return decision == FRESHNESS_ASK ? CATALOG_MISSING : decision;
}

static void tell_age(struct catalog *catalog, struct catalog_entry *entry, bool is_stale)
{
	entry->is_stale = is_stale;
	entry->is_from_api = entry->key.fetched_ms >= catalog->started_ms;
	entry->expires_ms = catalog_expires_ms(catalog, &entry->key);
	entry->stated_ms = catalog_stated_ms(catalog, entry);
	entry->valid_ms = catalog_believe_ms(catalog, &entry->key, is_stale);
}

bool catalog_is_fresh(struct catalog *catalog, const struct cache_key *key)
{
	return !key->is_forced &&
	       freshness_at(catalog_now_ms(catalog), key->fetched_ms, catalog_ttl_of(catalog, key),
	                    catalog->settings.max_stale_ms) == FRESHNESS_FRESH;
}

/* Find @key, if what it leads to may be served. Returns as catalog_find(). */
static int find_key(struct catalog *catalog, const struct key *key,
                    const struct catalog_question *question, struct freshness_case *known,
                    struct cache_key *ret, bool *ret_is_stale)
{
	int decision;
	int r;

	r = look(catalog, key, known, ret);
	if (r)
		return r;
	if (question->of_any_age && known->known == FRESHNESS_OF_CUSTOMER) {
		*ret_is_stale = !catalog_is_fresh(catalog, ret);
		return 0;
	}
	decision = decide(catalog, key, question, known);
	if (decision == FRESHNESS_ASK)
		decision = decide_unasked(catalog, key,
		                          known->known == FRESHNESS_OF_CUSTOMER ? ret->customer : 0,
		                          question, known);
	if (decision == FRESHNESS_ASK)
		return CATALOG_MISSING;
	if (decision == FRESHNESS_SERVE_ABSENT)
		return CATALOG_ABSENT;
	*ret_is_stale = decision == FRESHNESS_SERVE_STALE;
	return decision < 0 ? decision : 0;
}

/*
 * A key that led to a customer who was evicted is not as well known as one that still does, and has
 * its directory. An id on the list of a day is one that the API has told: to say that there is such
 * a customer nobody need be asked.
 */
static int find_reserved(struct catalog *catalog, const struct key *key, struct catalog_entry *ret)
{
	struct catalog_entry entry = { .key.key = *key, .is_stale = true };
	struct cache_reserved reserved;
	struct cache_key date;
	int32_t day;
	int r;

	if (cache_find_reserved(catalog->cache, key, &reserved) == 0 && reserved.is_evicted) {
		entry.key.slot = reserved.slot;
		entry.customer.changed_ms = reserved.changed_ms;
		*ret = entry;
		return 0;
	}
	if (key->kind != KEY_ID)
		return CATALOG_MISSING;
	r = cache_find_day_with(catalog->cache, key, &date);
	if (!r)
		r = cache_reserve(catalog->cache, key, &entry.key.slot);
	if (!r)
		r = date_parse(date.key.text, strlen(date.key.text), &day);
	if (r)
		return CATALOG_MISSING;
	entry.customer.changed_ms = date_midnight_ms(day);
	*ret = entry;
	return 0;
}

static int find_entry(struct catalog *catalog, const struct key *key,
                      const struct catalog_question *question, struct catalog_entry *ret)
{
	struct freshness_case known = { .known = FRESHNESS_OF_NOTHING };
	struct catalog_entry entry = { 0 };
	bool is_stale;
	int r;

	r = find_key(catalog, key, question, &known, &entry.key, &is_stale);
	if (r && r != CATALOG_ABSENT && question->of_any_age && question->is_brief &&
	    find_reserved(catalog, key, ret) == 0)
		return 0;
	if (r)
		return r;
	r = question->is_brief ? brief_customer(catalog, entry.key.customer, &entry.customer)
	                       : catalog_customer(catalog, entry.key.customer, &entry.customer);
	if (r == CATALOG_ABSENT)
		return decide_for_lost(catalog, key, question, &known);
	if (r)
		return r;

	tell_age(catalog, &entry, is_stale);
	/* Who goes in is to ask. */
	if (is_stale && question->of_any_age)
		entry.valid_ms = 0;
	*ret = entry;
	return 0;
}

static int read_day(struct catalog *catalog, bool is_stale, struct catalog_day *day)
{
	const struct cache_key *key = &day->key;
	int r;

	r = cache_read_roster(catalog->cache, key->customer, &day->roster, &day->changed_ms);
	if (r)
		return r == CACHE_NONE ? CATALOG_ABSENT : r;
	cache_touch(catalog->cache, key->customer, catalog_now_ms(catalog));
	day->is_stale = is_stale;
	day->valid_ms = catalog_believe_ms(catalog, key, is_stale);
	return 0;
}

static int find_day(struct catalog *catalog, const struct key *key,
                    const struct catalog_question *question, struct catalog_day *ret)
{
	struct freshness_case known = { .known = FRESHNESS_OF_NOTHING };
	struct catalog_day day;
	bool is_stale;
	int r;

	r = find_key(catalog, key, question, &known, &day.key, &is_stale);
	if (r)
		return r;
	r = read_day(catalog, is_stale, &day);
	if (r == CATALOG_ABSENT)
		return decide_for_lost(catalog, key, question, &known);
	if (r)
		return r;
	if (is_stale && question->of_any_age)
		day.valid_ms = 0;
	*ret = day;
	return 0;
}

/* The key with @slot, however old what it leads to. */
static int known_key(struct catalog *catalog, uint32_t slot, struct cache_key *ret,
                     bool *ret_is_stale)
{
	int r = catalog_key(catalog, slot, ret);

	if (!r)
		*ret_is_stale = !catalog_is_fresh(catalog, ret);
	return r;
}

int catalog_known(struct catalog *catalog, uint32_t slot, struct catalog_entry *ret)
{
	struct catalog_entry entry = { 0 };
	bool is_stale;
	int r;

	r = known_key(catalog, slot, &entry.key, &is_stale);
	if (!r)
		r = catalog_customer(catalog, entry.key.customer, &entry.customer);
	if (r)
		return r;
	tell_age(catalog, &entry, is_stale);
	*ret = entry;
	return 0;
}

int catalog_known_day(struct catalog *catalog, uint32_t slot, struct catalog_day *ret)
{
	struct catalog_day day;
	bool is_stale;
	int r;

	r = known_key(catalog, slot, &day.key, &is_stale);
	if (!r)
		r = read_day(catalog, is_stale, &day);
	if (r)
		return r;
	*ret = day;
	return 0;
}

/* Only the first asking counts; whoever has waited was counted then. */
static void count_answer(struct catalog *catalog, const struct key *key, int r)
{
	struct catalog_metrics *metrics = &catalog->metrics;
	struct counter *const misses[] = {
		[CACHE_MISS_COLD] = &metrics->misses_cold,
		[CACHE_MISS_EXPIRED] = &metrics->misses_expired,
		[CACHE_MISS_FORCED] = &metrics->misses_forced,
		[CACHE_MISS_EVICTED] = &metrics->misses_evicted,
	};

	if (r == 0 || r == CATALOG_ABSENT)
		counter_add(&metrics->hits, 1);
	else if (r == CATALOG_MISSING)
		counter_add(misses[cache_miss(catalog->cache, key)], 1);
}

static void count_found(struct catalog *catalog, const struct key *key,
                        const struct catalog_question *question, int r, bool is_stale)
{
	if (!question->waited)
		count_answer(catalog, key, r);
	if (r == 0 && is_stale && !question->of_any_age)
		counter_add(&catalog->metrics.stale, 1);
	if (r == 0 || r == CATALOG_ABSENT)
		recent_add(&catalog->served, uv_now(catalog->loop), r == 0 && is_stale);
}

int catalog_find(struct catalog *catalog, const struct key *key,
                 const struct catalog_question *question, struct catalog_entry *ret)
{
	int r = find_entry(catalog, key, question, ret);

	count_found(catalog, key, question, r, r == 0 && ret->is_stale);
	return r;
}

int catalog_find_day(struct catalog *catalog, const struct key *key,
                     const struct catalog_question *question, struct catalog_day *ret)
{
	int r = find_day(catalog, key, question, ret);

	count_found(catalog, key, question, r, r == 0 && ret->is_stale);
	return r;
}
