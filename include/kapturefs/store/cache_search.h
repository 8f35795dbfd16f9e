#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Customers in whose names, phone numbers, e-mail addresses, cities, codes and remarks all of
 * some words occur, as parts of words too, whatever their case and accents.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/cache.h"

struct cache_search;

/** So many are found, the best. */
enum { SEARCH_FOUND_MAX = 1000 };

/**
 * Begin to look for @words, separated by blanks, as of now. Neighbours that together are a phone
 * number as people write it, in @country as in key.h, are looked for by its digits; all words count
 * as they stand if nobody is found by that. Returns 0 or -ENOMEM.
 */
int cache_search_new(struct cache *cache, uint32_t country, const char *words,
                     struct cache_search **ret) must_check;

/** NULL is ignored. */
void cache_search_free(struct cache_search *search);
define_cleanup(struct cache_search *, cache_search_free);

/**
 * Whether it looks for the same as @words, and what it has found is what is there now: since it
 * began nobody has come, changed or gone in whom all the words occurred before or after.
 */
bool cache_search_is_of(const struct cache_search *search, const char *words);

/**
 * Go on, for less than a millisecond. Returns 0 at the end, CACHE_MORE before, or a negative
 * errno.
 */
int cache_search_step(struct cache *cache, struct cache_search *search) must_check;

/** Whether it is at the end. */
bool cache_search_is_done(const struct cache_search *search);

/** What was found: slots of customers, the best first, borrowed; to be asked for at the end. */
const uint32_t *cache_search_found(const struct cache_search *search, size_t *ret_count);

/** Whether the customer with @slot is one of those looked for: 1 or 0, or a negative errno. */
int cache_search_matches(struct cache *cache, const struct cache_search *search,
                         uint32_t slot) must_check;

/** The id of the customer with @slot as a key. Returns as cache_find_key(). */
int cache_find_id(struct cache *cache, uint32_t slot, struct cache_key *ret) must_check;
