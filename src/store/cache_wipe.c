/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that lets go of memory in which there may be values of who was forgotten: what
 * is freed is wiped, but these are kept from one use to the next.
 *
 *   statements   what was bound and computed last
 *   pages        those that are in memory as well as in the file
 *   the cell     that was put together last, which SQLite keeps for the next: it is overwritten by
 *                the largest that there is, which is then taken back
 *   the codec    what was packed and unpacked last
 */

#include <string.h>

#include "kapturefs/store/cache_parts.h"

/* With the old ones, if there is no memory for others. */
static void renew_statements(struct cache *cache)
{
	sqlite3_stmt *old[STATEMENTS];
	enum cache_trouble trouble = cache->trouble;

	memcpy(old, cache->statements, sizeof(old));
	memset(cache->statements, 0, sizeof(cache->statements));
	if (rows_prepare(cache, cache->mode == CACHE_OVER_FILE)) {
		cache->trouble = trouble;
		rows_finalize(cache);
		memcpy(cache->statements, old, sizeof(old));
		return;
	}
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(old[i]);
}

static void overwrite_cell(struct cache *cache)
{
	static const char sql[] = "BEGIN IMMEDIATE;"
	                          "INSERT OR REPLACE INTO words (customer, text)"
	                          " VALUES (4294967296, printf('%4000c', 'x'));"
	                          "ROLLBACK";

	if (cache->mode == CACHE_OVER_FILE)
		return;
	(void)sqlite3_exec(cache->database, sql, NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(cache->database))
		(void)sqlite3_exec(cache->database, "ROLLBACK", NULL, NULL, NULL);
}

void cache_wipe_memory(struct cache *cache)
{
	codec_clear(cache->codec);
	cache_drop_recent(cache, 0);
	if (!cache->database)
		return;
	overwrite_cell(cache);
	renew_statements(cache);
	(void)sqlite3_db_release_memory(cache->database);
}
