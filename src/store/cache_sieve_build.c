/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that makes the bits of a group: read in memory, customer by customer, and then
 * written, part by part. Each is done in steps, in between which anything may happen:
 *
 *   - Whoever is read and changes before the end stays in unsieved, which tells by the build.
 *   - While parts are written there is no directory, so the group is none. What is left of such a
 *     group, and of those that a larger one takes the place of, is cleared away.
 *   - Where the file is lost or cannot be written to any more, the build is given up.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "kapturefs/model/node.h"
#include "kapturefs/store/cache_parts.h"

enum {
	CUSTOMERS_A_STEP = 192,
	PARTS_A_STEP = 62,
	NOTES_A_STEP = 2000,
	/* In a block: so many that one bit in seven is set, or one with many words. */
	BITS_MAX = GRAM_NUMBERS / 7,
	CUSTOMERS_MAX = 16,
};

void sieve_abandon(struct sieve *sieve)
{
	free(sieve->build.rows);
	sieve->build = (struct sieve_build){ .phase = SIEVE_IDLE };
}

int sieve_begin(struct cache *cache, uint32_t first, uint32_t limit, unsigned blocks_max)
{
	struct sieve_build *build = &cache->sieve.build;
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -errno;
	build->rows = calloc(GRAM_NUMBERS, sizeof(*build->rows));
	if (!build->rows)
		return -ENOMEM;
	build->group = (struct sieve_group){
		.first = first,
		.build = number / SIEVE_VERSIONS * SIEVE_VERSIONS + GRAM_VERSION,
	};
	build->next = first;
	build->limit = limit;
	build->blocks_max = blocks_max;
	build->phase = SIEVE_READING;
	return CACHE_MORE;
}

/* Reading */

static void set_bit(void *userdata, uint32_t number)
{
	struct sieve_build *build = userdata;
	uint32_t block = build->group.block_count - 1;
	uint64_t *lane = &build->rows[number].lanes[block / 64];
	uint64_t bit = UINT64_C(1) << (block % 64);

	build->block_bits += !(*lane & bit);
	*lane |= bit;
}

static bool is_block_full(const struct sieve_build *build)
{
	return build->group.block_count == 0 || build->block_bits >= BITS_MAX ||
	       build->block_customers == CUSTOMERS_MAX;
}

/* False: there is no room. */
static bool add_customer(struct sieve_build *build, uint32_t slot, const char *text, size_t length)
{
	struct sieve_group *group = &build->group;

	if (is_block_full(build)) {
		if (group->block_count == build->blocks_max)
			return false;
		group->starts[group->block_count++] = slot;
		build->block_customers = build->block_bits = 0;
	}
	gram_each(text ? text : "", length, set_bit, build);
	build->block_customers++;
	group->customers++;
	build->next = slot + 1;
	return true;
}

static int stop_reading(struct sieve_build *build, uint32_t end)
{
	build->group.end = end;
	build->phase = build->group.customers ? SIEVE_WRITING : SIEVE_ENDING;
	build->part = 1;
	return CACHE_MORE;
}

/* Whether it is likely that there is room for all who are left in @next. Or a negative errno. */
static int has_room(struct cache *cache, const struct sieve_group *next)
{
	const struct sieve_build *build = &cache->sieve.build;
	struct sieve_staleness stale;
	uint64_t left;
	int r;

	r = sieve_count_stale(cache, next, &stale);
	if (r)
		return r;
	left = next->customers > stale.gone ? next->customers - stale.gone : 0;
	return build->group.block_count + next->block_count * left / next->customers <=
	       SIEVE_NEW_BLOCKS;
}

/* What comes at the limit may be a group that has lost so many customers that there is room. */
static int reach_limit(struct cache *cache)
{
	struct sieve_build *build = &cache->sieve.build;
	struct sieve_group next;
	int r;

	if (build->limit > NODE_SLOT_MAX)
		return stop_reading(build, build->next);
	r = sieve_next_group(cache, build->limit, &next);
	if (r < 0)
		return r;
	r = r || next.first != build->limit ? 0 : has_room(cache, &next);
	if (r < 0)
		return r;
	if (!r)
		return stop_reading(build, build->limit);
	build->limit = next.end;
	return CACHE_MORE;
}

static int read_some(struct cache *cache)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	struct sieve_build *build = &cache->sieve.build;
	uint32_t slot;
	int r;

	rows_bind_integer(statement, 1, build->next);
	for (unsigned i = 0; i < CUSTOMERS_A_STEP; i++) {
		r = rows_step(cache, statement);
		if (r < 0)
			return r;
		slot = r ? NODE_SLOT_MAX + 1 : (uint32_t)sqlite3_column_int64(statement, 0);
		if (slot < build->next)
			return rows_disordered(cache);
		if (slot >= build->limit)
			return reach_limit(cache);
		if (!add_customer(build, slot, sqlite3_column_blob(statement, 1),
		                  (size_t)sqlite3_column_bytes(statement, 1)))
			return stop_reading(build, slot);
	}
	return CACHE_MORE;
}

/* Writing */

static int write_row(struct cache *cache, uint32_t part, const void *bits, size_t length)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_SIEVE];
	const struct sieve_group *group = &cache->sieve.build.group;
	int64_t key = sieve_key(group->first, part);

	rows_bind_integer(statement, 1, key);
	rows_bind_blob(statement, 2, bits, length);
	rows_bind_integer(statement, 3, sieve_sum(cache, key, group->build, bits, length));
	return rows_execute(cache, statement);
}

/* Parts 1 and up are rows 0 and up. */
static int write_part(struct cache *cache, uint32_t part)
{
	const struct sieve_row *rows =
	        cache->sieve.build.rows + (size_t)(part - 1) * SIEVE_ROWS_A_PART;

	return write_row(cache, part, rows, SIEVE_ROWS_A_PART * sizeof(*rows));
}

/* The first of them; returns how many, or a negative errno. */
static int delete_some(struct cache *cache, int64_t from, int64_t to)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[DELETE_SIEVE];
	int r;

	rows_bind_integer(statement, 1, from);
	rows_bind_integer(statement, 2, to);
	rows_bind_integer(statement, 3, PARTS_A_STEP);
	r = rows_execute(cache, statement);
	return r ? r : sqlite3_changes(cache->database);
}

/* Whoever has changed since they were read stays. Returns as delete_some(). */
static int delete_notes(struct cache *cache, const struct sieve_group *group)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[DELETE_UNSIEVED];
	int r;

	rows_bind_integer(statement, 1, group->first);
	rows_bind_integer(statement, 2, group->end);
	rows_bind_integer(statement, 3, (int64_t)group->build);
	rows_bind_integer(statement, 4, NOTES_A_STEP);
	r = rows_execute(cache, statement);
	return r ? r : sqlite3_changes(cache->database);
}

/* Returns 1 if there may be more, 0, or a negative errno. */
static int clear_some(struct cache *cache)
{
	const struct sieve_group *group = &cache->sieve.build.group;
	uint32_t first = group->first + (group->customers > 0);
	int r;

	r = delete_some(cache, sieve_key(first, 0), sieve_key(group->end, 0));
	if (r < 0 || r == PARTS_A_STEP)
		return r < 0 ? r : 1;
	r = group->build ? delete_notes(cache, group) : 0;
	return r < 0 ? r : r == NOTES_A_STEP;
}

static uint32_t end_of_step(const struct sieve_build *build)
{
	uint32_t end = build->part + PARTS_A_STEP;

	return end < SIEVE_PARTS + 1 ? end : SIEVE_PARTS + 1;
}

static int delete_directory(struct cache *cache, uint32_t first)
{
	int r = delete_some(cache, sieve_key(first, 0), sieve_key(first, 1));

	return r < 0 ? r : 0;
}

/* In place of the old ones, which are none without their directory. */
static int write_parts(struct cache *cache)
{
	const struct sieve_build *build = &cache->sieve.build;
	int r = 0;

	if (build->part == 1)
		r = delete_directory(cache, build->group.first);
	for (uint32_t part = build->part; !r && part < end_of_step(build); part++)
		r = write_part(cache, part);
	return r;
}

/* The groups that it takes the place of are none any more, whole or not. */
static int delete_other_directories(struct cache *cache)
{
	const struct sieve_group *group = &cache->sieve.build.group;
	int64_t key = sieve_key(group->first, 0);
	uint32_t slot;
	int r;

	while ((r = sieve_next_key(cache, key, &key)) == 0 && key < sieve_key(group->end, 0)) {
		slot = (uint32_t)(key / SIEVE_PART_KEYS);
		r = delete_directory(cache, slot);
		if (r)
			return r;
		key = sieve_key(slot + 1, 0);
	}
	return r < 0 ? r : 0;
}

/* Now that all parts are there. */
static int write_directory(struct cache *cache)
{
	const struct sieve_group *group = &cache->sieve.build.group;
	int r;

	r = delete_other_directories(cache);
	if (!r && group->customers)
		r = write_row(cache, 0, &group->build, SIEVE_DIRECTORY_SIZE(group->block_count));
	return r;
}

static int write_some(struct cache *cache, const void *arguments, int64_t now_ms,
                      struct cache_change *change)
{
	int *const *more = arguments;

	(void)now_ms;
	(void)change;
	if (cache->mode == CACHE_OVER_FILE)
		return CACHE_NONE;
	switch (cache->sieve.build.phase) {
	case SIEVE_CLEARING:
		**more = clear_some(cache);
		return **more < 0 ? **more : 0;
	case SIEVE_WRITING:
		return write_parts(cache);
	case SIEVE_ENDING:
		return write_directory(cache);
	case SIEVE_IDLE:
	case SIEVE_READING:
		break;
	}
	return CACHE_NONE;
}

void sieve_begin_clearing(struct sieve *sieve, uint32_t first, uint32_t end)
{
	sieve_abandon(sieve);
	sieve->build.group = (struct sieve_group){ .first = first, .end = end };
	sieve->build.phase = SIEVE_CLEARING;
}

/* It is a group now; what it has taken the place of is of no use. */
static void finish(struct sieve *sieve)
{
	const struct sieve_group *group = &sieve->build.group;

	if (group->customers && group->end > sieve->end)
		sieve->end = group->end;
	if (sieve->has_damaged && sieve->damaged >= group->first && sieve->damaged < group->end)
		sieve->has_damaged = false;
	free(steal(&sieve->build.rows));
	sieve->build.phase = SIEVE_CLEARING;
}

/* What was to be written is: on to what comes next. */
static void advance(struct cache *cache, bool more)
{
	struct sieve_build *build = &cache->sieve.build;

	if (build->phase == SIEVE_WRITING) {
		build->part = end_of_step(build);
		if (build->part > SIEVE_PARTS)
			build->phase = SIEVE_ENDING;
	} else if (build->phase == SIEVE_ENDING) {
		finish(&cache->sieve);
	} else if (!more) {
		cache->log.has_remains = true;
		sieve_abandon(&cache->sieve);
	}
}

int sieve_build(struct cache *cache)
{
	struct cache_change change;
	int more = 0;
	int *arguments = &more;
	int r;

	if (cache->sieve.build.phase == SIEVE_READING)
		return read_some(cache);
	r = cache_write(cache, write_some, &arguments, 0, &change);
	if (r < 0 || r == CACHE_FULL)
		return r;
	if (r) {
		sieve_abandon(&cache->sieve);
		return 0;
	}
	cache_change_fini(&change);
	advance(cache, more);
	return CACHE_MORE;
}
