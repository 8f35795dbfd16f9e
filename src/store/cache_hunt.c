/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that goes through customers for some words. It
 *
 *   1. looks at all whose bits are not right any more (cache_sieve.c),
 *   2. group by group, bounds each block, that is how well a customer in it can match, at best, and
 *      looks at the blocks that are as good as can be, and at all who are in no block,
 *   3. looks at the other blocks, the best first,
 *
 * until enough are found and none in the blocks that are left can match better.
 *
 * In this order nobody is missed whose bits are made meanwhile. Among those who match as well as
 * each other, it takes whom it finds first.
 *
 * What that takes, in ms, for a hundredth, a tenth and all of a million generated customers, in a
 * file that the kernel has in memory, on a machine where it takes 3 us to read a page of it:
 *
 *   all of them looked at                  8    64-240    800-1,200
 *   a word or number, common or unknown  < 1      0-3           1-6
 *   part of two letters or three digits  < 4      1-5          5-15
 *   two words                            < 2      1-15         8-25
 *   with a mark, "anna@", "@gmail", "@"                        2-40
 *   a mark and one letter, ".x"                                 150
 *
 * The last is slow because pairs of a letter and a mark are not told from others: whoever has a
 * word that begins so is looked at.
 *
 * Where none of it is in memory, on a disk that takes 70 us to read a page, unknown words take
 * 20-45, common ones 10-80, and up to 600 where a thousand are found each in its own page.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/node.h"
#include "kapturefs/store/cache_hunt.h"
#include "kapturefs/store/cache_parts.h"

/* In a step, which takes less than a millisecond. */
enum {
	ROWS_A_STEP = 200,
	CHANGED_A_STEP = 100,
	GONE_A_ROW = 20,   /* notes of who has gone, which take as long */
	ROWS_A_SPAN = 4,   /* what finding the first takes */
	ROWS_A_GROUP = 80, /* what bounding its blocks takes */
	BLOCKS_A_SPAN = 8,
};

/* Slots that are a group, or in none. */
struct region {
	uint32_t first;
	uint32_t end;
	uint32_t block_count;
	uint64_t build;
	size_t bounds; /* where those of its blocks begin */
};

/* What it takes as long as it goes on. */
struct hunt {
	const struct hits_words *words;
	bool has_changed; /* there are some left whose bits are not right */
	uint32_t next;    /* slot */
	uint32_t end;     /* of those that are gone through, from @next on */

	struct gram_word grams[HITS_WORDS_MAX];
	struct region *regions;
	size_t region_count;
	size_t region_capacity;
	struct buffer bounds;
	uint32_t bounded; /* slots from here on are in no region yet */

	unsigned bound; /* of the blocks that are gone through */
	size_t region;
	uint32_t block;
	struct sieve_group group; /* the last that was looked at */

	struct hits hits;
};

/* Beginning and end */

int hunt_new(const struct hits_words *words, size_t count_max, struct hunt **ret)
{
	cleanup(hunt_freep) struct hunt *hunt = calloc(1, sizeof(*hunt));
	int r;

	if (!hunt)
		return -ENOMEM;
	hunt->words = words;
	hunt->has_changed = true;
	hunt->bound = (unsigned)words->count * HIT_WHOLE;
	buffer_init(&hunt->bounds, NODE_SLOT_MAX);
	for (size_t i = 0; i < words->count; i++)
		gram_ask(words->words[i], words->lengths[i], &hunt->grams[i]);
	r = hits_init(&hunt->hits, count_max);
	if (r)
		return r;
	*ret = steal(&hunt);
	return 0;
}

void hunt_free(struct hunt *hunt)
{
	if (!hunt)
		return;

	hits_fini(&hunt->hits);
	buffer_fini(&hunt->bounds);
	free(hunt->regions);
	free(hunt);
}

size_t hunt_conclude(struct hunt *hunt, uint32_t *ret)
{
	return hits_conclude(&hunt->hits, ret);
}

/* Looking at customers */

/* Returns false if the customer has gone. */
static bool look_at(struct hunt *hunt, sqlite3_stmt *statement)
{
	uint32_t slot = (uint32_t)sqlite3_column_int64(statement, 0);
	uint32_t score;

	hunt->next = slot + 1;
	if (sqlite3_column_type(statement, 1) == SQLITE_NULL)
		return false;
	score = hits_score(hunt->words, sqlite3_column_blob(statement, 1),
	                   (size_t)sqlite3_column_bytes(statement, 1));
	if (score)
		hits_add(&hunt->hits, slot, score);
	return true;
}

/*
 * Look at some from @hunt->next on, before @hunt->end; *@rows are left of what may be done in a
 * step. Returns CACHE_NONE when that was all, 0, or a negative errno.
 */
static int look(struct cache *cache, struct hunt *hunt, enum statement which, unsigned *rows)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[which];
	unsigned gone = 0;
	int r;

	rows_bind_integer(statement, 1, hunt->next);
	while (*rows) {
		r = rows_step(cache, statement);
		if (r)
			return r;
		if (sqlite3_column_int64(statement, 0) < hunt->next)
			return rows_disordered(cache);
		if (sqlite3_column_int64(statement, 0) >= hunt->end)
			return CACHE_NONE;
		if (look_at(hunt, statement) || ++gone % GONE_A_ROW == 0)
			--*rows;
	}
	return 0;
}

static int look_at_changed(struct cache *cache, struct hunt *hunt)
{
	unsigned rows = CHANGED_A_STEP;
	int r;

	hunt->end = NODE_SLOT_MAX + 1;
	r = look(cache, hunt, LIST_UNSIEVED, &rows);
	if (r < 0)
		return r;
	if (r) {
		hunt->has_changed = false;
		hunt->next = hunt->end = 0;
	}
	return CACHE_MORE;
}

/* Bounding blocks */

static int add_region(struct hunt *hunt, const struct region *region)
{
	if (hunt->region_count == hunt->region_capacity) {
		size_t capacity = hunt->region_capacity ? hunt->region_capacity * 2 : 16;
		struct region *grown = reallocarray(hunt->regions, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		hunt->regions = grown;
		hunt->region_capacity = capacity;
	}
	hunt->regions[hunt->region_count++] = *region;
	hunt->bounded = region->end;
	return 0;
}

/* Those up to @end are in no group. */
static int add_gap(struct hunt *hunt, uint32_t end)
{
	const struct region gap = { .first = hunt->bounded, .end = end };

	return gap.first < end ? add_region(hunt, &gap) : 0;
}

static int add_group(struct cache *cache, struct hunt *hunt)
{
	const struct sieve_group *group = &hunt->group;
	const struct region region = { group->first, group->end, group->block_count, group->build,
		                       hunt->bounds.length };
	uint8_t bounds[SIEVE_BLOCKS];
	int r;

	r = sieve_bound(cache, group, hunt->grams, hunt->words->count, bounds);
	if (!r)
		r = buffer_append(&hunt->bounds, bounds, group->block_count);
	return r ? r : add_region(hunt, &region);
}

/* The next group, and who comes before it; behind the last, all who are left. */
static int bound_next(struct cache *cache, struct hunt *hunt)
{
	int r;

	r = sieve_next_group(cache, hunt->bounded, &hunt->group);
	if (r < 0)
		return r;
	if (r)
		return add_gap(hunt, NODE_SLOT_MAX + 1);
	r = add_gap(hunt, hunt->group.first);
	return r ? r : add_group(cache, hunt);
}

/* Going through blocks */

static void set_span(struct hunt *hunt, uint32_t first, uint32_t end)
{
	hunt->next = first;
	hunt->end = end;
}

/* The directory of a region whose blocks are known; @hunt->group is another if it has changed. */
static int recall_group(struct cache *cache, struct hunt *hunt, const struct region *region)
{
	int r;

	if (hunt->group.build == region->build)
		return 0;
	r = sieve_next_group(cache, region->first, &hunt->group);
	return r < 0 ? r : 0;
}

/* Some blocks of the region, all of one bound, from @hunt->block on. */
static int take_blocks(struct cache *cache, struct hunt *hunt, struct region *region)
{
	const char *bounds = hunt->bounds.data + region->bounds;
	uint32_t first = hunt->block;
	uint32_t end = first + 1;
	int r;

	r = recall_group(cache, hunt, region);
	if (r)
		return r;
	if (hunt->group.build != region->build) {
		/* It was built anew, and its blocks are others. */
		region->block_count = 0;
		set_span(hunt, region->first, region->end);
		return 0;
	}
	while (end < region->block_count && end < first + BLOCKS_A_SPAN &&
	       bounds[end] == bounds[first])
		end++;
	hunt->block = end;
	set_span(hunt, hunt->group.starts[first],
	         end < region->block_count ? hunt->group.starts[end] : region->end);
	return 0;
}

/* Whether there is a block with @hunt->bound from @hunt->block on, which becomes that. */
static bool find_block(struct hunt *hunt, const struct region *region)
{
	const char *bounds;
	const char *there;

	if (hunt->block >= region->block_count)
		return false;
	bounds = hunt->bounds.data + region->bounds;
	there = memchr(bounds + hunt->block, (int)hunt->bound, region->block_count - hunt->block);
	if (there)
		hunt->block = (uint32_t)(there - bounds);
	return there;
}

/*
 * What is to be gone through next, which may be nothing. Returns 0, CACHE_NONE when there is no
 * more of that bound, or a negative errno.
 */
static int next_span(struct cache *cache, struct hunt *hunt)
{
	bool is_first = hunt->bound == hunt->words->count * HIT_WHOLE;

	for (; hunt->region < hunt->region_count; hunt->region++, hunt->block = 0) {
		struct region *region = &hunt->regions[hunt->region];

		if (find_block(hunt, region))
			return take_blocks(cache, hunt, region);
		if (is_first && region->block_count == 0) {
			hunt->region++;
			set_span(hunt, region->first, region->end);
			return 0;
		}
	}
	if (is_first && hunt->bounded <= NODE_SLOT_MAX)
		return bound_next(cache, hunt);
	return CACHE_NONE;
}

/* Returns false when there is none: each word counts at least as HIT_PART. */
static bool next_bound(struct hunt *hunt, size_t words)
{
	hunt->bound--;
	hunt->region = 0;
	hunt->block = 0;
	return hunt->bound >= words * HIT_PART;
}

static int go_through_blocks(struct cache *cache, struct hunt *hunt)
{
	unsigned rows = ROWS_A_STEP;
	unsigned cost;
	int r;

	while (rows) {
		r = hunt->next < hunt->end ? look(cache, hunt, LIST_WORDS, &rows) : CACHE_NONE;
		if (r <= 0)
			return r ? r : CACHE_MORE;
		hunt->next = hunt->end;
		if (hits_suffice(&hunt->hits, hunt->bound))
			return 0;
		r = next_span(cache, hunt);
		if (r < 0)
			return r;
		if (r && !next_bound(hunt, hunt->words->count))
			return 0;
		cost = hunt->next < hunt->end ? ROWS_A_SPAN : ROWS_A_GROUP;
		rows -= rows < cost ? rows : cost;
	}
	return CACHE_MORE;
}

/* In one transaction, for each statement would have one of its own, which costs as much again. */
int hunt_step(struct cache *cache, struct hunt *hunt)
{
	int end;
	int r;

	r = rows_run(cache, BEGIN_READING);
	if (r)
		return r;
	r = hunt->has_changed ? look_at_changed(cache, hunt) : go_through_blocks(cache, hunt);
	end = rows_run(cache, r < 0 ? ROLLBACK : COMMIT);
	return r < 0 ? r : end < 0 ? end : r;
}
