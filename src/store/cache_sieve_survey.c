/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that finds out which bits are to be made, or made anew:
 *
 *   at once        what is of no group is cleared away
 *                  customers between groups, left by damage or by a group that has become too full
 *                  a group with a damaged part, or with a customer that was forgotten
 *                  the newest, when they are SIEVE_UNCOVERED_MAX: in the last group, as long as
 *                  it has room for as many again
 *   by and by      a group of which a quarter has gone
 *                  the group with the most customers that have changed, as long as those of all
 *                  groups, which every search has to look at, are more than SIEVE_CHANGED_MAX
 *
 * A build of a group takes 0.3 s in all, for 16,000 customers of 200 bytes of words each, and
 * writes eight megabytes.
 */

#include "kapturefs/model/node.h"
#include "kapturefs/store/cache_parts.h"

enum {
	GROUPS_A_STEP = 6,
	ENTERED_MAX = 512, /* before groups are surveyed again */
	CACHE_A_GROUP = 8, /* a group may be such a part of the cache */
};

/* Returns 1 if there are more than @count customers between the slots, 0, or a negative errno. */
static int has_more(struct cache *cache, uint32_t first, uint32_t end, unsigned count)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[SKIP_WORDS];
	int r;

	rows_bind_integer(statement, 1, first);
	rows_bind_integer(statement, 2, count);
	r = rows_step(cache, statement);
	if (r)
		return r < 0 ? r : 0;
	return sqlite3_column_int64(statement, 0) < end;
}

/*
 * Returns 0 when there is nothing of no group between the slots, CACHE_MORE having begun to clear
 * it away, or a negative errno.
 */
static int clear_between(struct cache *cache, uint32_t first, uint32_t end)
{
	int64_t key;
	int r;

	r = sieve_next_key(cache, sieve_key(first, 0), &key);
	if (r || key >= sieve_key(end, 0))
		return r < 0 ? r : 0;
	sieve_begin_clearing(&cache->sieve, first, end);
	return CACHE_MORE;
}

int sieve_count_stale(struct cache *cache, const struct sieve_group *group,
                      struct sieve_staleness *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[COUNT_UNSIEVED];
	int r;

	*ret = (struct sieve_staleness){ 0 };
	rows_bind_integer(statement, 1, group->first);
	rows_bind_integer(statement, 2, group->end);
	r = rows_step(cache, statement);
	if (r)
		return r < 0 ? r : 0;
	ret->changed = (uint32_t)sqlite3_column_int64(statement, 0);
	ret->gone = (uint32_t)sqlite3_column_int64(statement, 1);
	ret->forgotten = (uint32_t)sqlite3_column_int64(statement, 2);
	return 0;
}

static int survey_group(struct cache *cache, const struct sieve_group *group)
{
	struct sieve *sieve = &cache->sieve;
	struct sieve_staleness stale;
	int r;

	r = sieve_count_stale(cache, group, &stale);
	if (r)
		return r;
	if ((sieve->has_damaged && sieve->damaged == group->first) || stale.forgotten ||
	    stale.gone > group->customers / 4)
		return sieve_begin(cache, group->first, group->end, SIEVE_BLOCKS);
	r = clear_between(cache, group->first + 1, group->end);
	if (r)
		return r;

	sieve->survey.changed += stale.changed;
	if (stale.changed > sieve->survey.most_changed) {
		sieve->survey.most_changed = stale.changed;
		sieve->survey.first = group->first;
		sieve->survey.end = group->end;
	}
	sieve->survey.last = group->first;
	sieve->survey.last_has_room = group->block_count < SIEVE_NEW_BLOCKS * 3 / 4;
	sieve->survey.next = group->end;
	return 0;
}

/* Behind all groups. */
static int survey_rest(struct cache *cache)
{
	struct sieve *sieve = &cache->sieve;
	uint32_t next = sieve->survey.next;
	int r;

	r = has_more(cache, next, NODE_SLOT_MAX + 1, SIEVE_UNCOVERED_MAX);
	if (r < 0)
		return r;
	if (r && sieve->survey.last_has_room)
		next = sieve->survey.last;
	if (r)
		return sieve_begin(cache, next, NODE_SLOT_MAX + 1, SIEVE_NEW_BLOCKS);
	r = clear_between(cache, next, NODE_SLOT_MAX + 1);
	if (r)
		return r;
	if (sieve->survey.changed > SIEVE_CHANGED_MAX)
		return sieve_begin(cache, sieve->survey.first, sieve->survey.end, SIEVE_BLOCKS);
	/* It had a damaged part, and now there is none. */
	sieve->has_damaged = false;
	sieve->is_due = false;
	return 0;
}

/* Returns 0 when nothing is there, CACHE_MORE having begun with it, or a negative errno. */
static int survey_gap(struct cache *cache, uint32_t end)
{
	uint32_t next = cache->sieve.survey.next;
	int r = next < end ? has_more(cache, next, end, 0) : 0;

	if (r > 0)
		return sieve_begin(cache, next, end, SIEVE_NEW_BLOCKS);
	return r || next >= end ? r : clear_between(cache, next, end);
}

static int survey(struct cache *cache)
{
	struct sieve *sieve = &cache->sieve;
	struct sieve_group group;
	int r = 0;

	for (unsigned i = 0; !r && i < GROUPS_A_STEP; i++) {
		r = sieve_next_group(cache, sieve->survey.next, &group);
		if (r)
			return r < 0 ? r : survey_rest(cache);
		r = survey_gap(cache, group.first);
		if (!r)
			r = survey_group(cache, &group);
	}
	return r < 0 ? r : CACHE_MORE;
}

/* Without groups, all customers of a small cache are looked at, who are few. */
static bool is_too_small(const struct cache *cache)
{
	return cache->limits.size_max / CACHE_A_GROUP < SIEVE_GROUP_SIZE;
}

/* As clear_between(), of all groups. */
static int clear_all(struct cache *cache)
{
	int r = clear_between(cache, 0, NODE_SLOT_MAX + 1);

	if (r)
		return r;
	cache->sieve.end = 0;
	cache->sieve.is_due = false;
	return 0;
}

static void begin_survey(struct sieve *sieve)
{
	sieve->survey = (struct sieve_survey){ .is_begun = true };
	sieve->entered = sieve->uncovered = 0;
	sieve->has_forgotten = false;
}

int cache_furnish_sieve(struct cache *cache)
{
	struct sieve *sieve = &cache->sieve;
	int r;

	if (cache->mode == CACHE_OVER_FILE || cache->words_from)
		return 0;
	if (sieve->build.phase != SIEVE_IDLE)
		return sieve_build(cache);
	if (sieve->uncovered > SIEVE_UNCOVERED_MAX || sieve->entered > ENTERED_MAX)
		sieve->is_due = true;
	if (!sieve->is_due)
		return 0;
	if (!sieve->survey.is_begun)
		begin_survey(sieve);
	r = is_too_small(cache) ? clear_all(cache) : survey(cache);
	/* When something is built, all is to be looked at again. */
	if (!sieve->is_due || sieve->build.phase != SIEVE_IDLE)
		sieve->survey.is_begun = false;
	return r;
}

void cache_tidy_sieve(struct cache *cache)
{
	cache->sieve.is_due |= cache->sieve.has_forgotten;
}
