/* SPDX-License-Identifier: MIT */
/* The part of catalog that looks, and never starts anything. */

#include <errno.h>

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

int catalog_key(struct catalog *catalog, uint32_t slot, struct cache_key *ret)
{
	int r = cache_read_key(catalog->cache, slot, ret);

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
		return 0;
	}
	if (r == CACHE_NONE)
		r = cache_find_absent(catalog->cache, key, &known->fetched_ms);
	if (r == 0)
		known->known = FRESHNESS_OF_ABSENCE;
	return r < 0 ? r : 0;
}

static int decide(struct catalog *catalog, const struct catalog_question *question,
                  struct freshness_case *known)
{
	const struct catalog_settings *settings = &catalog->settings;
	const struct freshness_rules rules = {
		.ttl_ms = settings->ttl_ms,
		.negative_ttl_ms = settings->negative_ttl_ms,
		.max_stale_ms = settings->max_stale_ms,
		.offline = settings->offline,
	};

	known->now_ms = catalog_now_ms(catalog);
	known->asked_ms = question->asked_ms;
	known->waited = question->waited;
	known->error = question->result.error;
	known->may_pass = question->result.may_pass;
	known->is_refused =
	        question->waited &&
	        catalog->source->operations->state(catalog->source, 0) == SOURCE_REFUSED;
	return freshness_decide(&rules, known);
}

/* Damage has taken the customer and left the key: as if nothing were known. */
static int decide_for_lost(struct catalog *catalog, const struct catalog_question *question,
                           struct freshness_case *known)
{
	int decision;

	known->known = FRESHNESS_OF_NOTHING;
	decision = decide(catalog, question, known);
	return decision == FRESHNESS_ASK ? CATALOG_MISSING : decision;
}

static void tell_age(const struct catalog *catalog, struct catalog_entry *entry, bool is_stale)
{
	entry->is_stale = is_stale;
	entry->is_from_api = entry->key.fetched_ms >= catalog->started_ms;
	entry->expires_ms = entry->key.fetched_ms + (int64_t)catalog->settings.ttl_ms;
}

static int find_entry(struct catalog *catalog, const struct key *key,
                      const struct catalog_question *question, struct catalog_entry *ret)
{
	struct freshness_case known = { .known = FRESHNESS_OF_NOTHING };
	struct catalog_entry entry = { 0 };
	int decision;
	int r;

	r = look(catalog, key, &known, &entry.key);
	if (r)
		return r;
	decision = decide(catalog, question, &known);
	if (decision < 0)
		return decision;
	if (decision == FRESHNESS_ASK)
		return CATALOG_MISSING;
	if (decision == FRESHNESS_SERVE_ABSENT)
		return CATALOG_ABSENT;

	r = catalog_customer(catalog, entry.key.customer, &entry.customer);
	if (r == CATALOG_ABSENT)
		return decide_for_lost(catalog, question, &known);
	if (r)
		return r;

	tell_age(catalog, &entry, decision == FRESHNESS_SERVE_STALE);
	*ret = entry;
	return 0;
}

int catalog_known(struct catalog *catalog, uint32_t slot, struct catalog_entry *ret)
{
	struct catalog_entry entry = { 0 };
	bool is_stale;
	int r;

	r = catalog_key(catalog, slot, &entry.key);
	if (r)
		return r;
	is_stale = entry.key.is_forced ||
	           freshness_at(catalog_now_ms(catalog), entry.key.fetched_ms,
	                        catalog->settings.ttl_ms,
	                        catalog->settings.max_stale_ms) != FRESHNESS_FRESH;
	if (is_stale && catalog->source->operations->state(catalog->source, 0) == SOURCE_REFUSED)
		return -EACCES;

	r = catalog_customer(catalog, entry.key.customer, &entry.customer);
	if (r)
		return r;
	tell_age(catalog, &entry, is_stale);
	*ret = entry;
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

int catalog_find(struct catalog *catalog, const struct key *key,
                 const struct catalog_question *question, struct catalog_entry *ret)
{
	int r = find_entry(catalog, key, question, ret);

	if (!question->waited)
		count_answer(catalog, key, r);
	if (r == 0 && ret->is_stale)
		counter_add(&catalog->metrics.stale, 1);
	return r;
}
