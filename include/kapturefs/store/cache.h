#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Customers, keys and freshness on disk.
 *
 * Keys and customers are numbered by slots, which are given once and never
 * again. A key leads to one customer for as long as it exists; when it comes
 * to lead to another, it becomes another key with a new slot.
 *
 * The cache outlives its file: what is damaged counts as missing, and where the disk fails the
 * cache goes on in memory. See cache_rescue.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/record.h"
#include "kapturefs/model/roster.h"

struct cache;

/** The positive outcomes of cache_open(). */
enum {
	CACHE_BUSY = 1,    /* another process has it open */
	CACHE_FOREIGN,     /* another program's file */
	CACHE_NEWER,       /* made by a later version */
	CACHE_OTHER_OWNER, /* of another source */
	CACHE_EXPOSED,     /* others can put files where it is, see cache_check_place() */
};

/** The outcome of the look-ups for what is not there. */
enum { CACHE_NONE = 1 };

struct cache_key {
	struct key key;
	uint32_t slot;
	uint32_t customer;  /* the customer's slot; of a date, the roster's, numbered alike */
	int64_t fetched_ms; /* when the API last led from this key to that customer; Unix time */
	bool is_forced;     /* expired by cache_expire(), whatever its age */
	bool is_vague;      /* of a date: the roster was */
	int64_t since_ms;   /* when it came to lead to a customer who was known before; or 0 */
};

struct cache_customer {
	struct record *record; /* owned by whoever asked */
	uint32_t slot;
	uint32_t keys; /* how many keys lead here */
	int64_t fetched_ms;
	int64_t changed_ms; /* when anything of it last did; Unix time */
};

/** Texts of cache_export(), by their generations. */
enum { CACHE_EXPORTS_MAX = 16 };
struct cache_exports {
	uint32_t generations[CACHE_EXPORTS_MAX];
	size_t count;
};

/** What a change of the cache did. */
struct cache_change {
	bool listing[KEY_LISTINGS]; /* a key of that kind came or went, or can be asked for now */
	bool roster;                /* customers of a date that was known came or went */
	bool has_gone;              /* a customer or date is not kept any more */
	bool is_forgotten;          /* ... and nobody is to see what it was */
	bool has_led;               /* a key that led to a customer does so no more */
	bool values; /* a value of a customer known before changed, came, went or was moved */
	bool links;  /* a key of a customer known before came or went */
	bool times;  /* all of a customer known before shows a later time than it did */
	bool rules;  /* what is known of the customer counts for another time than it did */
	struct cache_customer customer; /* as stored; without record if none is (any more) */
	struct record *previous;        /* as it was, or NULL */
	struct cache_exports ended;     /* of forgetting: those that were read and are no more */
	struct cache_customer other;    /* one from whom a key went; without record if none did */
	bool at_once; /* somebody waits to see it; set by whoever knows, not by the cache */
	/* Slots of keys: all that lead to the customer, and any that went. */
	uint32_t *keys;
	size_t key_count;
	/* Of rosters: the places of customers who went, of any date in @keys. */
	uint32_t *places;
	size_t place_count;
};

/* Life cycle */

/**
 * Open or create the cache at @path (":memory:" keeps nothing) for answers of @source, a base URL.
 * A damaged file is set aside and a new one begun; where none can be written, the cache is in
 * memory. Returns 0 with *@ret to be closed by cache_close(), an outcome, or a negative errno.
 */
int cache_open(const char *path, const char *source, struct cache **ret) must_check;

/**
 * Open the cache at @path, whosever answers it holds, without making or replacing any file. Returns
 * as cache_open(), and -EUCLEAN for a damaged one.
 */
int cache_open_existing(const char *path, struct cache **ret) must_check;

/** Close; NULL is ignored. */
void cache_close(struct cache *cache);
define_cleanup(struct cache *, cache_close);

/** How much is kept, and how long. */
struct cache_limits {
	uint64_t size_max;   /* bytes on disk, or in memory where there is no disk */
	int64_t retain_ms;   /* what nobody has asked for in this time goes */
	uint64_t memory_max; /* bytes where there is no disk, if not 0 */
};

/**
 * Set the limits; without, there are none. The file does not grow beyond what cache_make_room() has
 * made room for; what is larger when they are set, cache_sweep() makes smaller.
 */
void cache_limit(struct cache *cache, const struct cache_limits *limits);

/**
 * Keep absences for @ttl_ms and a second at most, and no byte of them after that; without, as long
 * as there is room. cache_sweep() does so.
 */
void cache_keep_absences(struct cache *cache, uint64_t ttl_ms);

/** When cache_sweep() next has an absence to drop, in ms from now, or UINT64_MAX. */
uint64_t cache_absences_due_in(struct cache *cache, int64_t now_ms);

/** The file is lost, and all answers in it. */
typedef void cache_lost_fn(void *userdata);

/** Have @lost called whenever that happens, from inside whatever noticed it. */
void cache_on_lost(struct cache *cache, cache_lost_fn *lost, void *userdata);

/** Whether @version of the value with @ordinal of @customer is still shown to somebody. */
typedef bool cache_is_shown_fn(void *userdata, uint32_t customer, uint32_t ordinal,
                               uint16_t version);

/** Give no value a version of which @is_shown says that another has it. */
void cache_on_shown(struct cache *cache, cache_is_shown_fn *is_shown, void *userdata);

/** Register what went wrong, what was evicted and how large the cache is. */
void cache_add_metrics(struct cache *cache, struct metrics *metrics);

/**
 * The account (`cmId`) whose answers the cache holds, "" while it is not known; borrowed until the
 * next store.
 */
const char *cache_account(const struct cache *cache);

/**
 * Whether an answer came by @token, of which the cache keeps a keyed hash; to remember that one
 * did, and to forget it because it was refused. Return 0 or a negative errno.
 */
bool cache_knows_token(struct cache *cache, const char *token);
int cache_remember_token(struct cache *cache, const char *token) must_check;
int cache_forget_token(struct cache *cache) must_check;

/**
 * Since when the answers have counted for @ttl_ms, which they do from @now_ms on at the latest;
 * Unix time in ms.
 */
int64_t cache_rules_since(struct cache *cache, uint64_t ttl_ms, int64_t now_ms);

/* Looking up */

/** Look a key up. Returns 0, CACHE_NONE or a negative errno. */
int cache_find_key(struct cache *cache, const struct key *key, struct cache_key *ret) must_check;

/** Look a key up by its slot. Returns as cache_find_key(). */
int cache_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret) must_check;

/**
 * Takes one key of a list, for the duration of the call; false: no more. It must leave the cache
 * alone.
 */
typedef bool cache_key_fn(void *userdata, const struct cache_key *key);

/**
 * Hand the keys of @kind with a slot above @slot to @take, by slot, until it has enough. Returns 0
 * or a negative errno.
 */
int cache_list_keys(struct cache *cache, enum key_kind kind, uint32_t slot, cache_key_fn *take,
                    void *userdata) must_check;

/**
 * When the API last said that no customer has @key; Unix time in ms. Returns as cache_find_key().
 */
int cache_find_absent(struct cache *cache, const struct key *key,
                      int64_t *ret_fetched_ms) must_check;

/** Read a customer; the caller drops ret->record. Returns as cache_find_key(). */
int cache_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret) must_check;

/** The same without ret->record, which is most of the work, and without ret->keys: NULL and 0. */
int cache_peek_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret) must_check;

/**
 * Read the roster with @slot; borrowed until a roster is read or anything changed. *@ret_changed_ms
 * tells when somebody last came or went. Returns as cache_find_key().
 */
int cache_read_roster(struct cache *cache, uint32_t slot, const struct roster **ret,
                      int64_t *ret_changed_ms) must_check;

/**
 * The key by date of a day on whose list @id stands. Returns as cache_find_key().
 */
int cache_find_day_with(struct cache *cache, const struct key *id,
                        struct cache_key *ret) must_check;

/**
 * The slot that @id, which is not kept, has until it is and from then on; the same each time,
 * unless many others were asked for or evicted meanwhile. It outlives no run. Returns 0 or a
 * negative errno.
 */
int cache_reserve(struct cache *cache, const struct key *id, uint32_t *ret) must_check;

/** A key that has a slot without a customer. */
struct cache_reserved {
	uint32_t slot;
	bool is_evicted; /* and not by cache_reserve(): one of the 65,536 that were evicted last */
	int64_t changed_ms; /* of the customer, if so */
};

/** Look such a key up; and by its slot, without customer. Return 0 or CACHE_NONE. */
int cache_find_reserved(struct cache *cache, const struct key *key,
                        struct cache_reserved *ret) must_check;
int cache_read_reserved(struct cache *cache, uint32_t slot, struct cache_key *ret) must_check;

/** When a customer last changed, came or went; Unix time in ms, 0: not known; strictly growing. */
int64_t cache_changed_ms(const struct cache *cache);

/** When a key of @kind last came or went; Unix time in ms; strictly growing. */
int64_t cache_listing_changed_ms(const struct cache *cache, enum key_kind kind);

/** Keep no value of who was forgotten in memory that is not freed; what is borrowed ends. */
void cache_wipe_memory(struct cache *cache);

/** Why there is nothing fresh for a key. */
enum cache_miss {
	CACHE_MISS_COLD,
	CACHE_MISS_EXPIRED,
	CACHE_MISS_FORCED,  /* by cache_expire() */
	CACHE_MISS_EVICTED, /* not long ago */
};
enum cache_miss cache_miss(struct cache *cache, const struct key *key);

/** Somebody uses the customer with @slot at @now_ms; cheap, and written down later. */
void cache_touch(struct cache *cache, uint32_t slot, int64_t now_ms);

/* Keeping answers */

/** The outcome of storing when the files would take more than they may: make room first. */
enum { CACHE_FULL = 7 };

/**
 * Keep the answer @record, fresh from payload, given at @now_ms to the question @key. It is settled
 * against what was known of the customer, becomes known and fresh by @key and by its id, and
 * outlives this process when this returns; see cache_log_begin(). Returns 0 with *@ret to be
 * ended by cache_change_fini(), or CACHE_FULL or a negative errno and nothing changed; -EPROTO when
 * the record belongs to another account, -EFBIG when it is larger than the limits let a single
 * answer be.
 */
int cache_store(struct cache *cache, const struct key *key, struct record *record, int64_t now_ms,
                struct cache_change *ret) must_check;

/**
 * Keep that at @now_ms @key led to the customer of @record, of whom something later than that is
 * known, and stays. Otherwise as cache_store(), or CACHE_NONE if nothing is.
 */
int cache_store_lead(struct cache *cache, const struct key *key, const struct record *record,
                     int64_t now_ms, struct cache_change *ret) must_check;

/**
 * Keep that at @now_ms no customer had @key; what led from it is forgotten, and an id leaves the
 * lists of days. Otherwise as cache_store().
 */
int cache_store_absent(struct cache *cache, const struct key *key, int64_t now_ms,
                       struct cache_change *ret) must_check;

/** Keep no longer that nobody had @key. Returns 0, also if it was not kept, or a negative errno. */
int cache_drop_absence(struct cache *cache, const struct key *key, int64_t now_ms) must_check;

/** The outcome of cache_store_roster() for a vague roster where more customers are known. */
enum { CACHE_CONTRADICTED = 1 };

/**
 * Keep that at @now_ms the customers in @roster were those of @account created on the date @key.
 * They keep the places that they had. Otherwise as cache_store(); CACHE_CONTRADICTED and nothing
 * changed; -EFBIG when the places run out.
 */
int cache_store_roster(struct cache *cache, const struct key *key, const struct roster *roster,
                       const char *account, int64_t now_ms, struct cache_change *ret) must_check;

/**
 * Forget whom the days that are kept have, unless they are those of @account. For before the kernel
 * knows of any. Returns 0 or a negative errno.
 */
int cache_keep_days_of(struct cache *cache, const char *account, int64_t now_ms) must_check;

void cache_change_fini(struct cache_change *change);

/** What there is to be done about the log of what was stored, meanwhile and by another thread. */
struct cache_log_work {
	struct sqlite3 *database; /* NULL: it is only to be synced, not to be moved into the file */
	int descriptor;
	int result;
	uint64_t pages;        /* that have been moved */
	struct cache_log *log; /* what it is done for */
	uint64_t moves;        /* of it, before */
};

/**
 * Whether there is something to be done, for one thread at a time: *@ret, to be handed to
 * cache_log_run() there and to cache_log_end() here, before the cache is closed. Then all that was
 * stored until now outlives a power failure.
 */
bool cache_log_begin(struct cache *cache, struct cache_log_work *ret);
void cache_log_run(struct cache_log_work *work);
void cache_log_end(struct cache *cache, struct cache_log_work *work);

/** Whether it is to be moved into the file; and whether what can wait is not to be stored now. */
bool cache_log_is_long(const struct cache *cache);
bool cache_log_rests(const struct cache *cache);

/* All customers as one text: the object of each as the API sent it, in a line of its own */

struct cache_export {
	uint32_t generation; /* at most NODE_ORDINAL_MAX, then from 0 again */
	uint64_t size;       /* in bytes */
	int64_t changed_ms;  /* when a customer last changed; Unix time; kept with the cache */
};

/**
 * Customers as they are at @now_ms; or as they were at most a second ago, when so many such texts
 * are being read that another would be too much. The text stays what it is until a while after it
 * was last read, too much has changed, or somebody in it is forgotten. Returns 0, -EBUSY when too
 * many older ones are being read, or another negative errno.
 */
int cache_export(struct cache *cache, int64_t now_ms, struct cache_export *ret) must_check;

/** Have no later text be without what is kept by now, not even for a short time. */
void cache_export_insist(struct cache *cache);

/** The text of @generation. Returns 0, or -ESTALE when it is not held any more. */
int cache_export_find(struct cache *cache, uint32_t generation,
                      struct cache_export *ret) must_check;

/**
 * Read up to @size bytes of it from @offset on; fewer only at its end. Returns 0, -ESTALE, -EIO
 * when it cannot be had as promised, or another negative errno.
 */
int cache_export_read(struct cache *cache, uint32_t generation, uint64_t offset, char *bytes,
                      size_t size, int64_t now_ms, size_t *ret_length) must_check;

/**
 * After -EIO: remove what was found to be damaged. Returns 0 with *@ret to be ended by
 * cache_change_fini(), CACHE_NONE, or a negative errno.
 */
int cache_export_mend(struct cache *cache, int64_t now_ms, struct cache_change *ret) must_check;

/* Letting go */

/**
 * Have the next look-up of the customer with @slot ask the API; the old answer stays. Returns as
 * cache_find_key().
 */
int cache_expire(struct cache *cache, uint32_t slot) must_check;

/**
 * The customer or date with @slot as a change of nothing but the rules by which it counts. Returns
 * as cache_find_key(), 0 with *@ret to be ended by cache_change_fini().
 */
int cache_describe(struct cache *cache, uint32_t slot, struct cache_change *ret) must_check;

/** Where a list of those who were used goes on; begins with the time after which they were. */
struct cache_used {
	int64_t used_ms;
	uint32_t customer;
	uint32_t place; /* in memory, before those that were written down */
};

/**
 * The next customer or date that somebody used since; some come twice. Returns 0, CACHE_NONE at the
 * end, or a negative errno.
 */
int cache_next_used(struct cache *cache, struct cache_used *used, uint32_t *ret) must_check;

/**
 * The outcome of forgetting when bytes are still to be found in the files; cache_tidy() will try
 * again.
 */
enum { CACHE_REMAINS = 2 };

/**
 * Remove the customer with @slot, every key that leads there and every roster that it is in, so
 * that none of their bytes is left in the cache's files. Returns 0 or CACHE_REMAINS with *@ret to
 * be ended by cache_change_fini(), CACHE_NONE, or a negative errno and nothing changed.
 */
int cache_forget(struct cache *cache, uint32_t slot, int64_t now_ms,
                 struct cache_change *ret) must_check;

/**
 * Forget whatever is known of @key: the customer, as cache_forget(), or that there is none. Texts
 * of cache_export() that have the customer end, and so do those with anybody who is not kept any
 * more.
 */
int cache_forget_key(struct cache *cache, const struct key *key, int64_t now_ms,
                     struct cache_change *ret) must_check;

/**
 * How many bytes there is room for; how many an answer of @length is likely to take; and, after
 * CACHE_FULL, how many were too many.
 */
uint64_t cache_room(struct cache *cache);
uint64_t cache_room_for(size_t length);
uint64_t cache_room_lacking(const struct cache *cache);

/**
 * Make room for an answer: evict the customer, or some absences, that were not used for the longest
 * time, in use or not. Takes as long as storing one. Returns 0 with *@ret to be ended by
 * cache_change_fini(), CACHE_NONE if there is nothing to evict, or a negative errno.
 */
int cache_make_room(struct cache *cache, int64_t now_ms, struct cache_change *ret) must_check;

/** Whether less than an eighth of the size was left when it was last looked at. */
bool cache_is_nearly_full(const struct cache *cache);

/** The outcomes of cache_sweep() while there is something left to do. */
enum {
	CACHE_MORE = 1, /* now */
	CACHE_LATER,    /* in a second: the rest is in use */
};

/**
 * Take one small step towards the limits at @now_ms: the least recently used go first. Returns 0 or
 * an outcome with *@ret to be ended by cache_change_fini(), or a negative errno.
 */
int cache_sweep(struct cache *cache, int64_t now_ms, struct cache_change *ret) must_check;

/** What need not be done at once, and takes some milliseconds; to be called every minute. */
void cache_tidy(struct cache *cache, int64_t now_ms);
