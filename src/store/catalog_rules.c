/* SPDX-License-Identifier: MIT */
/*
 * The part of catalog that goes on by other rules: other times to live, or offline.
 *
 * What was answered by the old rules may have been taken for granted for as long as these allowed.
 * So whoever was asked for in that time is told of, step by step, as of somebody for whom other
 * rules count.
 */

#include "kapturefs/store/catalog_parts.h"

enum { SOON_MS = 1 /* a timer of 0 would go off again in the same turn of the loop */ };

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

	catalog->settings.ttl_ms = settings->ttl_ms;
	catalog->settings.negative_ttl_ms = settings->negative_ttl_ms;
	catalog->settings.max_stale_ms = settings->max_stale_ms;
	catalog->settings.timeout_ms = settings->timeout_ms;
	catalog->settings.patience_ms = settings->patience_ms;
	catalog->settings.offline = settings->offline;
	catalog->timeout.duration_ms = settings->timeout_ms;
	catalog->patience.duration_ms = settings->patience_ms;
	catalog->rules.changed_ms = catalog_now_ms(catalog);
	catalog->rules.used =
	        (struct cache_used){ .used_ms = catalog->rules.changed_ms - (int64_t)believed_ms };
	tell_some(&catalog->rules.timer);
}

void rules_open(struct catalog *catalog)
{
	uv_timer_init(catalog->loop, &catalog->rules.timer);
	catalog->handles_open++;
	catalog->rules.timer.data = catalog;
	catalog->rules.changed_ms = catalog->started_ms;
}

void rules_close(struct catalog *catalog, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&catalog->rules.timer, closed);
}
