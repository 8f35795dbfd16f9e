#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a notifier: what notifier and notifier_kernel share, and nobody else uses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/list.h"
#include "kapturefs/fs/listings.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/teller.h"

enum { PUSHES_MAX = 1024, UNKNOWN_MAX = 1 << 14 };

/* The values of one directory of one record. */
struct push {
	struct record *record; /* owned; NULL for what was taken back */
	uint32_t customer;
	uint32_t directory; /* an index of the record's */
};

/* What attributes alone cannot tell. */
struct urgent {
	struct list link;
	struct record *previous;  /* owned, or NULL */
	struct record *successor; /* owned, or NULL if there is none any more */
	uint32_t customer;
	bool is_forgotten;
	bool has_led;
	uint64_t number;
	struct cache_exports ended;
	size_t key_count;
	size_t place_count;
	uint32_t numbers[]; /* slots of keys, and places in the rosters of dates */
};

/* A node that the kernel did not know when it was told of it. */
struct unknown {
	uint64_t number;
	uint64_t due_ms; /* when it is told again */
};

struct notifier {
	struct teller teller; /* its lock is of the queues and the numbers */
	struct listings *listings;
	struct fuse_session *session;
	notifier_told_fn *told;
	void *userdata;
	bool is_telling; /* what has left the queues */
	unsigned first;
	unsigned count;
	struct push pushes[PUSHES_MAX];
	unsigned unknown_first;
	unsigned unknown_count;
	struct unknown unknown[UNKNOWN_MAX]; /* a ring, oldest first */
	struct list urgent;
	uint64_t urgent_added; /* numbers of the last that was queued, and worked off */
	uint64_t urgent_told;
	struct counter pushed_pages;
	struct counter dropped_pushes;
	struct counter dropped_changes;
	struct counter changed_values;
	struct counter dropped_entries;
};

/* notifier.c */

/** Have the attributes of a node that the kernel does not know asked for, a moment later. */
void notifier_expire_later(struct notifier *notifier, uint64_t number);

/* notifier_kernel.c */

/** Push the values of the directory. */
void notifier_push_values(struct notifier *notifier, const struct push *push);

/** Have the kernel ask for the attributes of the node @number. Returns whether it knows it. */
bool notifier_expire_node(struct notifier *notifier, uint64_t number);

/** Whether the names or pages that the kernel keeps would show what @change has ended. */
bool notifier_has_to_drop(const struct cache_change *change);

/** Drop these. */
void notifier_drop_urgent(struct notifier *notifier, const struct urgent *urgent);

/**
 * Have the kernel ask for the attributes of all that @change changed, under all keys. Takes no lock
 * that a pending request can hold.
 */
void notifier_expire(struct notifier *notifier, const struct cache_change *change);
