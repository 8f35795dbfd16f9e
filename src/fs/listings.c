/* SPDX-License-Identifier: MIT */
/*
 * A listing in the table:
 *
 *   kept      the kernel was given it
 *   dropping  the kernel is being told to drop it; whoever asks again waits for the same drop
 *   dropped   gone from the table, unless it was young when that began: then it is kept as before
 */

#include <errno.h>
#include <stdlib.h>

#include "kapturefs/base/list.h"
#include "kapturefs/fs/listings.h"
#include "kapturefs/fs/teller.h"

enum { WAYS = 8, SETS = 8192 };

struct listing {
	uint64_t directory; /* 0: none */
	uint64_t drop;      /* the last that was begun, or 0 */
	uint64_t listed_ms;
	bool was_young; /* when that was begun */
};

/* The listings of directories whose numbers have the same hash. */
struct listing_set {
	struct listing ways[WAYS];
	bool has_overflowed; /* ... and others were listed, too */
};

struct drop {
	struct list link;
	uint64_t directory;
	uint64_t number;
};

struct listings {
	struct teller teller;
	struct fuse_session *session;
	listings_dropped_fn *dropped;
	void *userdata;
	struct list drops; /* with the lock of the teller, as are the next two */
	uint64_t last_begun;
	uint64_t last_done;
	struct counter dropped_listings;
	struct listing_set sets[SETS];
};

int listings_new(struct listings **ret)
{
	struct listings *listings = calloc(1, sizeof(*listings));

	if (!listings)
		return -ENOMEM;
	teller_init(&listings->teller);
	list_init(&listings->drops);
	*ret = listings;
	return 0;
}

static void drop_free(struct drop *drop)
{
	list_remove(&drop->link);
	free(drop);
}

void listings_free(struct listings *listings)
{
	if (!listings)
		return;

	while (!list_is_empty(&listings->drops))
		drop_free(container_of(listings->drops.next, struct drop, link));
	teller_fini(&listings->teller);
	free(listings);
}

void listings_add_metrics(struct listings *listings, struct metrics *metrics)
{
	metrics_add_counter(metrics, &listings->dropped_listings, METRIC_COUNTER,
	                    "kapturefs_dropped_listings_total", "",
	                    "Listings of expired directories that the kernel was told to drop.");
}

/* The thread's part */

static void run(void *userdata)
{
	struct listings *listings = userdata;
	struct teller *teller = &listings->teller;

	while (!teller->must_end) {
		struct drop *drop;

		if (list_is_empty(&listings->drops)) {
			teller_wait(teller);
			continue;
		}
		drop = container_of(listings->drops.next, struct drop, link);
		list_remove(&drop->link);
		pthread_mutex_unlock(&teller->lock);
		/* From the first byte on: with the attributes alone, the pages would stay. */
		(void)fuse_lowlevel_notify_inval_inode(listings->session, drop->directory, 0, 0);
		pthread_mutex_lock(&teller->lock);
		listings->last_done = drop->number;
		drop_free(drop);
		listings->dropped(listings->userdata);
	}
}

/* The reactor's part */

int listings_start(struct listings *listings, struct fuse_session *session,
                   listings_dropped_fn *dropped, void *userdata)
{
	listings->session = session;
	listings->dropped = dropped;
	listings->userdata = userdata;
	return teller_start(&listings->teller, "listings", run, listings);
}

void listings_stop(struct listings *listings)
{
	pthread_mutex_lock(&listings->teller.lock);
	teller_stop(&listings->teller);
	pthread_mutex_unlock(&listings->teller.lock);
}

bool listings_have_ended(struct listings *listings)
{
	return teller_has_ended(&listings->teller);
}

bool listings_have_dropped(struct listings *listings, uint64_t drop)
{
	bool have_dropped;

	pthread_mutex_lock(&listings->teller.lock);
	have_dropped = listings->last_done >= drop;
	pthread_mutex_unlock(&listings->teller.lock);
	return have_dropped;
}

/* Neighbours are listed together, and get sets of their own. */
static struct listing_set *set_of(struct listings *listings, uint64_t directory)
{
	return &listings->sets[(directory ^ directory >> 32) * 0x9e3779b97f4a7c15u >> 51];
}

static struct listing *find(struct listing_set *set, uint64_t directory)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (set->ways[i].directory == directory)
			return &set->ways[i];
	}
	return NULL;
}

void listings_add(struct listings *listings, uint64_t directory, uint64_t now_ms)
{
	struct listing_set *set = set_of(listings, directory);
	struct listing *listing = find(set, directory);

	if (!listing)
		listing = find(set, 0);
	if (listing)
		*listing = (struct listing){ .directory = directory, .listed_ms = now_ms };
	else
		set->has_overflowed = true;
}

static int begin(struct listings *listings, uint64_t directory, uint64_t *ret)
{
	struct drop *drop = malloc(sizeof(*drop));

	if (!drop)
		return -ENOMEM;
	*drop = (struct drop){ .directory = directory };
	list_init(&drop->link);
	pthread_mutex_lock(&listings->teller.lock);
	drop->number = ++listings->last_begun;
	*ret = drop->number;
	list_insert_before(&listings->drops, &drop->link);
	pthread_cond_signal(&listings->teller.filled);
	pthread_mutex_unlock(&listings->teller.lock);
	counter_add(&listings->dropped_listings, 1);
	return 0;
}

int listings_drop(struct listings *listings, uint64_t directory, uint64_t now_ms, uint64_t *ret)
{
	struct listing_set *set = set_of(listings, directory);
	struct listing *listing = find(set, directory);
	int r;

	*ret = 0;
	if (!listing)
		return set->has_overflowed ? begin(listings, directory, ret) : 0;
	if (listing->drop && !listings_have_dropped(listings, listing->drop)) {
		*ret = listing->drop;
		return 0;
	}
	if (listing->drop && !listing->was_young) {
		*listing = (struct listing){ 0 };
		return 0;
	}
	r = begin(listings, directory, ret);
	if (r)
		return r;
	listing->drop = *ret;
	listing->was_young = now_ms - listing->listed_ms < LISTINGS_YOUNG_MS;
	return 0;
}
