/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that knows on which lists an id may stand.
 *
 * Every id that nobody knows is looked for on the lists of days. To go through the text of 1,000
 * lists of 100 takes 6 ms, on the reactor, and `ls -L` of a day does it for each of its customers.
 * So the hashes of all ids are kept in memory with the slots of their lists, 16 bytes an id or
 * more. A place only says where to look: an id that has left its list, or a list that has gone,
 * leaves its place behind, and the text decides.
 *
 * The index is made when it is first needed. Where there are too many ids for it, or no memory, the
 * texts are gone through.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/store/cache_parts.h"

enum {
	CAPACITY_MIN = 1 << 10,
	CAPACITY_MAX = 1 << 21, /* 16 MiB */
};

struct roster_place {
	uint32_t hash;
	uint32_t slot; /* 0: free */
};

void roster_index_drop(struct roster_index *index)
{
	free(index->places);
	*index = (struct roster_index){ 0 };
}

/* Where @wanted is, or the free place where it belongs. */
static struct roster_place *place_of(const struct roster_index *index, struct roster_place wanted)
{
	uint32_t mask = index->capacity - 1;
	uint32_t i = wanted.hash & mask;

	while (index->places[i].slot &&
	       (index->places[i].hash != wanted.hash || index->places[i].slot != wanted.slot))
		i = (i + 1) & mask;
	return &index->places[i];
}

static int grow(struct roster_index *index)
{
	struct roster_index larger = {
		.capacity = index->capacity ? 2 * index->capacity : CAPACITY_MIN,
		.count = index->count,
	};

	if (larger.capacity > CAPACITY_MAX)
		return -EFBIG;
	larger.places = calloc(larger.capacity, sizeof(*larger.places));
	if (!larger.places)
		return -ENOMEM;
	for (uint32_t i = 0; i < index->capacity; i++) {
		if (index->places[i].slot)
			*place_of(&larger, index->places[i]) = index->places[i];
	}
	free(index->places);
	*index = larger;
	return 0;
}

static int add(struct roster_index *index, struct roster_place wanted)
{
	struct roster_place *place;
	int r;

	if (index->count >= index->capacity / 2) {
		r = grow(index);
		if (r)
			return r;
	}
	place = place_of(index, wanted);
	index->count += place->slot == 0;
	*place = wanted;
	return 0;
}

/* The ids of a list as it is written, those that have gone as well. */
static int add_text(struct roster_index *index, uint32_t slot, const char *text, size_t length)
{
	const char *end = text + length;
	int r = 0;

	while (!r && text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));

		if (!line_end)
			line_end = end;
		if (*text == '-')
			text++;
		if (line_end > text)
			r = add(index,
			        (struct roster_place){
			                .hash = (uint32_t)string_hash(text,
			                                              (size_t)(line_end - text), 0),
			                .slot = slot,
			        });
		text = line_end + 1;
	}
	return r;
}

/* Do without it: for good if it is too large, and otherwise until it is needed again. */
static void give_up(struct roster_index *index, int r)
{
	roster_index_drop(index);
	index->is_too_large = r == -EFBIG;
}

void roster_index_add(struct roster_index *index, uint32_t slot, const char *text, size_t length)
{
	int r;

	if (!index->places)
		return;
	r = add_text(index, slot, text, length);
	if (r)
		give_up(index, r);
}

/* Returns 0, also when there is to be no index, or a negative errno. */
static int build(struct cache *cache)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_ROSTERS];
	struct roster_index *index = &cache->roster_index;
	int added;
	int r = 0;

	if (index->places || index->is_too_large)
		return 0;
	added = grow(index);
	while (!added && (r = rows_step(cache, statement)) == 0) {
		const char *text = (const char *)sqlite3_column_text(statement, 1);

		if (text)
			added = add_text(index, (uint32_t)sqlite3_column_int64(statement, 0), text,
			                 (size_t)sqlite3_column_bytes(statement, 1));
	}
	if (added) {
		give_up(index, added);
		return 0;
	}
	if (r < 0)
		roster_index_drop(index);
	return r < 0 ? r : 0;
}

/* Bind the lines to look for; with both the same, those who have gone do not count. */
static void bind_lines(sqlite3_stmt *statement, const char *id, bool with_gone)
{
	char line[KEY_DIGITS_MAX + 4];

	snprintf(line, sizeof(line), "\n%s\n", id);
	(void)sqlite3_bind_text(statement, 1, line, -1, SQLITE_TRANSIENT);
	snprintf(line, sizeof(line), "\n%s%s\n", with_gone ? "-" : "", id);
	(void)sqlite3_bind_text(statement, 2, line, -1, SQLITE_TRANSIENT);
}

/* In one list. */
static int look_in(struct cache *cache, uint32_t slot, const char *id, bool with_gone)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[ROSTER_HAS];

	bind_lines(statement, id, with_gone);
	rows_bind_integer(statement, 3, slot);
	return rows_step(cache, statement);
}

/* In all of them. */
static int go_through(struct cache *cache, const char *id, bool with_gone, uint32_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[ROSTER_WITH];
	int r;

	bind_lines(statement, id, with_gone);
	r = rows_step(cache, statement);
	if (!r)
		*ret = (uint32_t)sqlite3_column_int64(statement, 0);
	return r;
}

int roster_index_find(struct cache *cache, const char *id, bool with_gone, uint32_t *ret)
{
	const struct roster_index *index = &cache->roster_index;
	uint32_t hash = (uint32_t)string_hash(id, strlen(id), 0);
	int r;

	r = build(cache);
	if (r)
		return r;
	if (!index->places)
		return go_through(cache, id, with_gone, ret);
	for (uint32_t i = hash & (index->capacity - 1); index->places[i].slot;
	     i = (i + 1) & (index->capacity - 1)) {
		if (index->places[i].hash != hash)
			continue;
		r = look_in(cache, index->places[i].slot, id, with_gone);
		if (r != CACHE_NONE) {
			*ret = index->places[i].slot;
			return r;
		}
	}
	return CACHE_NONE;
}
