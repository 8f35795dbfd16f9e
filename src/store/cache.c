/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that opens and closes. Of the others,
 *
 *   cache_find    looks up
 *   cache_write   runs a change as a transaction
 *   cache_store   keeps answers, with cache_roster those for dates
 *   cache_forget  removes, without a trace, and expires
 *   cache_use     knows what was used when
 *   cache_search  finds by words, with cache_hunt, cache_hits, cache_words, cache_gram
 *                 and cache_sieve
 *   cache_export  has all customers be one text, with cache_extent and cache_snapshot
 *   cache_sweep   evicts what was not
 *   cache_log     keeps the write-ahead log synced and short
 *   cache_rescue  is there for when the file fails, with cache_overlay
 *   cache_values  turns rows into values and back, with cache_codec and cache_seal
 *   cache_rows    has the schema and every statement
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kapturefs/base/error_name.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

/* A file that has just been made: it is ours from its first transaction on. */
static int found(struct cache *cache)
{
	char secret[SEAL_SECRET_SIZE];
	int r;

	r = seal_make_secret(cache->seal, secret);
	if (!r)
		r = rows_write_property(cache, "secret", secret);
	if (!r)
		r = rows_write_property(cache, "source", cache->source);
	if (!r && *cache->account)
		r = rows_write_property(cache, "account", cache->account);
	for (enum key_kind kind = 0; !r && kind < KEY_LISTINGS; kind++)
		r = cache_write_listing(cache, kind, cache->listing_changed_ms[kind]);
	if (!r && cache->has_change_time)
		r = cache_write_change_time(cache, snapshots_changed_ms(cache->snapshots));
	if (!r)
		r = cache_found_words(cache);
	if (!r)
		r = cache_write_slots(cache, cache->slot_next);
	return r;
}

/* A property that must be there, or *@r says why it is not. */
static const char *required(struct cache *cache, const char *name, char text[PROPERTY_SIZE], int *r)
{
	if (!*r)
		*r = rows_read_property(cache, name, text);
	if (*r > 0)
		*r = CACHE_DAMAGED;
	return *r ? "" : text;
}

static int take_account(struct cache *cache)
{
	char text[PROPERTY_SIZE];
	int r;

	r = rows_read_property(cache, "account", text);
	if (r == CACHE_NONE)
		return 0;
	if (r || strlen(text) >= ACCOUNT_SIZE)
		return r < 0 ? r : CACHE_DAMAGED;
	strcpy(cache->account, text);
	return 0;
}

static int take_numbers(struct cache *cache)
{
	char text[PROPERTY_SIZE];
	int r = 0;

	cache->slot_next = strtoull(required(cache, "slots", text, &r), NULL, 10);
	for (enum key_kind kind = 0; !r && kind < KEY_LISTINGS; kind++) {
		char name[24];

		snprintf(name, sizeof(name), "listing-%s", key_kind_facts(kind)->word);
		r = rows_read_property(cache, name, text);
		/* An earlier version knew no dates. */
		if (kind == KEY_DATE && r == CACHE_NONE)
			return 0;
		cache->listing_changed_ms[kind] = r ? 0 : strtoll(text, NULL, 10);
	}
	return r > 0 ? CACHE_DAMAGED : r;
}

/* An earlier version did not keep it. A time that is known already is no older. */
static int take_change_time(struct cache *cache)
{
	char text[PROPERTY_SIZE];
	int r = rows_read_property(cache, "changed", text);

	if (r)
		return r < 0 ? r : 0;
	if (!cache->has_change_time)
		snapshots_set_changed_ms(cache->snapshots, strtoll(text, NULL, 10));
	cache->has_change_time = true;
	return 0;
}

/* Whoever opens a cache for what is in it takes its source as it is. */
static int adopt_source(struct cache *cache, const char *source)
{
	char *copy = strdup(source);

	if (!copy)
		return -ENOMEM;
	free(cache->source);
	cache->source = copy;
	return 0;
}

/* The file has been used before: it must be whole, and of the same source. */
static int take_over(struct cache *cache, const char *secret)
{
	char text[PROPERTY_SIZE];
	int r = 0;

	if (seal_take_secret(cache->seal, secret))
		return CACHE_DAMAGED;
	required(cache, "source", text, &r);
	if (!r && !*cache->source)
		r = adopt_source(cache, text);
	if (!r && strcmp(text, cache->source) != 0)
		return CACHE_OTHER_OWNER;
	if (!r)
		r = take_account(cache);
	if (!r)
		r = cache_take_words(cache);
	if (!r)
		r = take_change_time(cache);
	if (!r)
		r = take_numbers(cache);
	return r;
}

static int found_or_take_over(struct cache *cache)
{
	char secret[PROPERTY_SIZE];
	int r;

	r = rows_read_property(cache, "secret", secret);
	if (r == 0)
		return take_over(cache, secret);
	if (r == ROWS_DAMAGED)
		return CACHE_DAMAGED;
	if (r < 0)
		return r;

	r = rows_run(cache, BEGIN);
	if (!r)
		r = found(cache);
	return r ? r : rows_run(cache, COMMIT);
}

/* The page cache holds the inner pages of a million customers. */
static const char settings[] = "PRAGMA main.synchronous = NORMAL;"
                               "PRAGMA cache_size = -8192;";

/* An open database becomes the cache's. */
static int furnish(struct cache *cache)
{
	int r;

	r = rows_prepare(cache, false);
	if (!r)
		r = found_or_take_over(cache);
	if (!r)
		r = cache_furnish_extents(cache);
	if (!r)
		r = cache_take_sieve(cache);
	if (!r)
		r = database_run(cache->database, settings);
	if (!r)
		r = cache_log_limit(cache);
	cache->slots_reserved = cache->slot_next;
	return r;
}

static int note_identity(struct cache *cache)
{
	struct stat status;

	if (stat(cache->path, &status))
		return -errno;
	cache->device = status.st_dev;
	cache->inode = status.st_ino;
	if (stat(cache->log_path, &status))
		return -errno;
	cache->log_inode = status.st_ino;
	return 0;
}

static int attach_file(struct cache *cache)
{
	int r = database_open(cache->path, rows_schema(), &cache->database);

	switch (r) {
	case DATABASE_BUSY:
		return CACHE_BUSY;
	case DATABASE_FOREIGN:
		return CACHE_FOREIGN;
	case DATABASE_EXPOSED:
		return CACHE_EXPOSED;
	case DATABASE_NEWER:
		return CACHE_NEWER;
	case DATABASE_DAMAGED:
		return CACHE_DAMAGED;
	default:
		break;
	}
	if (!r)
		r = furnish(cache);
	if (!r)
		r = note_identity(cache);
	return r;
}

void cache_note_on_disk(struct cache *cache, bool is_on_disk)
{
	struct cache_metrics *metrics = &cache->metrics;

	counter_set(&metrics->on_disk, is_on_disk);
	if (is_on_disk || !cache->path)
		counter_set(&metrics->off_disk_since, 0);
	else if (!counter_value(&metrics->off_disk_since))
		counter_set(&metrics->off_disk_since, (uint64_t)time(NULL));
}

int cache_attach(struct cache *cache)
{
	int r;

	cache->mode = CACHE_ON_FILE;
	cache->trouble = TROUBLE_NONE;
	r = attach_file(cache);
	if (r < 0 && cache->trouble == TROUBLE_DAMAGE)
		r = CACHE_DAMAGED;
	cache->trouble = TROUBLE_NONE;
	if (r)
		cache_detach(cache);
	cache_note_on_disk(cache, r == 0);
	return r;
}

int cache_attach_memory(struct cache *cache)
{
	int r;

	cache->mode = CACHE_IN_MEMORY;
	cache_note_on_disk(cache, false);
	r = database_open(":memory:", rows_schema(), &cache->database);
	if (!r)
		r = furnish(cache);
	if (r)
		cache_detach(cache);
	return r > 0 ? -EIO : r;
}

void cache_detach(struct cache *cache)
{
	cache_drop_recent(cache, 0);
	roster_index_drop(&cache->roster_index);
	sieve_abandon(&cache->sieve);
	rows_finalize(cache);
	database_abandon(steal(&cache->database));
	cache->log.pages = 0;
	cache->log.is_unsynced = cache->log.has_remains = cache->log.is_to_be_cut = false;
}

/* What the disk cannot do; a mistake in the path is told to whoever made it. */
static bool is_of_the_disk(int r)
{
	return r == -EROFS || r == -ENOSPC || r == -EDQUOT || r == -EIO;
}

static int open_file(struct cache *cache)
{
	int r;

	r = cache_attach(cache);
	if (r == CACHE_DAMAGED) {
		r = cache_set_aside(cache);
		if (!r)
			r = cache_attach(cache);
		if (r == CACHE_DAMAGED)
			r = -EIO;
	}
	if (!is_of_the_disk(r))
		return r;

	log_error("cache: the file cannot be used errno=%s; answers are kept in memory only",
	          error_name(-r));
	return cache_attach_memory(cache);
}

static int keep_path(struct cache *cache, const char *path)
{
	cache->path = strdup(path);
	if (!cache->path || asprintf(&cache->log_path, "%s-wal", path) < 0)
		return -ENOMEM;
	return 0;
}

static int cache_new(const char *path, const char *source, struct cache **ret)
{
	cleanup(cache_closep) struct cache *cache = NULL;
	int r;

	if (strlen(source) >= PROPERTY_SIZE)
		return -ENAMETOOLONG;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;

	cache->mode = CACHE_IN_MEMORY;
	list_init(&cache->searches);
	cache->slot_next = 1;
	cache->limits = (struct cache_limits){ UINT64_MAX, INT64_MAX, 0 };
	cache->absences.ttl_ms = INT64_MAX;
	r = uv_mutex_init(&cache->log.moving);
	if (r) {
		free(steal(&cache));
		return r;
	}
	cache->source = strdup(source);
	if (!cache->source)
		return -ENOMEM;
	r = strcmp(path, ":memory:") == 0 ? 0 : keep_path(cache, path);
	if (!r)
		r = codec_new(&cache->codec);
	if (!r)
		r = seal_new(&cache->seal);
	if (!r)
		r = snapshots_new(&cache->snapshots);
	if (r)
		return r;
	*ret = steal(&cache);
	return 0;
}

int cache_open(const char *path, const char *source, struct cache **ret)
{
	cleanup(cache_closep) struct cache *cache = NULL;
	int r;

	r = cache_new(path, source, &cache);
	if (!r)
		r = cache->path ? open_file(cache) : cache_attach_memory(cache);
	if (r)
		return r;

	*ret = steal(&cache);
	return 0;
}

static int write_last(struct cache *cache, const void *arguments, int64_t now_ms,
                      struct cache_change *change)
{
	int r = cache_drop_old_absences(cache, now_ms);

	(void)arguments;
	(void)change;
	return r ? r : cache_write_slots(cache, cache->slot_next);
}

/* Leave no gap in the numbers, and nothing in the log. */
static void close_file(struct cache *cache)
{
	struct cache_change change;

	if (cache->mode == CACHE_OVER_FILE)
		(void)!cache_write_down(cache);
	cache_flush_touched(cache);
	if (cache->mode == CACHE_ON_FILE && !cache_has_vanished(cache) &&
	    cache_write(cache, write_last, NULL, (int64_t)time(NULL) * 1000, &change) == 0)
		cache_change_fini(&change);
	if (cache->mode == CACHE_ON_FILE) {
		rows_finalize(cache);
		database_close(steal(&cache->database));
	}
}

int cache_open_existing(const char *path, struct cache **ret)
{
	cleanup(cache_closep) struct cache *cache = NULL;
	struct stat status;
	int r;

	if (stat(path, &status))
		return -errno;
	if (!S_ISREG(status.st_mode) || !status.st_size)
		return CACHE_FOREIGN;
	r = cache_new(path, "", &cache);
	if (!r)
		r = cache_attach(cache);
	if (r)
		return r == CACHE_DAMAGED ? -EUCLEAN : r;

	*ret = steal(&cache);
	return 0;
}

void cache_close(struct cache *cache)
{
	if (!cache)
		return;

	cache->lost = NULL;
	if (cache->database)
		close_file(cache);
	cache_detach(cache);
	codec_free(cache->codec);
	seal_free(cache->seal);
	snapshots_free(cache->snapshots);
	cache_free_reservations(cache);
	cache_searches_end(cache);
	free(cache->path);
	free(cache->log_path);
	free(cache->source);
	uv_mutex_destroy(&cache->log.moving);
	free(cache);
}

void cache_on_lost(struct cache *cache, cache_lost_fn *lost, void *userdata)
{
	cache->lost = lost;
	cache->lost_userdata = userdata;
}

void cache_on_shown(struct cache *cache, cache_is_shown_fn *is_shown, void *userdata)
{
	cache->is_shown = is_shown;
	cache->is_shown_userdata = userdata;
}

const char *cache_account(const struct cache *cache)
{
	return cache->account;
}

int64_t cache_changed_ms(const struct cache *cache)
{
	return snapshots_changed_ms(cache->snapshots);
}

int64_t cache_listing_changed_ms(const struct cache *cache, enum key_kind kind)
{
	return cache->listing_changed_ms[kind];
}

void cache_add_metrics(struct cache *cache, struct metrics *metrics)
{
	struct cache_metrics *own = &cache->metrics;
	const struct {
		struct counter *counter;
		enum metric_type type;
		const char *name;
		const char *help;
	} table[] = {
		{ &own->bytes, METRIC_GAUGE, "kapturefs_cache_bytes",
		  "What the cache takes on disk, its log included." },
		{ &own->on_disk, METRIC_GAUGE, "kapturefs_cache_on_disk",
		  "Whether new answers are kept on disk (1) or in memory only (0)." },
		{ &own->off_disk_since, METRIC_GAUGE, "kapturefs_cache_off_disk_since_seconds",
		  "Since when new answers are kept in memory only; Unix time, 0 if they are not." },
		{ &own->evictions, METRIC_COUNTER, "kapturefs_cache_evictions_total",
		  "Customers removed to make room, or because nobody asked for them." },
		{ &own->damaged_rows, METRIC_COUNTER, "kapturefs_cache_damaged_rows_total",
		  "Rows that were not as they had been written, and counted as missing." },
		{ &own->damaged_files, METRIC_COUNTER, "kapturefs_cache_damaged_files_total",
		  "Cache files set aside because they were damaged." },
		{ &own->failures, METRIC_COUNTER, "kapturefs_cache_failures_total",
		  "Operations on the cache file that failed." },
	};

	for (size_t i = 0; i < array_length(table); i++) {
		uint64_t value = counter_value(table[i].counter);

		metrics_add_counter(metrics, table[i].counter, table[i].type, table[i].name, "",
		                    table[i].help);
		counter_set(table[i].counter, value);
	}
}
