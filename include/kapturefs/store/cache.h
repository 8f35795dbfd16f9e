#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Customers, keys and freshness on disk.
 *
 * Keys and customers are numbered by slots, which are given once and never
 * again. A key leads to one customer for as long as it exists; when it comes
 * to lead to another, it becomes another key with a new slot.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/record.h"

struct cache;

/** The positive outcomes of cache_open(). */
enum {
	CACHE_BUSY = 1,    /* another process has it open */
	CACHE_FOREIGN,     /* not a cache, or damaged */
	CACHE_NEWER,       /* made by a later version */
	CACHE_OTHER_OWNER, /* of another source */
};

/** The outcome of the look-ups for what is not there. */
enum { CACHE_NONE = 1 };

struct cache_key {
	struct key key;
	uint32_t slot;
	uint32_t customer;  /* the customer's slot */
	int64_t fetched_ms; /* when the API last led from this key to that customer; Unix time */
};

struct cache_customer {
	struct record *record; /* owned by whoever asked */
	uint32_t slot;
	uint32_t keys; /* how many keys lead here */
	int64_t fetched_ms;
};

/** What storing an answer did. */
struct cache_change {
	bool listing[KEY_KINDS]; /* a key of that kind came or went */
	bool values;             /* a value of a customer known before changed, came or went */
	struct cache_customer customer; /* as stored; without record if none is */
	struct record *previous;        /* as it was, or NULL */
	/* Slots of keys: all that lead to the customer if values changed, and any that went. */
	uint32_t *keys;
	size_t key_count;
};

/**
 * Open or create the cache at @path (":memory:" keeps nothing) for answers of @source, a base URL.
 * Returns 0 with *@ret to be closed by cache_close(), an outcome, or a negative errno.
 */
int cache_open(const char *path, const char *source, struct cache **ret) must_check;

/** Close; NULL is ignored. */
void cache_close(struct cache *cache);
define_cleanup(struct cache *, cache_close);

/**
 * The account (`cmId`) whose answers the cache holds, "" while it is not known; borrowed until
 * the next store.
 */
const char *cache_account(const struct cache *cache);

/** Look a key up. Returns 0, CACHE_NONE or a negative errno. */
int cache_find_key(struct cache *cache, const struct key *key, struct cache_key *ret) must_check;

/** Look a key up by its slot. Returns as cache_find_key(). */
int cache_read_key(struct cache *cache, uint32_t slot, struct cache_key *ret) must_check;

/** The next key of @kind with a slot above @slot. Returns as cache_find_key(). */
int cache_next_key(struct cache *cache, enum key_kind kind, uint32_t slot,
                   struct cache_key *ret) must_check;

/**
 * When the API last said that no customer has @key; Unix time in ms. Returns as cache_find_key().
 */
int cache_find_absent(struct cache *cache, const struct key *key,
                      int64_t *ret_fetched_ms) must_check;

/** Read a customer; the caller drops ret->record. Returns as cache_find_key(). */
int cache_read_customer(struct cache *cache, uint32_t slot, struct cache_customer *ret) must_check;

/** When a key of @kind last came or went; Unix time in ms; strictly growing. */
int64_t cache_listing_changed_ms(const struct cache *cache, enum key_kind kind);

/**
 * Keep the answer @record, fresh from payload, given at @now_ms to the question @key. It is
 * settled against what was known of the customer, becomes known and fresh by @key and by its id,
 * and is on disk before this returns. Returns 0 with *@ret to be ended by cache_change_fini(), or
 * a negative errno and nothing changed; -EPROTO when the record belongs to another account.
 */
int cache_store(struct cache *cache, const struct key *key, struct record *record, int64_t now_ms,
                struct cache_change *ret) must_check;

/**
 * Keep that at @now_ms no customer had @key; what led from it is forgotten. Otherwise as
 * cache_store().
 */
int cache_store_absent(struct cache *cache, const struct key *key, int64_t now_ms,
                       struct cache_change *ret) must_check;

void cache_change_fini(struct cache_change *change);
