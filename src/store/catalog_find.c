/* SPDX-License-Identifier: MIT */
/* The part of catalog that looks, and never starts anything. */

#include <errno.h>
#include <time.h>

#include "kapturefs/store/catalog_parts.h"
#include "kapturefs/store/freshness.h"

int64_t catalog_now_ms(const struct catalog *catalog)
{
	struct timespec now;

	(void)catalog;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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

static int find_entry(struct catalog *catalog, const struct key *key,
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
	if (entry.key.is_forced && freshness == FRESHNESS_FRESH)
		freshness = FRESHNESS_STALE;
	if (freshness != FRESHNESS_FRESH) {
		r = find_instead(catalog, freshness == FRESHNESS_STALE || catalog->settings.offline,
		                 question);
		if (r)
			return r;
	}

	r = catalog_customer(catalog, entry.key.customer, &entry.customer);
	/* Damage has taken the customer and left the key. */
	if (r == CATALOG_ABSENT)
		return find_instead(catalog, false, question);
	if (r)
		return r;

	entry.is_stale = freshness != FRESHNESS_FRESH;
	entry.is_from_api = entry.key.fetched_ms >= catalog->started_ms;
	entry.expires_ms = entry.key.fetched_ms + (int64_t)catalog->settings.ttl_ms;
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
