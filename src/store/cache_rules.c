/* SPDX-License-Identifier: MIT */
/*
 * By which time to live the answers count, and since when: the property `rules` is both numbers, in
 * milliseconds. So what is told of an answer is as old after another start as it was before.
 */

#include <inttypes.h>
#include <stdio.h>

#include "kapturefs/store/cache_parts.h"

static int write_property(struct cache *cache, const void *arguments, int64_t now_ms,
                          struct cache_change *change)
{
	(void)now_ms;
	(void)change;
	return rows_write_property(cache, "rules", arguments);
}

int64_t cache_rules_since(struct cache *cache, uint64_t ttl_ms, int64_t now_ms)
{
	struct cache_change change;
	char known[PROPERTY_SIZE];
	uint64_t known_ttl_ms;
	int64_t since_ms;
	char text[48];

	if (rows_read_property(cache, "rules", known) == 0 &&
	    sscanf(known, "%" SCNu64 " %" SCNd64, &known_ttl_ms, &since_ms) == 2 &&
	    known_ttl_ms == ttl_ms)
		return since_ms;
	snprintf(text, sizeof(text), "%" PRIu64 " %" PRId64, ttl_ms, now_ms);
	/* What cannot be written down counts from each start on. */
	if (cache_write(cache, write_property, text, now_ms, &change) == 0)
		cache_change_fini(&change);
	return now_ms;
}
