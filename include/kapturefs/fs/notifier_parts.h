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

enum { NOTICES_MAX = 1024 };

struct notice {
	struct record *record;    /* owned; NULL for what was taken back */
	struct record *successor; /* of a change: owned, or NULL */
	uint32_t customer;
	uint32_t directory; /* of a push: an index of the record's */
	bool is_push;
};

/* A change that somebody waits to see. */
struct urgent {
	struct list link;
	struct record *previous;  /* owned, or NULL */
	struct record *successor; /* owned, or NULL if the customer is gone */
	uint32_t customer;
	uint64_t number;
	struct cache_exports ended;
	size_t key_count;
	uint32_t keys[]; /* slots */
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
	struct notice notices[NOTICES_MAX];
	struct list urgent;
	uint64_t urgent_added; /* numbers of the last that was queued, and worked off */
	uint64_t urgent_told;
	struct counter pushed_pages;
	struct counter dropped_pushes;
	struct counter dropped_changes;
	struct counter changed_values;
	struct counter dropped_entries;
};

/* notifier_kernel.c */

/** Push the values of the notice's directory. */
void notifier_push_values(struct notifier *notifier, const struct notice *notice);

/** Drop the pages of what changed between two records, the second NULL for all. */
void notifier_drop_changed(struct notifier *notifier, uint32_t customer,
                           const struct record *previous, const struct record *successor);

/** Drop all that would show the customer as it was. */
void notifier_drop_urgent(struct notifier *notifier, const struct urgent *urgent);

/** Have the kernel ask for the attributes of what @change changed. Takes no lock that a pending
 * request can hold. */
void notifier_expire(struct notifier *notifier, const struct cache_change *change);
