/* SPDX-License-Identifier: MIT */
/* The part of catalog that finds by words what is known, and asks nobody. */

#include <errno.h>

#include "kapturefs/store/catalog_parts.h"

/* What has expired may not be shown while the token is refused; a name tells of it. */
static bool is_closed(struct catalog *catalog)
{
	return catalog->source->operations->state(catalog->source, KEY_ID, 0) == SOURCE_REFUSED;
}

int catalog_search(struct catalog *catalog, const char *words, struct cache_search **ret)
{
	if (is_closed(catalog))
		return -EACCES;
	return cache_search_new(catalog->cache, catalog->settings.phone_country, words, ret);
}

int64_t catalog_search_ms(struct catalog *catalog)
{
	int64_t changed_ms = cache_changed_ms(catalog->cache);

	return changed_ms ? changed_ms : catalog_now_ms(catalog);
}

bool catalog_search_is_of(struct catalog *catalog, const struct cache_search *search,
                          const char *words)
{
	return !is_closed(catalog) && cache_search_is_of(search, words);
}

int catalog_search_step(struct catalog *catalog, struct cache_search *search)
{
	int r = cache_search_is_done(search) ? 0 : CACHE_MORE;

	while (r == CACHE_MORE && turn_share_begin(&catalog->searching, catalog->loop)) {
		r = cache_search_step(catalog->cache, search);
		turn_share_end(&catalog->searching);
	}
	return r;
}

int catalog_search_find(struct catalog *catalog, const struct cache_search *search,
                        const struct key *id, struct cache_key *ret)
{
	int r;

	r = cache_find_key(catalog->cache, id, ret);
	if (!r)
		r = cache_search_matches(catalog->cache, search, ret->customer);
	else if (r == CACHE_NONE)
		return CATALOG_ABSENT;
	return r < 0 ? r : r ? 0 : CATALOG_ABSENT;
}

int catalog_id(struct catalog *catalog, uint32_t customer, struct cache_key *ret)
{
	int r = cache_find_id(catalog->cache, customer, ret);

	return r == CACHE_NONE ? CATALOG_ABSENT : r;
}
