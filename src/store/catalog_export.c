/* SPDX-License-Identifier: MIT */
/* The part of catalog that gives all known customers at once. */

#include <errno.h>

#include "kapturefs/store/catalog_parts.h"

/* What was found to be damaged by the last reader is removed before the next begins. */
static int mend(struct catalog *catalog)
{
	struct cache_change change;
	int r = cache_export_mend(catalog->cache, catalog_now_ms(catalog), &change);

	if (r)
		return r < 0 ? r : 0;
	catalog_tell(catalog, &change);
	cache_change_fini(&change);
	return 0;
}

int catalog_export(struct catalog *catalog, struct cache_export *ret)
{
	int r;

	/* Some of them have expired, or will while they are being read. */
	if (catalog->source->operations->state(catalog->source, KEY_ID, 0) == SOURCE_REFUSED)
		return -EACCES;
	r = mend(catalog);
	return r ? r : cache_export(catalog->cache, catalog_now_ms(catalog), ret);
}

int catalog_export_find(struct catalog *catalog, uint32_t generation, struct cache_export *ret)
{
	return cache_export_find(catalog->cache, generation, ret);
}

int catalog_export_read(struct catalog *catalog, uint32_t generation, uint64_t offset, char *bytes,
                        size_t size, size_t *ret_length)
{
	return cache_export_read(catalog->cache, generation, offset, bytes, size,
	                         catalog_now_ms(catalog), ret_length);
}
