/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that keeps its write-ahead log synced and short.
 *
 * Every answer is a commit, which only writes to the log. What takes long is to sync it and to move
 * it into the file: 20 ms for 1,000 pages on an idle disk, 200 on a busy one, most of it waiting.
 * So both are done by another thread (struct cache_log_work), by a connection of its own:
 *
 *   synced   after some answers
 *   moved    when it has a quarter of its share; or soon, when something was removed, so that no
 *            byte of it stays: the log is then cut to nothing, which takes no time once it is moved
 *
 * Whoever uses the share up in the meantime waits for that thread and moves the rest, as does
 * everybody who has none. The first commit to a log that begins anew syncs its header.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "kapturefs/store/cache_parts.h"

enum {
	LOG_FRAME_SIZE = DATABASE_PAGE_SIZE + 24, /* a page in the log */
	LOG_PAGES_MIN = 16,
	LOG_PAGES_MAX = 4000,
	LOG_SHARE = 16,   /* a sixteenth of the whole */
	LOG_MOVED_AT = 4, /* a quarter of the share */
	LOG_RESTS_AT = LOG_PAGES_MAX / LOG_MOVED_AT,
	BURST_PART = 4, /* a quarter of the whole, but not more than the largest answer needs */
	BURST_MAX = 34 << 20,
	BURST_BESIDES = 32 * LOG_FRAME_SIZE, /* inner pages, indexes, and what tells of the rest */
	LOG_RESTS_UNTIL = LOG_PAGES_MAX / 2, /* lest nothing be evicted on a slow disk */
};

static uint64_t share_pages(const struct cache *cache)
{
	uint64_t pages = cache->limits.size_max / LOG_SHARE / LOG_FRAME_SIZE;

	return pages < LOG_PAGES_MIN   ? LOG_PAGES_MIN
	       : pages > LOG_PAGES_MAX ? LOG_PAGES_MAX
	                               : pages;
}

static uint64_t share_bytes(const struct cache *cache)
{
	return share_pages(cache) * LOG_FRAME_SIZE;
}

/* What one transaction adds to a log that has just not used its share up. */
static uint64_t burst_bytes(const struct cache *cache)
{
	uint64_t bytes = cache->limits.size_max / BURST_PART;

	return bytes < BURST_MAX ? bytes : BURST_MAX;
}

uint64_t cache_log_size_max(const struct cache *cache)
{
	return share_bytes(cache) + burst_bytes(cache);
}

/* A row that is replaced is wiped, and so is written twice. */
uint64_t cache_log_rows_max(const struct cache *cache)
{
	return (burst_bytes(cache) - BURST_BESIDES) / 2;
}

/* By this thread. What the other one is to do for it is done with that. */
static int move(struct cache *cache, int mode)
{
	int code;

	uv_mutex_lock(&cache->log.moving);
	code = sqlite3_wal_checkpoint_v2(cache->database, "main", mode, NULL, NULL);
	if (code == SQLITE_OK) {
		cache->log.pages = 0;
		cache->log.moves++;
	}
	uv_mutex_unlock(&cache->log.moving);
	return code;
}

/* Whether that fails shows when the log is cut. */
static int committed(void *userdata, sqlite3 *database, const char *name, int pages)
{
	struct cache *cache = userdata;

	(void)database;
	(void)name;
	cache->log.pages = (uint64_t)pages;
	if (cache->log.pages >= share_pages(cache))
		(void)move(cache, SQLITE_CHECKPOINT_PASSIVE);
	return SQLITE_OK;
}

int cache_log_limit(struct cache *cache)
{
	char sql[64];

	sqlite3_wal_hook(cache->database, committed, cache);
	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %" PRIu64, share_bytes(cache));
	return database_run(cache->database, sql);
}

int cache_log_cut(struct cache *cache)
{
	int code;

	if (cache->mode != CACHE_ON_FILE)
		return 0;
	code = move(cache, SQLITE_CHECKPOINT_TRUNCATE);
	if (code)
		return rows_failed(cache, code, "checkpoint");
	/* Pages in memory still have what is wiped in the file, and would bring it back. */
	if (cache->log.has_remains)
		(void)sqlite3_db_release_memory(cache->database);
	cache->log.has_remains = false;
	return 0;
}

/* For another thread */

bool cache_log_is_long(const struct cache *cache)
{
	return cache->mode == CACHE_ON_FILE &&
	       (cache->log.is_to_be_cut || cache->log.pages >= share_pages(cache) / LOG_MOVED_AT);
}

bool cache_log_rests(const struct cache *cache)
{
	return cache->log.pages >= LOG_RESTS_AT && cache->log.pages < LOG_RESTS_UNTIL;
}

/* Where it can be mended if it fails. */
static void cut(struct cache *cache)
{
	cache->log.is_to_be_cut = false;
	(void)cache_rescue(cache, cache_log_cut(cache));
}

/* Whatever is at the path by then may be another's. */
static bool open_beside(struct cache *cache, sqlite3 **ret)
{
	cleanup(database_abandonp) sqlite3 *beside = NULL;

	if (database_open_beside(cache->database, &beside) || cache_has_vanished(cache))
		return false;
	*ret = steal(&beside);
	return true;
}

bool cache_log_begin(struct cache *cache, struct cache_log_work *ret)
{
	*ret = (struct cache_log_work){
		.descriptor = -1,
		.log = &cache->log,
		.moves = cache->log.moves,
	};
	if (cache_log_is_long(cache) && cache->log.pages && open_beside(cache, &ret->database)) {
		cache->log.is_unsynced = false;
		return true;
	}
	/* There is nothing to move, or no other way to do it. */
	if (cache->mode == CACHE_ON_FILE && cache->log.is_to_be_cut)
		cut(cache);
	if (!cache->log.is_unsynced)
		return false;
	cache->log.is_unsynced = false;
	/* SQLite holds no locks on this file that closing it would drop. */
	ret->descriptor = open(cache->log_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return ret->descriptor >= 0;
}

void cache_log_run(struct cache_log_work *work)
{
	if (work->descriptor >= 0) {
		work->result = fdatasync(work->descriptor) ? -errno : 0;
		close(work->descriptor);
		return;
	}
	uv_mutex_lock(&work->log->moving);
	if (work->moves == work->log->moves)
		work->result = database_move_log(work->database, &work->pages);
	uv_mutex_unlock(&work->log->moving);
}

void cache_log_end(struct cache *cache, struct cache_log_work *work)
{
	if (!work->database)
		return;
	database_abandon(steal(&work->database));
	/* If nothing came meanwhile, all is in the file, and the log begins anew. */
	if (work->pages == cache->log.pages)
		cache->log.pages = 0;
	if (work->result)
		cache->log.is_unsynced = true;
	if (cache->log.is_to_be_cut || (work->result && work->result != -EBUSY))
		cut(cache);
}
