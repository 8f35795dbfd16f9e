/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that looks up. Whatever goes wrong with the file, it ends in what is there, or
 * in nothing.
 */

#include "kapturefs/store/cache_parts.h"

int cache_find_key(struct cache *cache, const struct key *key, struct cache_key *ret)
{
	int r;

	do {
		r = rows_find_key(cache, key, ret);
	} while (cache_rescue(cache, r));
	return r == ROWS_DAMAGED ? CACHE_NONE : r;
}

int cache_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	int r;

	do {
		r = rows_read_key(cache, slot, ret);
	} while (cache_rescue(cache, r));
	return r == ROWS_DAMAGED ? CACHE_NONE : r;
}

struct key_list {
	enum key_kind kind;
	uint32_t slot; /* the last that was handed over */
	cache_key_fn *take;
	void *userdata;
};

static int list_keys(struct cache *cache, struct key_list *list)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_KEYS];
	struct cache_key key;
	int r;

	rows_bind_integer(statement, 1, list->kind);
	rows_bind_integer(statement, 2, list->slot);
	for (;;) {
		r = rows_take_key(cache, statement, &key);
		if (r == ROWS_DAMAGED)
			continue;
		if (r)
			return r < 0 ? r : 0;
		if (key.key.kind != list->kind || key.slot <= list->slot)
			return rows_disordered(cache);
		list->slot = key.slot;
		if (!list->take(list->userdata, &key))
			return 0;
	}
}

int cache_list_keys(struct cache *cache, enum key_kind kind, uint32_t slot, cache_key_fn *take,
                    void *userdata)
{
	struct key_list list = { kind, slot, take, userdata };
	int r;

	do {
		r = list_keys(cache, &list);
	} while (cache_rescue(cache, r));
	return r;
}

int cache_find_absent(struct cache *cache, const struct key *key, int64_t *ret_fetched_ms)
{
	int r;

	do {
		r = rows_find_absent(cache, key, ret_fetched_ms);
	} while (cache_rescue(cache, r));
	return r == ROWS_DAMAGED ? CACHE_NONE : r;
}

int cache_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret)
{
	int r;

	do {
		r = rows_read_customer(cache, slot, ret);
	} while (cache_rescue(cache, r));
	return r == ROWS_DAMAGED ? CACHE_NONE : r;
}

int cache_peek_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret)
{
	int r;

	do {
		r = rows_peek_customer(cache, slot, ret);
	} while (cache_rescue(cache, r));
	return r == ROWS_DAMAGED ? CACHE_NONE : r;
}
