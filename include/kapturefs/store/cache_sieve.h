#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Which customers need not be looked at for some words; see cache_sieve.c. For cache*.c.
 *
 * Customers are in blocks of a few, by slot, and blocks in groups. The groups cover a part of the
 * slots; whoever is between or behind them is to be looked at.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_gram.h"
#include "kapturefs/store/cache_hits.h"

enum {
	SIEVE_BLOCKS = 3840,     /* in a group */
	SIEVE_NEW_BLOCKS = 3600, /* so that there is room when its customers have more words */
	SIEVE_LANES = SIEVE_BLOCKS / 64,                /* a bit for each of them */
	SIEVE_ROWS_A_PART = 8,                          /* and a checksum are a page of the file */
	SIEVE_PARTS = GRAM_NUMBERS / SIEVE_ROWS_A_PART, /* a row for each number of grams */
	SIEVE_PART_KEYS = 2048,                /* a group's directory, and behind it its parts */
	SIEVE_GROUP_SIZE = SIEVE_PARTS * 4096, /* on disk */
	SIEVE_VERSIONS = 256,       /* of grams, in the low bits of the number of a build */
	SIEVE_UNCOVERED_MAX = 4096, /* customers behind the groups, until they are in one */
	SIEVE_CHANGED_MAX = 4096,   /* customers that are not as in their group */
};

/* A bit for each block. */
struct sieve_row {
	uint64_t lanes[SIEVE_LANES];
};

struct sieve_group {
	uint32_t first; /* slot */
	uint32_t block_count;
	/* From here on the directory, which ends behind the last block. */
	uint64_t build;                /* another number for whatever else was ever built; not 0 */
	uint32_t end;                  /* slot, behind its last */
	uint32_t customers;            /* when it was built */
	uint32_t starts[SIEVE_BLOCKS]; /* of the blocks: slots */
};

#define SIEVE_DIRECTORY_SIZE(blocks)                                                               \
	(offsetof(struct sieve_group, starts) - offsetof(struct sieve_group, build) +              \
	 (blocks) * sizeof(uint32_t))

/* Why the bits of a customer are not those of its text. */
enum sieve_stale {
	SIEVE_CHANGED,
	SIEVE_GONE,
	SIEVE_FORGOTTEN, /* and its bits should go soon */
};

/* What is known of the groups, and the work on them. */
struct sieve {
	uint32_t end;     /* slots from here on are in no group */
	unsigned entered; /* since they were last surveyed */
	unsigned uncovered;
	bool is_due;        /* a survey */
	bool has_damaged;   /* a group whose directory is whole */
	uint32_t damaged;   /* its first slot */
	bool has_forgotten; /* somebody was since */

	struct sieve_survey {
		bool is_begun;
		uint32_t next; /* slot */
		uint32_t changed;
		uint32_t most_changed;
		uint32_t first; /* slots of the group with the most */
		uint32_t end;
		uint32_t last; /* first slot of the group before @next */
		bool last_has_room;
	} survey;

	struct sieve_build {
		enum sieve_phase {
			SIEVE_IDLE,
			SIEVE_READING,
			SIEVE_WRITING,
			SIEVE_ENDING,
			SIEVE_CLEARING, /* what is of no group */
		} phase;
		uint32_t next;  /* slots from here on have not been read */
		uint32_t limit; /* it ends before; there may be another group */
		uint32_t part;  /* that is written next */
		unsigned blocks_max;
		unsigned block_customers; /* of the last block */
		unsigned block_bits;
		struct sieve_group group;
		struct sieve_row *rows;
	} build;
};

/* cache_sieve.c */

/** Begin with the groups of a file that was opened. Returns 0 or a negative errno. */
int cache_take_sieve(struct cache *cache) must_check;

/** Give up what is being built. */
void sieve_abandon(struct sieve *sieve);

/**
 * Inside a transaction: the customer with @slot becomes another in words, or none. Returns 0 or a
 * negative errno.
 */
int sieve_note(struct cache *cache, uint32_t slot, enum sieve_stale stale) must_check;

/**
 * The first whole group at or behind the slot @next. Returns 0, CACHE_NONE or a negative errno.
 */
int sieve_next_group(struct cache *cache, uint32_t next, struct sieve_group *ret) must_check;

/** The first key at or behind @from. Returns as sieve_next_group(). */
int sieve_next_key(struct cache *cache, int64_t from, int64_t *ret) must_check;

/**
 * How well the words can occur, at best, in one customer of each block of @group: a sum of those in
 * cache_hits.h, or 0 where not all of them can. What is damaged makes it better. Returns 0 or a
 * negative errno.
 */
int sieve_bound(struct cache *cache, const struct sieve_group *group, const struct gram_word *words,
                size_t count, uint8_t ret[SIEVE_BLOCKS]) must_check;

/** The key of a group's directory; its parts come behind. And the checksum of either. */
int64_t sieve_key(uint32_t first, uint32_t part);
int64_t sieve_sum(struct cache *cache, int64_t key, uint64_t build, const void *bits,
                  size_t length);

/* cache_sieve_build.c */

/**
 * Begin to build a group from the slot @first on, of at most so many blocks; before the slot
 * @limit, or further if there is a group that is small. Returns CACHE_MORE or a negative errno.
 */
int sieve_begin(struct cache *cache, uint32_t first, uint32_t limit,
                unsigned blocks_max) must_check;

/** Begin to remove what there is between the slots, of no group. */
void sieve_begin_clearing(struct sieve *sieve, uint32_t first, uint32_t end);

/** Outside of a transaction: a step of either. Returns as cache_furnish_sieve(). */
int sieve_build(struct cache *cache) must_check;

/* cache_sieve_survey.c */

/**
 * Outside of a transaction: a step towards groups that cover most and are up to date, less
 * than a millisecond. Returns 0 when there is nothing to do, CACHE_MORE, or a negative errno.
 */
int cache_furnish_sieve(struct cache *cache) must_check;

/** How many customers of a group are in unsieved, and why. */
struct sieve_staleness {
	uint32_t changed;
	uint32_t gone; /* or forgotten */
	uint32_t forgotten;
};

/** Count them. Returns 0 or a negative errno. */
int sieve_count_stale(struct cache *cache, const struct sieve_group *group,
                      struct sieve_staleness *ret) must_check;

/** To be called every minute: have the bits go of who was forgotten. */
void cache_tidy_sieve(struct cache *cache);
