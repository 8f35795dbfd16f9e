#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a catalog: what catalog and catalog_find share, and nobody else uses. */

#include <stdbool.h>
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

struct house {
	uv_timer_t sweep;
	uv_timer_t minute;
	uv_fs_t sync;
	int sync_descriptor;
	bool is_syncing;
	bool is_ending;
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
	struct house house;
	int64_t started_ms;
	unsigned handles_open; /* the timers, closing or not, and the sync under way */
	struct catalog_metrics {
		struct counter hits;
		struct counter misses_cold;
		struct counter misses_expired;
		struct counter misses_forced;
		struct counter misses_evicted;
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

/** Drop what @change removed from what is kept parsed, and tell the listener. */
void catalog_tell(struct catalog *catalog, const struct cache_change *change);

/** One of @handles_open is closed: the last frees the catalog. */
void catalog_let_go(struct catalog *catalog);

/* catalog_house.c */
void house_open(struct catalog *catalog);
void house_close(struct catalog *catalog, uv_close_cb closed);

/** Sync what has been stored, unless that is under way. */
void house_sync(struct catalog *catalog);

/** Something has been stored. */
void house_answer_kept(struct catalog *catalog);
