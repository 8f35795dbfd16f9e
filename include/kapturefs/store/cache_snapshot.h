#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What all customers were at moments that somebody still reads, told apart by generations.
 *
 * SQLite would hold such a moment in a read transaction of a second connection, but the file
 * has one owner; the log could not be cut while it lasts, so that what is forgotten would stay in
 * it; and it ends with the file that the cache can do without. So a snapshot is the rows as they
 * are, but for those that change after it, of which the old ones are kept in memory, packed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/cache.h"

struct snapshots;

/** So many slots, from a multiple of it on, are a block. */
enum { BLOCK_SLOTS = 512 };

struct block {
	uint32_t number;
	uint64_t start; /* of the block's first customer in the snapshot, in bytes */
};

struct snapshot {
	uint32_t generation;
	uint64_t change;     /* how many customers had changed before it */
	uint32_t slots;      /* slots from here on were given later */
	int64_t changed_ms;  /* when a customer last changed; Unix time */
	int64_t used_ms;     /* when it was last read, or looked at; Unix time */
	int64_t outdated_ms; /* when it ceased to be what is there; 0: it is; Unix time */
	bool is_read;        /* has been begun to read */
	bool is_read_to_end;
	uint64_t size;        /* bytes of all customers */
	struct block *blocks; /* those with customers in them, and one behind the last */
	size_t block_count;   /* without that */

	/* Where a customer begins that is likely to be read next. */
	uint32_t next_slot;
	uint64_t next_start;
};

/** What a customer was until the change with the number @until. */
struct kept {
	uint32_t slot;
	uint32_t length;
	uint64_t until;
	char *json;   /* packed; NULL: what was there was damaged */
	bool is_gone; /* no longer kept, under that slot, since that change or another */
};

/** Begin. Returns 0 or -ENOMEM. */
int snapshots_new(struct snapshots **ret) must_check;
void snapshots_free(struct snapshots *snapshots);

/** Tell what time it is; customers have changed by then, if that is not known. */
void snapshots_set_time(struct snapshots *snapshots, int64_t now_ms);

/** When customers last changed, 0 if that is not known; what it will be at the next change. */
int64_t snapshots_changed_ms(const struct snapshots *snapshots);
int64_t snapshots_next_change_ms(const struct snapshots *snapshots);

/** Customers last changed at @changed_ms, before there was a snapshot. */
void snapshots_set_changed_ms(struct snapshots *snapshots, int64_t changed_ms);

/** The snapshot that shows customers as they are now, or NULL; borrowed until the next call. */
struct snapshot *snapshots_present(struct snapshots *snapshots);

/** The snapshot of @generation if it is still held, or NULL; likewise. */
struct snapshot *snapshots_find(struct snapshots *snapshots, uint32_t generation);

/** What is changed by now is to be in every new one. */
void snapshots_insist(struct snapshots *snapshots);

/** The one begun last if it was what is there until a second ago, or NULL; likewise. */
struct snapshot *snapshots_recent(struct snapshots *snapshots);

/** Whether there is room for one more, after one that nobody reads has gone if need be. */
bool snapshots_have_room(struct snapshots *snapshots);

/**
 * Begin a snapshot of what is there now: @blocks, its own from now on, are @count and the end.
 * There must be room. Returns it, borrowed.
 */
struct snapshot *snapshots_add(struct snapshots *snapshots, struct block *blocks, size_t count,
                               uint32_t slots);

/** Whether any snapshot needs the customer with @slot as it is before it changes. */
bool snapshots_need(struct snapshots *snapshots, uint32_t slot);

/**
 * The customer with @slot changes: keep what it was, NULL for what is damaged, if need be. What
 * there is no memory for ends the snapshots that need it.
 */
void snapshots_keep(struct snapshots *snapshots, uint32_t slot, const char *json, size_t length);

/** The customer with @slot, kept already, goes for good. */
void snapshots_note_gone(struct snapshots *snapshots, uint32_t slot);

/** End the snapshots with anybody who is not there any more. Returns whether there were any. */
bool snapshots_forget_gone(struct snapshots *snapshots);

/** Hand over those that were read, have ended, and were not handed over yet: the last ones. */
struct cache_exports snapshots_take_ended(struct snapshots *snapshots);

/** The first customer from @slot on of which @snapshot keeps another row, or NULL. */
const struct kept *snapshots_kept(const struct snapshots *snapshots,
                                  const struct snapshot *snapshot, uint32_t slot);

/** How many times that was said. */
uint64_t snapshots_changes(const struct snapshots *snapshots);

/** A customer has changed, or many have at once. */
void snapshots_count_change(struct snapshots *snapshots);

/** End the snapshot, because it cannot be read; or all of them. */
void snapshots_end(struct snapshots *snapshots, struct snapshot *snapshot);
void snapshots_end_all(struct snapshots *snapshots);
