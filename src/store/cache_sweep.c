/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that keeps it within its limits.
 *
 * A step does one of these, the first that there is a need for:
 *
 *   expire    the absences that do not count any more (cache_absence.c)
 *   evict     the customer or the absences that have not been used for the longest time, if
 *             there is more than size_max, or nobody has used them for retain_ms
 *   shrink    give some free pages back, if the file is larger than size_max or mostly free
 *   cut       the write-ahead log, if it is longer than its share
 *   note      when customers were used, if it is time for that
 *   furnish   what searches need, which the file may not have yet
 *
 * What counts is the file and the log; the most that the log may take is set aside, so that its
 * growing does not evict anybody. A transaction that would have the file take more than the rest is
 * undone (cache_check_limits()), and who wants to store makes room first.
 *
 * When customers were used is kept in memory and written when there is no room for more, when it
 * saves one from being evicted, and every minute.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

enum {
	ABSENCES_A_STEP = 32,
	PAGES_A_STEP = 32,
	ROWS_A_TIDYING = 4096,
	FREE_PAGES_MIN = 256, /* that are kept for what comes */
	ROOM_BESIDES = 8 * DATABASE_PAGE_SIZE,
	SPARE_PART = 32, /* of the limit, left free for answers that find everybody in use */

	IN_USE_MS = 10 * 1000,
	CLOCK_ERROR_MS = 3600 * 1000,
};

/* Where there is no file: enough for what is read again and again. */
#define SIZE_MAX_IN_MEMORY (UINT64_C(64) << 20)
#define SIZE_MAX_OVER_FILE (UINT64_C(8) << 20)

/* Limits */

struct sizes {
	uint64_t used; /* bytes of pages with something on them */
	uint64_t file; /* all pages */
	uint64_t disk; /* what the file and the log take now */
	uint64_t log;
	uint64_t max; /* for the pages */
};

static uint64_t size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) ? 0 : (uint64_t)status.st_size;
}

static void measure_disk(const struct cache *cache, struct sizes *sizes)
{
	uint64_t log_max = cache_log_size_max(cache);
	uint64_t max = cache->limits.size_max;

	if (cache->mode == CACHE_ON_FILE) {
		sizes->log = size_of(cache->log_path);
		sizes->disk = size_of(cache->path) + sizes->log;
		sizes->max = max > log_max ? max - log_max : 0;
		return;
	}
	sizes->log = 0;
	sizes->disk = sizes->file;
	sizes->max = max;
	if (cache->mode == CACHE_OVER_FILE && max > SIZE_MAX_OVER_FILE)
		sizes->max = SIZE_MAX_OVER_FILE;
	if (cache->mode == CACHE_IN_MEMORY && cache->path && max > SIZE_MAX_IN_MEMORY)
		sizes->max = SIZE_MAX_IN_MEMORY;
	if (cache->limits.memory_max && sizes->max > cache->limits.memory_max)
		sizes->max = cache->limits.memory_max;
}

static int measure(struct cache *cache, struct sizes *ret)
{
	int64_t page_size;
	int64_t pages;
	int64_t free_pages;
	int r;

	r = rows_number(cache, PAGE_BYTES, &page_size);
	if (!r)
		r = rows_number(cache, PAGE_COUNT, &pages);
	if (!r)
		r = rows_number(cache, FREE_COUNT, &free_pages);
	if (r)
		return r < 0 ? r : -EIO;

	ret->file = (uint64_t)(pages * page_size);
	ret->used = (uint64_t)((pages - free_pages) * page_size);
	measure_disk(cache, ret);
	cache->is_nearly_full = ret->used > ret->max - ret->max / 8;
	counter_set(&cache->metrics.bytes, ret->disk);
	return 0;
}

int cache_count_pages(struct cache *cache, int64_t *ret)
{
	int r = rows_number(cache, PAGE_COUNT, ret);

	return r > 0 ? -EIO : r;
}

int cache_check_limits(struct cache *cache, int64_t pages)
{
	struct sizes sizes;
	int r;

	if (cache->written_bytes > cache_log_rows_max(cache))
		return -EFBIG;
	if (cache->is_letting_go)
		return 0;
	r = measure(cache, &sizes);
	if (r)
		return r;
	if (sizes.file <= sizes.max || sizes.file <= (uint64_t)pages * DATABASE_PAGE_SIZE)
		return 0;
	cache->lacking = sizes.file - sizes.max;
	return CACHE_FULL;
}

uint64_t cache_room(struct cache *cache)
{
	struct sizes sizes;
	uint64_t room;

	if (measure(cache, &sizes))
		return UINT64_MAX;
	room = sizes.file - sizes.used;
	if (sizes.max > sizes.file)
		room += sizes.max - sizes.file;
	return room;
}

/* What is packed is smaller than it came, and what is searched of it has half its length. */
uint64_t cache_room_for(size_t length)
{
	return length / 2 + ROOM_BESIDES;
}

uint64_t cache_room_lacking(const struct cache *cache)
{
	return cache->lacking;
}

void cache_limit(struct cache *cache, const struct cache_limits *limits)
{
	struct sizes sizes;

	cache->limits = *limits;
	cache->sieve.is_due = true;
	if (cache_log_limit(cache))
		log_warning("cache: the length of the write-ahead log is not limited");
	/* For the metrics, that they tell its size before anything is stored. */
	(void)!measure(cache, &sizes);
}

bool cache_is_nearly_full(const struct cache *cache)
{
	return cache->is_nearly_full;
}

/* Evicting */

struct victim {
	uint32_t customer; /* 0: absences */
	int64_t used_ms;
	unsigned files_lost; /* before it was found: in another file there is no such victim */
	struct cache_evicted *evicted; /* to be filled in when it goes */
};

static int least_used(struct cache *cache, struct victim *ret)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LEAST_USED];
	int r;

	r = rows_step(cache, statement);
	if (r)
		return r;
	ret->customer = (uint32_t)sqlite3_column_int64(statement, 0);
	ret->used_ms = sqlite3_column_int64(statement, 1);
	return 0;
}

/* Customers and absences by one measure. Returns CACHE_NONE if there are none. */
static int find_victim(struct cache *cache, struct victim *ret)
{
	int64_t number;
	int absent;
	int r;

	r = least_used(cache, ret);
	if (r < 0)
		return r;
	absent = rows_number(cache, OLDEST_ABSENT, &number);
	if (absent < 0)
		return absent;
	if (absent == 0 && (r || number < ret->used_ms)) {
		*ret = (struct victim){ .used_ms = number };
		return 0;
	}
	if (r == 0)
		return 0;

	/* Damage can take the row that tells when a customer was used. */
	r = rows_number(cache, FIRST_CUSTOMER, &number);
	if (r == 0)
		*ret = (struct victim){ .customer = (uint32_t)number };
	return r;
}

/* What is to be known of the customer afterwards: damage may have taken it. */
static int note_customer(struct cache *cache, uint32_t customer, struct cache_evicted *evicted)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[PEEK_CUSTOMER];
	struct customer_row row;
	int r;

	rows_bind_integer(statement, 1, customer);
	r = rows_take_row(cache, statement, &row);
	if (r)
		return r < 0 ? r : 0;
	if (!rows_is_whole(cache, &row) ||
	    record_identity_changed_ms(row.identity, row.identity_length, &evicted->changed_ms) ||
	    record_identity_next_ordinal(row.identity, row.identity_length, &evicted->next_ordinal))
		*evicted->id = '\0';
	return 0;
}

static void note_key(struct cache *cache, const struct cache_key *key,
                     struct cache_evicted *evicted)
{
	size_t size = (evicted->key_count + 1) * sizeof(*key);
	struct cache_key *grown;

	cache_note_eviction(cache, &key->key);
	if (key->key.kind == KEY_ID)
		strcpy(evicted->id, key->key.text);
	grown = realloc(evicted->keys, size);
	if (!grown)
		return;
	evicted->keys = grown;
	evicted->keys[evicted->key_count++] = *key;
}

static int note_evictions(struct cache *cache, uint32_t customer, struct cache_evicted *evicted)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];
	struct cache_key found;
	int r;

	*evicted->id = '\0';
	evicted->key_count = 0;
	rows_bind_integer(keys, 1, customer);
	while ((r = rows_take_key_of(cache, keys, customer, &found)) == 0 || r == ROWS_DAMAGED) {
		if (r == 0)
			note_key(cache, &found, evicted);
	}
	return r < 0 ? r : note_customer(cache, customer, evicted);
}

static int evict(struct cache *cache, const void *arguments, int64_t now_ms,
                 struct cache_change *change)
{
	const struct victim *victim = arguments;
	int64_t before = rows_changes(cache);
	int r;

	(void)now_ms;
	if (cache->files_lost != victim->files_lost)
		return CACHE_NONE;
	if (!victim->customer) {
		r = rows_run_on(cache, DELETE_OLD_ABSENT, victim->used_ms, ABSENCES_A_STEP);
	} else {
		change->customer.slot = victim->customer;
		r = note_evictions(cache, victim->customer, victim->evicted);
		if (!r)
			r = cache_delete_customer(cache, victim->customer, change);
	}
	return r ? r : rows_expect_changes(cache, before);
}

static bool is_in_use(const struct victim *victim, int64_t now_ms)
{
	return victim->customer && victim->used_ms > now_ms - IN_USE_MS &&
	       victim->used_ms <= now_ms;
}

/* Returns as cache_write(). Whom nobody has asked for in a long time leaves no trace. */
static int let_go(struct cache *cache, struct victim *victim, int64_t now_ms,
                  struct cache_change *ret)
{
	struct cache_evicted evicted = { 0 };
	int r;

	victim->evicted = &evicted;
	cache->is_letting_go = true;
	r = cache_write(cache, evict, victim, now_ms, ret);
	cache->is_letting_go = false;
	victim->evicted = NULL;
	if (!r && victim->used_ms >= now_ms - cache->limits.retain_ms)
		cache_reserve_evicted(cache, &evicted);
	free(evicted.keys);
	if (r)
		return r;
	counter_add(&cache->metrics.evictions, victim->customer != 0);
	cache->log.has_remains = true;
	return 0;
}

/* Returns as cache_sweep(). */
static int evict_one(struct cache *cache, bool is_full, int64_t now_ms, struct cache_change *ret)
{
	int64_t retain_ms = cache->limits.retain_ms;
	struct victim victim;
	int r;

	r = find_victim(cache, &victim);
	if (r)
		return r < 0 ? r : 0;
	victim.files_lost = cache->files_lost;
	if (!is_full && victim.used_ms >= now_ms - retain_ms)
		return 0;
	/* Whoever was used since that was written is not the one. */
	if (victim.customer && cache_flush_touched_one(cache, victim.customer))
		return CACHE_MORE;
	if (is_in_use(&victim, now_ms))
		return CACHE_LATER;
	r = let_go(cache, &victim, now_ms, ret);
	return r < 0 ? r : CACHE_MORE;
}

static int make_room(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	struct victim victim;
	int r;

	do
		r = find_victim(cache, &victim);
	while (!r && victim.customer && cache_flush_touched_one(cache, victim.customer));
	if (r)
		return r;
	victim.files_lost = cache->files_lost;
	return let_go(cache, &victim, now_ms, ret);
}

int cache_make_room(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	int r;

	do {
		*ret = (struct cache_change){ 0 };
		r = make_room(cache, now_ms, ret);
	} while (cache_rescue(cache, r));
	return r;
}

/* Giving back */

static int shrink(struct cache *cache)
{
	struct sizes before;
	struct sizes after;
	char sql[64];
	int code;
	int r;

	r = measure(cache, &before);
	if (r)
		return r;
	snprintf(sql, sizeof(sql), "PRAGMA main.incremental_vacuum(%d)", PAGES_A_STEP);
	code = sqlite3_exec(cache->database, sql, NULL, NULL, NULL);
	if (code)
		return rows_failed(cache, code, "shrink");
	r = measure(cache, &after);
	if (r)
		return r;
	return after.file < before.file ? CACHE_MORE : 0;
}

static bool has_much_free(const struct cache *cache, const struct sizes *sizes)
{
	uint64_t free_bytes = sizes->file - sizes->used;

	if (cache->mode != CACHE_ON_FILE || free_bytes == 0)
		return false;
	return sizes->file > sizes->max ||
	       (free_bytes > sizes->file / 4 && free_bytes > FREE_PAGES_MIN * DATABASE_PAGE_SIZE);
}

static int step(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	struct sizes sizes;
	bool is_full;
	int outcome;
	int r;

	r = cache_expire_absences(cache, now_ms, ret);
	if (!r)
		r = measure(cache, &sizes);
	if (r)
		return r;
	is_full = sizes.used > sizes.max - sizes.max / SPARE_PART;
	outcome = evict_one(cache, is_full, now_ms, ret);
	if (outcome && outcome != CACHE_LATER)
		return outcome;
	r = has_much_free(cache, &sizes) ? shrink(cache) : 0;
	if (!r && cache->mode == CACHE_ON_FILE && sizes.log && sizes.disk > cache->limits.size_max)
		r = cache_log_cut(cache);
	if (!r && cache_flush_some_touched(cache))
		r = CACHE_MORE;
	if (!r && !outcome)
		r = cache_furnish_words(cache);
	if (!r && !outcome)
		r = cache_furnish_sieve(cache);
	if (r == CACHE_FULL)
		return evict_one(cache, true, now_ms, ret);
	return r ? r : outcome;
}

int cache_sweep(struct cache *cache, int64_t now_ms, struct cache_change *ret)
{
	int r;

	do {
		*ret = (struct cache_change){ 0 };
		r = step(cache, now_ms, ret);
	} while (cache_rescue(cache, r));
	return r;
}

/* Tidying */

static int agree_on_now(struct cache *cache, const void *arguments, int64_t now_ms,
                        struct cache_change *change)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[AGREE_ON_NOW];

	(void)arguments;
	(void)change;
	rows_bind_integer(statement, 1, now_ms);
	rows_bind_integer(statement, 2, now_ms + CLOCK_ERROR_MS);
	rows_bind_integer(statement, 3, ROWS_A_TIDYING);
	return rows_execute(cache, statement);
}

void cache_tidy(struct cache *cache, int64_t now_ms)
{
	struct cache_change change;

	cache_check_file(cache);
	if (cache->mode == CACHE_OVER_FILE)
		(void)!cache_write_down(cache);
	cache_return_to_file(cache);
	cache->touched.due = TOUCHED_SETS;
	cache_tidy_sieve(cache);
	/* A clock that was set back makes uses of the future, which would be the last to go. */
	if (cache_write(cache, agree_on_now, NULL, now_ms, &change) == 0)
		cache_change_fini(&change);
	cache->log.is_to_be_cut = cache->log.has_remains;
}
