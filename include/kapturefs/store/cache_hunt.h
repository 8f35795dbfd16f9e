#pragma once
/* SPDX-License-Identifier: MIT */
/* A search as long as it goes on. For cache_search.c. */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_hits.h"

struct hunt;

/** Begin, for the @count_max best. @words are borrowed. Returns 0 or -ENOMEM. */
int hunt_new(const struct hits_words *words, size_t count_max, struct hunt **ret) must_check;

/** NULL is ignored. */
void hunt_free(struct hunt *hunt);
define_cleanup(struct hunt *, hunt_free);

/** Go on, for less than a millisecond. Returns 0 at the end, CACHE_MORE, or a negative errno. */
int hunt_step(struct cache *cache, struct hunt *hunt) must_check;

/** At the end: write the slots of those found into @ret, the best first. Returns how many. */
size_t hunt_conclude(struct hunt *hunt, uint32_t *ret);
