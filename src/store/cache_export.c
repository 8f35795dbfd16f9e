/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that has all customers be one text, a line each, and the text stay the same
 * while it is read; see cache_snapshot.h. An offset is found by the block that it falls in, and
 * then by the sizes of the customers in the block, which stand in front of each.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

/* Beginning */

struct blocks {
	struct block *all;
	size_t count;
	size_t capacity;
	uint64_t size;
};

static int add_block(struct blocks *blocks, uint32_t number, uint64_t bytes)
{
	struct block *grown;

	if (blocks->count == blocks->capacity) {
		blocks->capacity = blocks->capacity ? blocks->capacity * 2 : 64;
		grown = reallocarray(blocks->all, blocks->capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		blocks->all = grown;
	}
	blocks->all[blocks->count++] = (struct block){ number, blocks->size };
	blocks->size += bytes;
	return 0;
}

static int list_blocks(struct cache *cache, struct blocks *blocks)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_EXTENTS];
	int r;

	while ((r = rows_step(cache, statement)) == 0) {
		r = add_block(blocks, (uint32_t)sqlite3_column_int64(statement, 0),
		              (uint64_t)sqlite3_column_int64(statement, 1));
		if (r)
			return r;
	}
	return r < 0 ? r : add_block(blocks, UINT32_MAX, 0);
}

static int begin(struct cache *cache, struct snapshot **ret)
{
	struct blocks blocks = { 0 };
	int r;

	r = list_blocks(cache, &blocks);
	if (r) {
		free(blocks.all);
		return r;
	}
	*ret = snapshots_add(cache->snapshots, blocks.all, blocks.count - 1,
	                     (uint32_t)cache->slot_next);
	return 0;
}

void cache_export_insist(struct cache *cache)
{
	snapshots_insist(cache->snapshots);
}

static void fill(const struct snapshot *snapshot, struct cache_export *ret)
{
	*ret = (struct cache_export){
		.generation = snapshot->generation,
		.size = snapshot->size,
		.changed_ms = snapshot->changed_ms,
	};
}

static int find_or_begin(struct cache *cache, int64_t now_ms, struct cache_export *ret)
{
	struct snapshot *snapshot = snapshots_present(cache->snapshots);
	int r;

	if (!snapshot && !snapshots_have_room(cache->snapshots)) {
		snapshot = snapshots_recent(cache->snapshots);
		if (!snapshot)
			return -EBUSY;
	}
	if (!snapshot) {
		r = begin(cache, &snapshot);
		if (r)
			return r;
	}
	snapshot->used_ms = now_ms;
	fill(snapshot, ret);
	return 0;
}

static int write_change_time(struct cache *cache, const void *arguments, int64_t now_ms,
                             struct cache_change *change)
{
	(void)arguments;
	(void)now_ms;
	(void)change;
	return cache_write_change_time(cache, snapshots_changed_ms(cache->snapshots));
}

/* The first look at a cache that nobody has changed since it began, or since it was kept. */
static void keep_change_time(struct cache *cache)
{
	struct cache_change change;

	if (cache->has_change_time || cache_write(cache, write_change_time, NULL, 0, &change))
		return;
	cache_change_fini(&change);
	cache->has_change_time = true;
}

int cache_export(struct cache *cache, int64_t now_ms, struct cache_export *ret)
{
	int r;

	snapshots_set_time(cache->snapshots, now_ms);
	keep_change_time(cache);
	cache_check_file(cache);
	do {
		r = find_or_begin(cache, now_ms, ret);
	} while (cache_rescue(cache, r));
	return r;
}

int cache_export_find(struct cache *cache, uint32_t generation, struct cache_export *ret)
{
	const struct snapshot *snapshot = snapshots_find(cache->snapshots, generation);

	if (!snapshot)
		return -ESTALE;
	fill(snapshot, ret);
	return 0;
}

/* Reading */

/* Where in a snapshot we are: at a customer with a slot of at least @slot. */
struct cursor {
	const struct snapshot *snapshot;
	size_t block;
	uint32_t slot;
	uint64_t start;
};

struct line {
	uint32_t slot;
	const char *json; /* packed */
	size_t length;
	size_t size;       /* unpacked */
	bool is_from_file; /* and has not been checked */
};

/* What a reader wants, and has got. */
struct reading {
	uint64_t offset; /* of what comes next */
	char *bytes;
	size_t size; /* that there still is room for */
	size_t length;
};

static struct cursor find_place(const struct snapshot *snapshot, uint64_t offset)
{
	size_t low = 0;
	size_t high = snapshot->block_count;
	struct cursor cursor = { .snapshot = snapshot };

	/* The last block that does not start behind it. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (snapshot->blocks[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	cursor.block = low;
	/* No slot is 0. */
	cursor.slot = snapshot->blocks[low].number ? snapshot->blocks[low].number * BLOCK_SLOTS : 1;
	cursor.start = snapshot->blocks[low].start;
	if (snapshot->next_start >= cursor.start && snapshot->next_start <= offset &&
	    snapshot->next_slot > cursor.slot) {
		cursor.slot = snapshot->next_slot;
		cursor.start = snapshot->next_start;
	}
	return cursor;
}

/* The block is not what it was when it was summed up. */
static int block_damaged(struct cache *cache, const struct cursor *cursor)
{
	cache->damaged_block = cursor->snapshot->blocks[cursor->block].number;
	cache->has_damaged_block = true;
	return rows_damaged(cache);
}

/* Follow the cursor into the block that @slot is in. */
static int enter_block(struct cache *cache, struct cursor *cursor, uint32_t slot)
{
	const struct block *blocks = cursor->snapshot->blocks;

	if (slot / BLOCK_SLOTS == blocks[cursor->block].number)
		return 0;
	if (cursor->start != blocks[cursor->block + 1].start)
		return block_damaged(cache, cursor);
	cursor->block++;
	return slot / BLOCK_SLOTS == blocks[cursor->block].number ? 0
	                                                          : block_damaged(cache, cursor);
}

/* The text of @line, which may not have a line break but at its end. */
static int unpack(struct cache *cache, const struct cursor *cursor, const struct line *line,
                  const char **ret)
{
	size_t size;
	int r;

	r = codec_unpack(cache->codec, line->json, line->length, ret, &size);
	if (r)
		return r == -ENOMEM ? r : block_damaged(cache, cursor);
	return size == line->size ? 0 : block_damaged(cache, cursor);
}

/*
 * Between its tokens, JSON may be broken into lines, which become blanks. In a string no line break
 * can stand as such.
 */
static void copy(char *to, const char *from, size_t length, bool is_end)
{
	const char *const breaks = "\n\r";
	char *end = to + length;

	memcpy(to, from, length);
	end -= is_end && length;
	for (const char *byte = breaks; *byte; byte++) {
		for (char *at = to; (at = memchr(at, *byte, (size_t)(end - at))); at++)
			*at = ' ';
	}
}

/* Take of the line what the reader wants; CACHE_NONE when that is enough. */
static int take_line(struct cache *cache, struct cursor *cursor, const struct line *line,
                     struct reading *reading)
{
	uint64_t end = cursor->start + line->size;
	size_t skipped;
	size_t length;
	const char *text;
	int r;

	if (end > reading->offset) {
		r = unpack(cache, cursor, line, &text);
		if (r)
			return r;
		skipped = (size_t)(reading->offset - cursor->start);
		length = line->size - skipped;
		if (length > reading->size)
			length = reading->size;
		copy(reading->bytes + reading->length, text + skipped, length,
		     skipped + length == line->size);
		reading->offset += length;
		reading->length += length;
		reading->size -= length;
		if (end > reading->offset)
			return CACHE_NONE;
	}
	cursor->start = end;
	cursor->slot = line->slot + 1;
	return reading->size ? 0 : CACHE_NONE;
}

static void take_kept(const struct kept *kept, struct line *line)
{
	*line = (struct line){ .slot = kept->slot, .json = kept->json, .length = kept->length };
}

static void take_row(const struct customer_row *row, struct line *line)
{
	*line = (struct line){
		.slot = row->slot,
		.json = row->json,
		.length = row->json_length,
		.is_from_file = true,
	};
}

static int check_line(struct cache *cache, const struct cursor *cursor,
                      const struct customer_row *row, const struct reading *reading,
                      struct line *line)
{
	if (!line->json || codec_text_size(line->json, line->length, &line->size))
		return block_damaged(cache, cursor);
	/* Whoever passes by does not look. */
	if (line->is_from_file && cursor->start + line->size > reading->offset &&
	    !rows_is_whole(cache, row))
		return block_damaged(cache, cursor);
	return 0;
}

/* Go through the rows of the file and those that were kept, side by side. */
static int read_lines(struct cache *cache, struct cursor *cursor, struct reading *reading)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_CUSTOMERS];
	struct customer_row row = { 0 };
	const struct kept *kept;
	struct line line;
	int r;

	rows_bind_integer(statement, 1, cursor->slot);
	rows_bind_integer(statement, 2, cursor->snapshot->slots);
	do {
		kept = snapshots_kept(cache->snapshots, cursor->snapshot, cursor->slot);
		while (row.slot < cursor->slot) {
			r = rows_take_row(cache, statement, &row);
			if (r < 0)
				return r;
			if (r)
				row.slot = UINT32_MAX;
		}
		if (kept && kept->slot <= row.slot)
			take_kept(kept, &line);
		else if (row.slot == UINT32_MAX)
			return cursor->start == cursor->snapshot->size
			               ? 0
			               : block_damaged(cache, cursor);
		else
			take_row(&row, &line);

		r = enter_block(cache, cursor, line.slot);
		if (!r)
			r = check_line(cache, cursor, &row, reading, &line);
		if (!r)
			r = take_line(cache, cursor, &line, reading);
	} while (!r);
	return r == CACHE_NONE ? 0 : r;
}

static int read_snapshot(struct cache *cache, uint32_t generation, struct reading *reading)
{
	struct snapshot *snapshot = snapshots_find(cache->snapshots, generation);
	struct cursor cursor;
	int r;

	if (!snapshot)
		return -ESTALE;
	if (reading->offset >= snapshot->size || !reading->size) {
		snapshot->is_read_to_end = true;
		return 0;
	}
	cursor = find_place(snapshot, reading->offset);
	r = read_lines(cache, &cursor, reading);
	if (r == ROWS_DAMAGED) {
		snapshots_end(cache->snapshots, snapshot);
		return -EIO;
	}
	if (r)
		return r;
	snapshot->is_read_to_end = reading->offset == snapshot->size;
	snapshot->next_slot = cursor.slot;
	snapshot->next_start = cursor.start;
	return 0;
}

int cache_export_read(struct cache *cache, uint32_t generation, uint64_t offset, char *bytes,
                      size_t size, int64_t now_ms, size_t *ret_length)
{
	struct snapshot *snapshot = snapshots_find(cache->snapshots, generation);
	struct reading reading;
	int r;

	snapshots_set_time(cache->snapshots, now_ms);
	if (snapshot) {
		snapshot->used_ms = now_ms;
		snapshot->is_read = true;
	}
	do {
		reading = (struct reading){ .offset = offset, .bytes = bytes, .size = size };
		r = read_snapshot(cache, generation, &reading);
	} while (cache_rescue(cache, r));
	*ret_length = reading.length;
	return r;
}

/* Mending */

static int find_damaged_row(struct cache *cache, uint32_t block, uint32_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_CUSTOMERS];
	struct customer_row row;
	int r;

	rows_bind_integer(statement, 1, (int64_t)block * BLOCK_SLOTS);
	rows_bind_integer(statement, 2, ((int64_t)block + 1) * BLOCK_SLOTS);
	while ((r = rows_take_row(cache, statement, &row)) == 0) {
		if (!rows_is_whole(cache, &row)) {
			*ret = row.slot;
			return 0;
		}
	}
	return r;
}

/* A damaged row counts as missing, so nobody misses it. */
static int mend_block(struct cache *cache, const void *arguments, int64_t now_ms,
                      struct cache_change *change)
{
	const uint32_t *block = arguments;
	uint32_t slot;
	int r;

	(void)now_ms;
	while ((r = find_damaged_row(cache, *block, &slot)) == 0) {
		r = cache_delete_customer(cache, slot, change);
		if (r)
			return r;
	}
	cache->has_changed = true;
	return r < 0 ? r : cache_sum_block(cache, *block);
}

int cache_export_mend(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	uint32_t block = cache->damaged_block;

	if (!cache->has_damaged_block)
		return CACHE_NONE;
	cache->has_damaged_block = false;
	return cache_write(cache, mend_block, &block, now_ms, ret);
}
