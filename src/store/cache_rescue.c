/* SPDX-License-Identifier: MIT */
/*
 * What the cache does when its file fails, and what holds meanwhile.
 *
 *   on file      read and written in the file
 *   over file    the file can be read, but writing to it has failed (full, read-only,
 *                I/O error): what is stored is kept in memory, over the file's rows,
 *                and written down as soon as that works again; see cache_overlay.c
 *   in memory    there is no file, because none was wanted or none can be had; one that was is
 *                tried again every minute, and what is in memory goes into it
 *
 *   what failed            on file                        over file
 *   writing                over file
 *   reading, or damage     set aside, new one on file     the same
 *   the file is not there  new one on file                the same
 *   any of these again     in memory, after FILES_LOST_MAX files
 *
 * Whatever happens:
 *
 *   - A slot is never given twice: the next one is known here, not only in the file, and a new file
 *     begins behind it.
 *   - The account is known here too, so a new file belongs to the same tenant.
 *   - The listings' times grow.
 *   - What was read is right or counts as missing: rows are sealed, by a new file with a new
 *     secret.
 *   - The operation that met the failure is tried again and does not see it, but for a
 *     lack of memory.
 *   - No more than SIZE_MAX_OVER_FILE or SIZE_MAX_IN_MEMORY is kept in memory for want of a file;
 *     see cache_sweep.c.
 *
 * A file that was set aside is only kept for whoever wants to know what happened; the
 * one before it goes, and all of them when a customer is forgotten.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/base/error_name.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

enum { FILES_LOST_MAX = 3 };

#define ASIDE ".damaged-"

/* Files */

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static bool is_aside(const char *name, const char *file)
{
	size_t length = strlen(file);

	return strncmp(name, file, length) == 0 &&
	       strncmp(name + length, ASIDE, strlen(ASIDE)) == 0;
}

int cache_remove_aside(const struct cache *cache)
{
	cleanup(close_directory) DIR *directory = NULL;
	char folder[PATH_MAX] = ".";
	const struct dirent *entry;
	const char *slash;

	if (!cache->path)
		return 0;
	slash = strrchr(cache->path, '/');
	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - cache->path + 1),
		         cache->path);
	directory = opendir(folder);
	if (!directory)
		return -errno;

	while ((entry = readdir(directory))) {
		if (is_aside(entry->d_name, slash ? slash + 1 : cache->path) &&
		    unlinkat(dirfd(directory), entry->d_name, 0))
			return -errno;
	}
	return 0;
}

static int rename_if_there(const char *from, const char *to)
{
	return rename(from, to) && errno != ENOENT ? -errno : 0;
}

/* The log first: without it the file is still damaged, but the log alone would be no one's. */
static int rename_both(const struct cache *cache, const char *to, const char *log_to)
{
	struct stat status;
	int r;

	if (stat(cache->log_path, &status) == 0 && status.st_size == 0)
		r = unlink(cache->log_path) ? -errno : 0;
	else
		r = rename_if_there(cache->log_path, log_to);
	return r ? r : rename_if_there(cache->path, to);
}

int cache_set_aside(struct cache *cache)
{
	char to[PATH_MAX - 8];
	char log_to[PATH_MAX];
	char when[32];
	struct tm now;
	time_t seconds = time(NULL);
	int length;
	int r;

	r = cache_remove_aside(cache);
	if (r)
		return r;
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &now));
	length = snprintf(to, sizeof(to), "%s" ASIDE "%s", cache->path, when);
	if (length >= (int)sizeof(to))
		return -ENAMETOOLONG;
	snprintf(log_to, sizeof(log_to), "%s-wal", to);
	r = rename_both(cache, to, log_to);
	if (r)
		return r;
	counter_add(&cache->metrics.damaged_files, 1);
	log_error("cache: damaged file set aside name=%s",
	          strrchr(to, '/') ? strrchr(to, '/') + 1 : to);
	return 0;
}

bool cache_has_vanished(const struct cache *cache)
{
	struct stat status;

	if (cache->mode == CACHE_IN_MEMORY)
		return false;
	if (stat(cache->path, &status))
		return errno == ENOENT;
	return status.st_dev != cache->device || status.st_ino != cache->inode;
}

/* Another file, or none */

static bool go_in_memory(struct cache *cache)
{
	cache_detach(cache);
	if (cache_attach_memory(cache)) {
		log_error("cache: there is no memory to go on in");
		return false;
	}
	if (cache->path)
		log_error("cache: going on in memory; answers are not kept on disk");
	return true;
}

/* All names are gone, and the listings must say so. */
static void change_listings(struct cache *cache)
{
	for (enum key_kind kind = 0; kind < KEY_LISTINGS; kind++)
		cache->listing_changed_ms[kind] =
		        cache_next_change_ms(cache, kind, clock_unix_ms());
	memset(cache->evicted, 0, sizeof(cache->evicted));
	snapshots_end_all(cache->snapshots);
	snapshots_set_time(cache->snapshots, clock_unix_ms());
	snapshots_count_change(cache->snapshots);
	cache->has_change_time = true;
	cache_searches_end(cache);
}

/* What is at the path now must be nothing, or somebody has put it there and knows why. */
static int begin_anew(struct cache *cache)
{
	struct stat status;
	int r;

	if (stat(cache->path, &status) == 0) {
		log_error("cache: there is another file in the place of ours");
		return -EEXIST;
	}
	r = cache_attach(cache);
	if (r > 0)
		return -EIO;
	return r;
}

/* Whatever file comes in place of ours must not be given our log. */
static void remove_log(const struct cache *cache)
{
	struct stat status;

	if (stat(cache->log_path, &status) == 0 && status.st_ino == cache->log_inode &&
	    unlink(cache->log_path))
		log_error("cache: cannot remove the log errno=%s", error_name(errno));
}

static bool lose_file(struct cache *cache)
{
	bool has_vanished = cache_has_vanished(cache);
	int r = 0;

	cache->files_lost++;
	cache_detach(cache);
	change_listings(cache);
	if (has_vanished) {
		log_error("cache: the file is not there any more; beginning a new one");
		remove_log(cache);
	} else {
		r = cache_set_aside(cache);
	}
	if (!r && cache->files_lost > FILES_LOST_MAX)
		r = -EIO;
	if (!r)
		r = begin_anew(cache);
	if (r && !go_in_memory(cache))
		return false;

	if (cache->lost)
		cache->lost(cache->lost_userdata);
	return true;
}

void cache_check_file(struct cache *cache)
{
	if (cache_has_vanished(cache))
		(void)lose_file(cache);
}

/* Over the file */

static bool go_over_file(struct cache *cache)
{
	int r;

	rows_finalize(cache);
	r = overlay_begin(cache->database);
	if (!r)
		r = rows_prepare(cache, true);
	if (r)
		return lose_file(cache);

	cache->mode = CACHE_OVER_FILE;
	cache_note_on_disk(cache, false);
	log_error("cache: the file cannot be written to; new answers are kept in memory");
	return true;
}

int cache_write_down(struct cache *cache)
{
	int r;

	rows_finalize(cache);
	r = overlay_write_down(cache->database);
	if (rows_prepare(cache, r != 0) || r == DATABASE_DAMAGED)
		return lose_file(cache) ? 0 : -ENOMEM;
	if (r)
		return r;

	cache->mode = CACHE_ON_FILE;
	cache->log.is_unsynced = true;
	cache_note_on_disk(cache, true);
	log_notice("cache: the file can be written to again");
	return 0;
}

/* Back to a file */

/* Whether there is no other file; one without a byte is left by a disk that was full. */
static bool is_free(const struct cache *cache)
{
	struct stat status;

	if (stat(cache->path, &status))
		return errno == ENOENT;
	return S_ISREG(status.st_mode) && status.st_size == 0;
}

/* In one transaction of the file's, whose log is as large as the file is then. */
static bool fits_into_limits(struct cache *cache)
{
	int64_t pages;

	return cache_count_pages(cache, &pages) == 0 &&
	       (uint64_t)pages * 2 * DATABASE_PAGE_SIZE <=
	               cache->limits.size_max - cache->limits.size_max / 8;
}

/* Make the file, of what is in memory or of nothing. Returns 0 or anything else. */
static int make_file(struct cache *cache)
{
	sqlite3 *file = NULL;
	int r;

	r = database_open(cache->path, rows_schema(), &file);
	if (r)
		return r;
	r = database_copy(cache->database, file);
	if (r)
		database_abandon(file);
	else
		database_close(file);
	return r;
}

static void take_back(struct cache *cache, sqlite3 *memory)
{
	cache->mode = CACHE_IN_MEMORY;
	cache->database = memory;
	cache->trouble = TROUBLE_NONE;
	if (rows_prepare(cache, false) || cache_log_limit(cache))
		(void)go_in_memory(cache);
}

/* The copy becomes the cache's database: its rows and their numbers are the same. */
static bool move_into_file(struct cache *cache)
{
	int64_t changed_ms[KEY_LISTINGS];
	uint64_t slot_next = cache->slot_next;
	sqlite3 *memory;

	memcpy(changed_ms, cache->listing_changed_ms, sizeof(changed_ms));
	rows_finalize(cache);
	memory = steal(&cache->database);
	if (cache_attach(cache)) {
		take_back(cache, memory);
		return false;
	}
	database_abandon(memory);
	cache->slot_next = slot_next;
	cache->slots_reserved = slot_next;
	memcpy(cache->listing_changed_ms, changed_ms, sizeof(changed_ms));
	return true;
}

static void remove_both(const struct cache *cache)
{
	(void)unlink(cache->log_path);
	(void)unlink(cache->path);
}

void cache_return_to_file(struct cache *cache)
{
	int r;

	if (cache->mode != CACHE_IN_MEMORY || !cache->path || !cache->database || !is_free(cache) ||
	    !fits_into_limits(cache))
		return;
	r = make_file(cache);
	/* Another program was faster. */
	if (r > 0)
		return;
	if (!r && move_into_file(cache))
		log_notice("cache: answers are kept on disk again");
	else
		remove_both(cache);
}

bool cache_rescue(struct cache *cache, int r)
{
	enum cache_trouble trouble = cache->trouble;

	cache->trouble = TROUBLE_NONE;
	if (r >= 0 || trouble == TROUBLE_NONE)
		return false;
	counter_add(&cache->metrics.failures, 1);
	if (cache->mode == CACHE_IN_MEMORY)
		return !cache->database && go_in_memory(cache);
	if (trouble == TROUBLE_DAMAGE)
		return lose_file(cache);
	return cache->mode == CACHE_ON_FILE && go_over_file(cache);
}
