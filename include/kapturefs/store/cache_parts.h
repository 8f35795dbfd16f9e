#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a cache: what the files cache*.c share, and nobody else uses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/list.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_codec.h"
#include "kapturefs/store/cache_rows.h"
#include "kapturefs/store/cache_sieve.h"
#include "kapturefs/store/cache_snapshot.h"

/* Where rows are read from and written to; see cache_rescue.c. */
enum cache_mode {
	CACHE_ON_FILE,   /* read and written in the file */
	CACHE_OVER_FILE, /* read in the file, written beside it in memory */
	CACHE_IN_MEMORY, /* there is no file */
};

enum {
	TOUCHED_SETS = 4096,
	TOUCHED_A_SET = 16, /* as many as are written in a third of a millisecond */
	EVICTED_SLOTS = 8192,
};

struct cache_use {
	uint32_t customer; /* 0: free */
	int64_t used_ms;
};

/*
 * When customers were last used, until that is written, a set at a time. There is room for those
 * of a busy minute, as to write them costs more than to look them up.
 */
struct cache_touched {
	struct cache_use sets[TOUCHED_SETS][TOUCHED_A_SET];
	size_t due; /* sets, the last ones, that are to be written soon */
};

/* The write-ahead log. */
struct cache_log {
	uint64_t pages;    /* in it, as of the last commit; 0: all of it has been moved */
	bool is_unsynced;  /* there were commits since it was last synced or moved */
	bool has_remains;  /* of what was deleted */
	bool is_to_be_cut; /* soon, for that */
	uv_mutex_t moving; /* held by whoever moves it, and for @moves */
	uint64_t moves;    /* by the cache's own thread */
};

/* On which lists an id may stand; see cache_roster_index.c. */
struct roster_index {
	struct roster_place *places; /* by hash; NULL: it has not been made */
	uint32_t count;
	uint32_t capacity;
	bool is_too_large; /* so it is done without */
};

struct cache {
	char *path;     /* NULL: none was wanted */
	char *log_path; /* of its write-ahead log */
	char *source;
	enum cache_mode mode;
	enum cache_trouble trouble;
	unsigned files_lost;

	sqlite3 *database;
	sqlite3_stmt *statements[STATEMENTS];
	struct codec *codec;
	struct seal *seal; /* keyed for this very file */

	/* The file as it was opened. */
	dev_t device;
	ino_t inode;
	ino_t log_inode;

	char account[ACCOUNT_SIZE];
	int64_t listing_changed_ms[KEY_LISTINGS];
	struct {
		uint32_t slot; /* 0: none */
		int64_t changed_ms;
		struct roster roster;
	} recent; /* the roster that was read last */
	struct roster_index roster_index;
	uint64_t slot_next;
	uint64_t slots_reserved; /* the first that the file does not know to be taken */

	struct cache_limits limits;
	struct {
		int64_t ttl_ms; /* INT64_MAX: they are kept */
		int64_t due_ms; /* when they are looked at again */
		bool have_gone; /* and bytes of them may be in the log */
	} absences;
	bool is_nearly_full;
	uint64_t lacking;     /* bytes, when there was last no room for a transaction */
	bool is_letting_go;   /* the transaction under way makes room */
	size_t written_bytes; /* by the transaction under way, in rows of any length */
	struct cache_log log;
	struct cache_touched touched;
	uint64_t evicted[EVICTED_SLOTS]; /* hashes of keys */

	struct reservations *reservations; /* NULL: none yet */
	struct snapshots *snapshots;
	bool has_changed;     /* of the transaction under way: a customer is not what it was */
	bool has_change_time; /* the file has the time of the last such change */
	bool has_damaged_block;
	uint32_t damaged_block;

	uint32_t words_from; /* slots from here on may have no words yet; 0: all have them */
	struct sieve sieve;
	struct list searches; /* that are not out of date */

	cache_lost_fn *lost;
	void *lost_userdata;
	cache_is_shown_fn *is_shown;
	void *is_shown_userdata;
	struct cache_metrics {
		struct counter damaged_rows;
		struct counter damaged_files;
		struct counter failures;
		struct counter evictions;
		struct counter bytes;
		struct counter on_disk;
		struct counter off_disk_since;
	} metrics;
};

/* The outcome of attaching besides those of cache_open(). */
enum { CACHE_DAMAGED = 6 };

/* cache.c */

/**
 * Open the file at @cache->path; what is in it must be of this cache's source. Returns as
 * cache_open(), or CACHE_DAMAGED; the cache is without a database then.
 */
int cache_attach(struct cache *cache) must_check;

/** Begin in memory. Returns 0 or a negative errno; the cache is without a database then. */
int cache_attach_memory(struct cache *cache) must_check;

/** New answers are kept on disk from now on, or are not. */
void cache_note_on_disk(struct cache *cache, bool is_on_disk);

/** Let go of the database without touching its file. */
void cache_detach(struct cache *cache);

/* cache_rescue.c */

/**
 * After an operation that ended with @r: whether it is worth trying again, because what it failed
 * for has been mended or given up. No statement and no transaction may be under way.
 */
bool cache_rescue(struct cache *cache, int r);

/** Begin a new file if ours is not at its path any more. */
void cache_check_file(struct cache *cache);
bool cache_has_vanished(const struct cache *cache);

/** Give the damaged file another name. Returns 0 or a negative errno. */
int cache_set_aside(struct cache *cache) must_check;

/** Remove what was set aside. Returns 0 or a negative errno. */
int cache_remove_aside(const struct cache *cache) must_check;

/**
 * From CACHE_OVER_FILE back to CACHE_ON_FILE: write down what is in memory. Returns 0, if only
 * because the file turned out to be damaged and there is another, or a negative errno.
 */
int cache_write_down(struct cache *cache) must_check;

/**
 * From CACHE_IN_MEMORY to CACHE_ON_FILE, if a file was wanted and there can be one by now: what is
 * in memory goes into a new file.
 */
void cache_return_to_file(struct cache *cache);

/* cache_write.c */

/**
 * What is done inside a transaction, more than once if need be. Returns 0, or anything else to have
 * it undone.
 */
typedef int cache_work_fn(struct cache *cache, const void *arguments, int64_t now_ms,
                          struct cache_change *change);

/**
 * Run @work in a transaction that also keeps the times of the listings. Returns what @work does, 0
 * with *@ret.
 */
int cache_write(struct cache *cache, cache_work_fn *work, const void *arguments, int64_t now_ms,
                struct cache_change *ret) must_check;

/** A slot that was never given. Inside a transaction. Returns 0 or -ENOSPC. */
int cache_new_slot(struct cache *cache, uint32_t *ret) must_check;

/** The same outside of one. Returns 0 or a negative errno. */
int cache_take_slot(struct cache *cache, uint32_t *ret) must_check;

/**
 * Write down that slots below @reserved may have been given. Inside a transaction. Returns 0 or a
 * negative errno.
 */
int cache_write_slots(struct cache *cache, uint64_t reserved) must_check;

/** The time of a listing that changes at @now_ms; and writing it down, inside a transaction. */
int64_t cache_next_change_ms(const struct cache *cache, enum key_kind kind, int64_t now_ms);
int cache_write_listing(struct cache *cache, enum key_kind kind, int64_t changed_ms) must_check;

/** Write down when customers last changed. Inside a transaction. Errors likewise. */
int cache_write_change_time(struct cache *cache, int64_t changed_ms) must_check;

/* cache_sweep.c */

/** How many pages the file has. Returns 0 or a negative errno. */
int cache_count_pages(struct cache *cache, int64_t *ret) must_check;

/**
 * At the end of a transaction that began with @pages: whether the files may take what it has
 * written. Returns 0, CACHE_FULL, -EFBIG or another negative errno.
 */
int cache_check_limits(struct cache *cache, int64_t pages) must_check;

/* cache_store.c; inside a transaction */

/** Make @key lead to @customer, or a roster, as of now. Returns 0 or a negative errno. */
int cache_lead_key(struct cache *cache, const struct key *key, uint32_t customer, int64_t now_ms,
                   struct cache_change *change) must_check;

/** Write down that the new customer or roster with @slot is used. Errors likewise. */
int cache_write_used(struct cache *cache, uint32_t slot, int64_t now_ms) must_check;

/** Have @change name all keys that lead to its customer. Errors likewise. */
int cache_note_keys(struct cache *cache, struct cache_change *change) must_check;

/* cache_reserve.c */

/** A customer who was evicted. */
struct cache_evicted {
	char id[KEY_DIGITS_MAX + 1]; /* "": it is not known, or no keys are to have their slots */
	int64_t changed_ms;
	uint32_t next_ordinal;
	struct cache_key *keys; /* owned by whoever fills it in */
	size_t key_count;
};

/** The keys of the customer have their slots until they lead somewhere again. */
void cache_reserve_evicted(struct cache *cache, const struct cache_evicted *evicted);

/**
 * The slot that @key has, which is about to lead to the customer of @record, or to a roster, NULL;
 * or 0. And the first ordinal for the members of the customer with @id, who is not known.
 */
uint32_t cache_reserved_slot(struct cache *cache, const struct key *key,
                             const struct record *record);

/** Whether @key led to another than the customer of @record, who was evicted. */
bool cache_was_of_another(struct cache *cache, const struct key *key, const struct record *record);
uint32_t cache_reserved_ordinal(struct cache *cache, const struct key *id);

/** @key has its slot now, or is not to have it. */
void cache_end_reservation(struct cache *cache, const struct key *key);

/**
 * Neither @key nor any other of the same evicted customer, or of that with @id unless it is NULL,
 * is to have a slot; @change names those of evicted keys. Returns 0 or -ENOMEM.
 */
int cache_end_reservations(struct cache *cache, const struct key *key, const char *id,
                           struct cache_change *change) must_check;

void cache_free_reservations(struct cache *cache);

/* cache_roster.c */

/** Inside a transaction: delete the rosters that @id is in. Errors likewise. */
int cache_delete_rosters_with(struct cache *cache, const char *id,
                              struct cache_change *change) must_check;

/** Inside a transaction: @id leaves the rosters that it is in. Errors likewise. */
int cache_leave_rosters(struct cache *cache, const struct key *id, int64_t now_ms,
                        struct cache_change *change) must_check;

/** Do not believe the roster that was read last, if it is the one with @slot, or that is 0. */
void cache_drop_recent(struct cache *cache, uint32_t slot);

/* cache_roster_index.c */

/**
 * The slot of a roster in which @id is; @with_gone, or was. Returns 0, CACHE_NONE, or a negative
 * errno.
 */
int roster_index_find(struct cache *cache, const char *id, bool with_gone,
                      uint32_t *ret) must_check;

/** The roster with @slot is about to be written as @text. */
void roster_index_add(struct roster_index *index, uint32_t slot, const char *text, size_t length);

/** There may be other rosters from now on. */
void roster_index_drop(struct roster_index *index);

/* cache_forget.c; inside a transaction, but for the last */

/** Add the key's slot to those that @change names. Returns 0 or -ENOMEM. */
int cache_note_key(struct cache_change *change, uint32_t slot) must_check;

/** Add the places of @roster whose customers have gone, likewise. */
int cache_note_places(struct cache_change *change, const struct roster *roster) must_check;

/** Delete the key, and note that in @change. Returns 0 or a negative errno. */
int cache_delete_key(struct cache *cache, const struct cache_key *found,
                     struct cache_change *change) must_check;

/**
 * Delete the customer or roster with @slot and all keys that lead there. Errors as
 * cache_delete_key().
 */
int cache_delete_customer(struct cache *cache, uint32_t slot,
                          struct cache_change *change) must_check;

/** Delete what is damaged and has the hash of @key. Errors as cache_delete_key(). */
int cache_delete_damaged_key(struct cache *cache, const struct key *key,
                             struct cache_change *change) must_check;

/**
 * Have @change say what the customer was. Returns 0, CACHE_NONE, ROWS_DAMAGED or a negative errno.
 */
int cache_note_previous(struct cache *cache, uint32_t slot, struct cache_change *change) must_check;

/* cache_absence.c */

/** Delete some that do not count any more, if it is time for that. Returns as cache_sweep(). */
int cache_expire_absences(struct cache *cache, int64_t now_ms, struct cache_change *ret) must_check;

/**
 * Inside a transaction: delete the absences that are older than they are to be kept. Returns 0 or a
 * negative errno.
 */
int cache_drop_old_absences(struct cache *cache, int64_t now_ms) must_check;

/* cache_extent.c; inside a transaction */

/**
 * The row of the customer with @slot becomes one with @json, packed, or NULL: none. Before it
 * does. Returns 0 or a negative errno.
 */
int cache_note_row(struct cache *cache, uint32_t slot, const char *json, size_t length) must_check;

/** Add a block up anew. Errors as cache_note_row(). */
int cache_sum_block(struct cache *cache, uint32_t block) must_check;

/** Outside of one: add up everything in a file that has no sums yet. Errors likewise. */
int cache_furnish_extents(struct cache *cache) must_check;

/* cache_words.c; inside a transaction */

/** Write what is searched of the customer with @slot. Errors as cache_note_row(). */
int cache_write_words(struct cache *cache, uint32_t slot, const struct record *record) must_check;

/**
 * Find it by @statement, LIST_WORDS, borrowed until that goes on. Returns 0, CACHE_NONE or a
 * negative errno.
 */
int cache_find_words(struct cache *cache, sqlite3_stmt *statement, uint32_t slot, const char **ret,
                     size_t *ret_length) must_check;

/** Delete that of the customer with @slot, if there is any. Errors likewise. */
int cache_delete_words(struct cache *cache, uint32_t slot) must_check;

/** Find out whether a file that was taken over has them, and note that a new one has. */
int cache_take_words(struct cache *cache) must_check;
int cache_found_words(struct cache *cache) must_check;

/**
 * Outside of one: write words that a file of an earlier version has not, of a few customers.
 * Returns 0 when all have them, CACHE_MORE, or a negative errno.
 */
int cache_furnish_words(struct cache *cache) must_check;

/* cache_search.c */

/** A customer has, or had, @text for words: searches that find it are out of date. */
void cache_searches_change(struct cache *cache, const char *text, size_t length);

/** All of them are. */
void cache_searches_end(struct cache *cache);

/* cache_use.c */

/**
 * Write down when customers were used: all that can be in half a second; or, of those that are
 * due, some, as long as it returns true.
 */
void cache_flush_touched(struct cache *cache);
bool cache_flush_some_touched(struct cache *cache);

/** Whether @customer was used since that was written; it is then. */
bool cache_flush_touched_one(struct cache *cache, uint32_t customer);

/** Remember that @key was evicted, or is not any more. */
void cache_note_eviction(struct cache *cache, const struct key *key);
void cache_note_return(struct cache *cache, const struct key *key);

/* cache_log.c */

/** The most that the write-ahead log takes, which is set aside of the limit. */
uint64_t cache_log_size_max(const struct cache *cache);

/** The most that the rows of one transaction may take, so that it does not take more. */
uint64_t cache_log_rows_max(const struct cache *cache);

/** Have SQLite hold the limits. Returns 0 or a negative errno. */
int cache_log_limit(struct cache *cache) must_check;

/** Move the write-ahead log into the file and cut it to nothing. Returns 0 or a negative errno. */
int cache_log_cut(struct cache *cache) must_check;
