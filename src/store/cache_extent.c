/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that knows how many bytes its customers are, and where each stands among them.
 *
 * A table of sums, a row for every 512 slots, which each change brings up to date: a million
 * customers are 6,000 rows, read in a millisecond, and an offset is found by them and a look at
 * a few hundred rows. A sum a customer would be a million rows to add up, or a tree of our own.
 *
 * A sum is taken from the rows' own headers. Where a damaged row makes it wrong, that shows when
 * the block is read, and it is made anew.
 */

#include <string.h>

#include "kapturefs/store/cache_parts.h"

static uint32_t block_of(uint32_t slot)
{
	return slot / BLOCK_SLOTS;
}

static uint64_t text_size(const char *json, size_t length)
{
	size_t size;

	return codec_text_size(json, length, &size) ? 0 : size;
}

static int read_extent(struct cache *cache, uint32_t block, uint64_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_EXTENT];
	int r;

	rows_bind_integer(statement, 1, block);
	r = rows_step(cache, statement);
	if (r < 0)
		return r;
	*ret = r ? 0 : (uint64_t)sqlite3_column_int64(statement, 0);
	return 0;
}

static int write_extent(struct cache *cache, uint32_t block, uint64_t bytes)
{
	if (!bytes)
		return rows_run_on(cache, DELETE_EXTENT, block, 0);
	return rows_run_on(cache, WRITE_EXTENT, block, (int64_t)bytes);
}

/* The bytes of a block whose sum is wrong wrap around, and are found out with the rest. */
static int change_extent(struct cache *cache, uint32_t slot, uint64_t removed, uint64_t added)
{
	uint64_t bytes;
	int r;

	if (removed == added)
		return 0;
	r = read_extent(cache, block_of(slot), &bytes);
	return r ? r : write_extent(cache, block_of(slot), bytes - removed + added);
}

/* Keep what the row was, if somebody still reads it. */
static void keep_row(struct cache *cache, const struct customer_row *row)
{
	if (!snapshots_need(cache->snapshots, row->slot))
		return;
	if (rows_is_whole(cache, row))
		snapshots_keep(cache->snapshots, row->slot, row->json, row->json_length);
	else
		snapshots_keep(cache->snapshots, row->slot, NULL, 0);
}

int cache_note_row(struct cache *cache, uint32_t slot, const char *json, size_t length)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_CUSTOMERS];
	struct customer_row row = { 0 };
	uint64_t added = json ? text_size(json, length) : 0;
	uint64_t removed = 0;
	int r;

	rows_bind_integer(statement, 1, slot);
	rows_bind_integer(statement, 2, (int64_t)slot + 1);
	r = rows_take_row(cache, statement, &row);
	if (r < 0)
		return r;
	if (r == 0) {
		if (json && length == row.json_length && memcmp(json, row.json, length) == 0)
			return 0;
		keep_row(cache, &row);
		if (!json)
			snapshots_note_gone(cache->snapshots, slot);
		removed = text_size(row.json, row.json_length);
	}
	cache->has_changed = true;
	rows_reset(&statement);
	return change_extent(cache, slot, removed, added);
}

/* Making anew */

static int add_up(struct cache *cache, uint32_t first, uint64_t end)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_CUSTOMERS];
	uint32_t block = block_of(first);
	struct customer_row row;
	uint64_t bytes = 0;
	int r;

	rows_bind_integer(statement, 1, first);
	rows_bind_integer(statement, 2, (int64_t)end);
	while ((r = rows_take_row(cache, statement, &row)) == 0) {
		if (block_of(row.slot) != block) {
			r = write_extent(cache, block, bytes);
			if (r)
				return r;
			block = block_of(row.slot);
			bytes = 0;
		}
		bytes += text_size(row.json, row.json_length);
	}
	return r < 0 ? r : write_extent(cache, block, bytes);
}

int cache_sum_block(struct cache *cache, uint32_t block)
{
	return add_up(cache, block * BLOCK_SLOTS, ((uint64_t)block + 1) * BLOCK_SLOTS);
}

int cache_furnish_extents(struct cache *cache)
{
	int64_t number;
	int r;

	r = rows_number(cache, FIRST_CUSTOMER, &number);
	if (r)
		return r < 0 ? r : 0;
	r = rows_number(cache, LIST_EXTENTS, &number);
	if (r <= 0)
		return r;

	r = rows_run(cache, BEGIN);
	if (!r)
		r = add_up(cache, 0, UINT32_MAX);
	return r ? r : rows_run(cache, COMMIT);
}
