/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that knows who need not be looked at for some words.
 *
 * The words of a million customers are 200 MB; to go through them takes 0.8 s. So for each gram
 * (cache_gram.c) there are rows of bits that tell in which blocks of customers it occurs. The rows
 * of a word's grams, one and all, leave the blocks that may have the word; and as grams tell of the
 * beginnings and ends of words, how well they may match, at best. The best are looked at first, and
 * the rest not at all when enough is found. A bit may be set in vain: it only has a block looked at
 * in vain.
 *
 * What was weighed, for a million generated customers of 2,030 bytes of JSON each:
 *
 *   FTS5 with trigrams    deletes by notes in its segments; what was forgotten stays in them until
 *                         they are merged, and the option that prevents it came after the version
 *                         that we may count on
 *   trigrams in a table   2,700 bytes a customer: more than the JSON
 *   bits, one a gram      240 bytes, but three letters that nobody has take 320 ms: a seventh of
 *                         the bits is set by others
 *   bits, three a gram    450 bytes; the same takes 3 ms
 *   half as many a block  490 bytes; fewer are looked at in vain, but in as many pages
 *   a quarter a group     as many bytes, but four times the pages are read for three letters
 *                         that nobody has: 70 ms instead of 27 when none is in memory
 *
 * Bits are made for a group of blocks at once, in the background (cache_sieve_build.c), and are not
 * changed. Whose words change afterwards is in the table unsieved, written along with the words,
 * and looked at by every search; so are those in no group: the newest, the few of a small cache,
 * and those of a group whose directory is damaged. Whoever goes is in unsieved too, so that its
 * bits go as well: in a minute when it was forgotten, else when a quarter of its group has gone.
 *
 * In table sieve, a group of first slot f has its directory at f * 2048, and its parts, some rows
 * each, behind. No part is believed that is not of the directory's build.
 */

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "kapturefs/store/cache_parts.h"

static_assert(SIEVE_PARTS * SIEVE_ROWS_A_PART == GRAM_NUMBERS, "all rows are in parts");
static_assert(SIEVE_LANES * 64 == SIEVE_BLOCKS, "all blocks are in lanes");
static_assert(SIEVE_PARTS < SIEVE_PART_KEYS, "the directory has a key too");

int64_t sieve_key(uint32_t first, uint32_t part)
{
	return (int64_t)first * SIEVE_PART_KEYS + part;
}

int64_t sieve_sum(struct cache *cache, int64_t key, uint64_t build, const void *bits, size_t length)
{
	seal_begin(cache->seal, SEAL_SIEVE);
	seal_add_integer(cache->seal, key);
	seal_add_integer(cache->seal, (int64_t)build);
	seal_add_bytes(cache->seal, bits, length);
	return seal_end(cache->seal);
}

/* Notes */

int sieve_note(struct cache *cache, uint32_t slot, enum sieve_stale stale)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_UNSIEVED];
	struct sieve *sieve = &cache->sieve;
	const struct sieve_build *build = &sieve->build;
	bool is_built = build->phase != SIEVE_IDLE;

	if (slot >= sieve->end && !(is_built && slot < build->next)) {
		sieve->uncovered += stale == SIEVE_CHANGED;
		return 0;
	}
	sieve->entered++;
	sieve->has_forgotten |= stale == SIEVE_FORGOTTEN;
	rows_bind_integer(statement, 1, slot);
	rows_bind_integer(statement, 2, is_built ? (int64_t)build->group.build : 0);
	rows_bind_integer(statement, 3, stale);
	return rows_execute(cache, statement);
}

/* Directories */

static bool is_sensible(const struct sieve_group *group)
{
	uint32_t previous = group->first;

	if (group->block_count == 0 || group->customers == 0 ||
	    group->end <= group->starts[group->block_count - 1])
		return false;
	for (uint32_t i = 0; i < group->block_count; i++) {
		if (group->starts[i] < previous)
			return false;
		previous = group->starts[i];
	}
	return true;
}

static bool take_directory(struct cache *cache, sqlite3_stmt *statement, struct sieve_group *ret)
{
	const void *bytes = sqlite3_column_blob(statement, 1);
	size_t length = (size_t)sqlite3_column_bytes(statement, 1);
	int64_t key = sqlite3_column_int64(statement, 0);

	if (length < SIEVE_DIRECTORY_SIZE(0) || length > SIEVE_DIRECTORY_SIZE(SIEVE_BLOCKS))
		return false;
	memcpy((char *)ret + offsetof(struct sieve_group, build), bytes, length);
	ret->first = (uint32_t)(key / SIEVE_PART_KEYS);
	ret->block_count = (uint32_t)((length - SIEVE_DIRECTORY_SIZE(0)) / sizeof(uint32_t));
	return sqlite3_column_int64(statement, 2) ==
	               sieve_sum(cache, key, ret->build, bytes, length) &&
	       is_sensible(ret);
}

/* Have @statement, NEXT_SIEVE, be at the first row at or behind @from. */
static int step_to(struct cache *cache, sqlite3_stmt *statement, int64_t from, int64_t *ret)
{
	int r;

	rows_bind_integer(statement, 1, from);
	r = rows_step(cache, statement);
	if (r)
		return r;
	*ret = sqlite3_column_int64(statement, 0);
	return *ret < from ? rows_disordered(cache) : 0;
}

int sieve_next_key(struct cache *cache, int64_t from, int64_t *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[NEXT_SIEVE];

	return step_to(cache, statement, from, ret);
}

int sieve_next_group(struct cache *cache, uint32_t next, struct sieve_group *ret)
{
	int64_t key = sieve_key(next, 0);

	for (;;) {
		cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[NEXT_SIEVE];
		bool is_whole;
		int r;

		r = step_to(cache, statement, key, &key);
		if (r)
			return r;
		if (key % SIEVE_PART_KEYS == 0) {
			is_whole = take_directory(cache, statement, ret);
			if (is_whole && ret->build % SIEVE_VERSIONS == GRAM_VERSION)
				return 0;
			if (!is_whole)
				(void)rows_damaged(cache);
			cache->sieve.is_due = true;
			ret->build = 0;
		}
		/* Parts without a directory are of a group that was not finished. */
		key = (key / SIEVE_PART_KEYS + 1) * SIEVE_PART_KEYS;
	}
}

static int last_key(struct cache *cache, int64_t before, int64_t *ret)
{
	rows_bind_integer(cache->statements[LAST_SIEVE], 1, before);
	return rows_number(cache, LAST_SIEVE, ret);
}

/* The key of the last directory, whole or not. Behind it there may be parts without one. */
static int last_directory(struct cache *cache, int64_t *ret)
{
	int64_t before = INT64_MAX;
	int64_t key;
	int r;

	*ret = 0;
	do {
		r = last_key(cache, before, &key);
		if (r)
			return r;
		if (key >= before)
			return rows_disordered(cache);
		before = key - key % SIEVE_PART_KEYS;
		r = sieve_next_key(cache, before, &key);
	} while (!r && key != before);
	*ret = before;
	return r;
}

/* Slots behind the last group that is whole may be taken for covered, but not the reverse. */
int cache_take_sieve(struct cache *cache)
{
	struct sieve_group group;
	int64_t key;
	int r;

	sieve_abandon(&cache->sieve);
	cache->sieve = (struct sieve){ .is_due = true };
	r = last_directory(cache, &key);
	if (r)
		return r < 0 ? r : 0;
	cache->sieve.end = (uint32_t)(key / SIEVE_PART_KEYS);
	r = sieve_next_group(cache, cache->sieve.end, &group);
	if (r)
		return r < 0 ? r : 0;
	cache->sieve.end = group.end;
	return 0;
}

/* Rows */

static bool is_part(struct cache *cache, sqlite3_stmt *statement, int64_t key, uint64_t build)
{
	const void *bits = sqlite3_column_blob(statement, 0);
	size_t length = (size_t)sqlite3_column_bytes(statement, 0);

	return length == SIEVE_ROWS_A_PART * sizeof(struct sieve_row) &&
	       sqlite3_column_int64(statement, 1) == sieve_sum(cache, key, build, bits, length);
}

/* Take the bits off @row that the gram with @number has not; of a damaged row we do not know. */
static int narrow_by(struct cache *cache, const struct sieve_group *group, uint32_t number,
                     struct sieve_row *row)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[READ_SIEVE];
	int64_t key = sieve_key(group->first, 1 + number / SIEVE_ROWS_A_PART);
	struct sieve_row there;
	const char *bits;
	int r;

	rows_bind_integer(statement, 1, key);
	r = rows_step(cache, statement);
	if (r < 0)
		return r;
	if (r || !is_part(cache, statement, key, group->build)) {
		(void)rows_damaged(cache);
		cache->sieve.damaged = group->first;
		cache->sieve.has_damaged = cache->sieve.is_due = true;
		return 0;
	}
	bits = sqlite3_column_blob(statement, 0);
	memcpy(&there, bits + number % SIEVE_ROWS_A_PART * sizeof(there), sizeof(there));
	for (size_t i = 0; i < SIEVE_LANES; i++)
		row->lanes[i] &= there.lanes[i];
	return 0;
}

static bool is_empty(const struct sieve_row *row)
{
	uint64_t any = 0;

	for (size_t i = 0; i < SIEVE_LANES; i++)
		any |= row->lanes[i];
	return !any;
}

static int narrow(struct cache *cache, const struct sieve_group *group, const struct gram_set *set,
                  struct sieve_row *row)
{
	int r = 0;

	for (size_t i = 0; !r && i < set->count && !is_empty(row); i++)
		r = narrow_by(cache, group, set->numbers[i], row);
	return r;
}

/* Bounds */

/* Blocks with all of the words in them, as far as that can be told. */
static int find_blocks(struct cache *cache, const struct sieve_group *group,
                       const struct gram_word *words, size_t count, struct sieve_row *ret)
{
	int r = 0;

	for (size_t i = 0; i < SIEVE_LANES; i++)
		ret->lanes[i] = UINT64_MAX;
	for (size_t i = 0; !r && i < count; i++)
		r = narrow(cache, group, &words[i].part, ret);
	return r;
}

/* What the rows of a word say of one block. */
struct kinds {
	struct sieve_row beginning;
	struct sieve_row end;
	struct sieve_row whole;
};

static int find_kinds(struct cache *cache, const struct sieve_group *group,
                      const struct gram_word *word, const struct sieve_row *blocks,
                      struct kinds *ret)
{
	int r;

	ret->beginning = ret->end = *blocks;
	r = narrow(cache, group, &word->beginning, &ret->beginning);
	if (!r)
		r = narrow(cache, group, &word->end, &ret->end);
	if (r)
		return r;
	ret->whole = ret->beginning;
	for (size_t i = 0; i < SIEVE_LANES; i++)
		ret->whole.lanes[i] &= ret->end.lanes[i];
	return narrow(cache, group, &word->whole, &ret->whole);
}

static bool has(const struct sieve_row *row, uint32_t block)
{
	return row->lanes[block / 64] >> (block % 64) & 1;
}

static uint8_t kind_of(const struct kinds *kinds, uint32_t block)
{
	return has(&kinds->whole, block)       ? HIT_WHOLE
	       : has(&kinds->beginning, block) ? HIT_BEGINNING
	       : has(&kinds->end, block)       ? HIT_END
	                                       : HIT_PART;
}

int sieve_bound(struct cache *cache, const struct sieve_group *group, const struct gram_word *words,
                size_t count, uint8_t ret[SIEVE_BLOCKS])
{
	struct sieve_row blocks;
	struct kinds kinds;
	int r;

	memset(ret, 0, SIEVE_BLOCKS);
	r = find_blocks(cache, group, words, count, &blocks);
	if (r || is_empty(&blocks))
		return r;
	for (size_t i = 0; i < count; i++) {
		r = find_kinds(cache, group, &words[i], &blocks, &kinds);
		if (r)
			return r;
		for (uint32_t block = 0; block < group->block_count; block++) {
			if (has(&blocks, block))
				ret[block] = (uint8_t)(ret[block] + kind_of(&kinds, block));
		}
	}
	return 0;
}
