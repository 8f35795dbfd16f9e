/* SPDX-License-Identifier: MIT */
/*
 * The part of catalog that says how long what is known may be taken for granted, and goes on by
 * other rules: other times to live, or offline.
 *
 * What was answered by the old rules may have been taken for granted for as long as these allowed.
 * So whoever was asked for in that time is told of, step by step, as of somebody for whom other
 * rules count.
 */

#include "kapturefs/store/catalog_parts.h"

enum { SOON_MS = 1 /* a timer of 0 would go off again in the same turn of the loop */ };

/* A text says less of a day than a list. */
uint64_t catalog_ttl_of(const struct catalog *catalog, const struct cache_key *key)
{
	return key->is_vague ? catalog->settings.ttl_ms
	                     : catalog_ttl_ms(catalog, &key->key, key->fetched_ms);
}

int64_t catalog_expires_ms(const struct catalog *catalog, const struct cache_key *key)
{
	return key->fetched_ms + (int64_t)catalog_ttl_of(catalog, key);
}

static uint64_t until(int64_t end_ms, int64_t now_ms)
{
	return end_ms > now_ms ? (uint64_t)(end_ms - now_ms) : 0;
}

static uint64_t shorter(uint64_t left, uint64_t right)
{
	return left < right ? left : right;
}

/*
 * How long the kernel may take for granted what it is told of @key, so that it does not ask. What
 * is fresh, while it is; but what was given in spite of its age, only now. An old answer for a
 * moment, and no longer than there is one or its customer is left alone; where nobody can be asked,
 * as long as a fresh one.
 */
uint64_t catalog_believe_ms(struct catalog *catalog, const struct cache_key *key, bool is_stale)
{
	const struct catalog_settings *settings = &catalog->settings;
	const struct backoff_subject subject = { key->customer, &key->key };
	uint64_t now_ms = uv_now(catalog->loop);
	uint64_t left_ms = until(catalog_expires_ms(catalog, key), catalog_now_ms(catalog));
	uint64_t alone_ms = backoff_left_ms(catalog->backoff, subject, now_ms);

	if (!is_stale)
		return key->is_forced ? 0 : shorter(left_ms, catalog_ttl_of(catalog, key));
	if (settings->offline)
		return settings->ttl_ms;
	left_ms = until(catalog_expires_ms(catalog, key) + (int64_t)settings->max_stale_ms,
	                catalog_now_ms(catalog));
	if (alone_ms)
		left_ms = shorter(left_ms, alone_ms);
	return shorter(left_ms, CATALOG_STALE_BELIEVED_MS);
}

/*
 * When an answer became what it is: when it came, by an answer for another key of the customer, by
 * other rules, or when it expired. An answer that is not believed any more before its time became
 * so a moment later, and one that was kept from an earlier run another moment: no time goes back,
 * and none moves by starting once more.
 */
int64_t catalog_stated_ms(struct catalog *catalog, const struct catalog_entry *entry)
{
	int64_t since_ms = entry->key.fetched_ms;

	if (catalog->rules.changed_ms > since_ms)
		since_ms = catalog->rules.changed_ms;
	if (entry->customer.changed_ms > since_ms)
		since_ms = entry->customer.changed_ms;
	if (entry->is_stale && entry->expires_ms > catalog_now_ms(catalog))
		since_ms += 1;
	else if (entry->is_stale && entry->expires_ms > since_ms)
		since_ms = entry->expires_ms;
	return entry->is_from_api ? since_ms : since_ms + 2;
}

/* Other rules */

static bool tell_next(struct catalog *catalog)
{
	struct cache_change change;
	uint32_t slot;

	if (cache_next_used(catalog->cache, &catalog->rules.used, &slot))
		return false;
	if (cache_describe(catalog->cache, slot, &change) == 0) {
		catalog_tell(catalog, &change);
		cache_change_fini(&change);
	}
	return true;
}

static void tell_some(uv_timer_t *timer)
{
	struct catalog *catalog = container_of(timer, struct catalog, rules.timer);
	bool has_more = true;

	while (has_more && turn_share_begin(&catalog->rules.share, catalog->loop)) {
		has_more = tell_next(catalog);
		turn_share_end(&catalog->rules.share);
	}
	if (has_more)
		uv_timer_start(timer, tell_some, SOON_MS, 0);
}

static uint64_t longer(uint64_t left, uint64_t right)
{
	return left > right ? left : right;
}

void catalog_change(struct catalog *catalog, const struct catalog_settings *settings)
{
	uint64_t believed_ms = longer(catalog->settings.ttl_ms, CATALOG_STALE_BELIEVED_MS);

	catalog->rules.changed_ms =
	        cache_rules_since(catalog->cache, settings->ttl_ms, catalog_now_ms(catalog));
	catalog->settings.ttl_ms = settings->ttl_ms;
	catalog->settings.negative_ttl_ms = settings->negative_ttl_ms;
	cache_keep_absences(catalog->cache, settings->negative_ttl_ms);
	house_answer_kept(catalog);
	catalog->settings.max_stale_ms = settings->max_stale_ms;
	catalog->settings.timeout_ms = settings->timeout_ms;
	catalog->settings.patience_ms = settings->patience_ms;
	catalog->settings.offline = settings->offline;
	catalog->timeout.duration_ms = settings->timeout_ms;
	catalog->patience.duration_ms = settings->patience_ms;
	catalog->rules.used =
	        (struct cache_used){ .used_ms = catalog_now_ms(catalog) - (int64_t)believed_ms };
	tell_some(&catalog->rules.timer);
}

void rules_open(struct catalog *catalog)
{
	uv_timer_init(catalog->loop, &catalog->rules.timer);
	catalog->handles_open++;
	catalog->rules.timer.data = catalog;
	catalog->rules.changed_ms =
	        cache_rules_since(catalog->cache, catalog->settings.ttl_ms, catalog->started_ms);
}

void rules_close(struct catalog *catalog, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&catalog->rules.timer, closed);
}
