#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a catalog: what catalog and catalog_find share, and nobody else uses. */

#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/list.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/hotset.h"

struct deadlines {
	struct list tickets;
	uv_timer_t timer;
	uint64_t duration_ms;
};

struct catalog {
	uv_loop_t *loop;
	struct cache *cache;
	struct source *source;
	struct hotset *hotset;
	struct catalog_settings settings;
	struct catalog_listener listener;
	struct list fetches;
	struct deadlines timeout;
	struct deadlines patience;
	int64_t started_ms;
	unsigned handles_open; /* the timers, closing or not */
	struct catalog_metrics {
		struct counter hits;
		struct counter misses_cold;
		struct counter misses_expired;
		struct counter joined;
		struct counter stale;
		struct counter fetches;
		struct counter hotset_hits;
		struct counter hotset_misses;
		struct counter hotset_bytes;
	} metrics;
};

/** Keep @customer parsed. */
void catalog_keep_hot(struct catalog *catalog, const struct cache_customer *customer);
