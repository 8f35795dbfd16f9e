#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The listings of directories that the kernel keeps, and a thread that has it drop them.
 *
 * The kernel shows a listing that it keeps to whoever has had the directory's attributes, and those
 * are also asked for by a mere stat. So that a stat of a directory that has expired costs nothing
 * and a listing of it comes to the daemon, the kernel must have dropped what it keeps before the
 * attributes are told. That waits for the locks of pages that somebody is being shown, so it is the
 * work of a thread of its own; and that thread does nothing else, because whoever looks at a
 * directory waits for it.
 *
 * Which directories were listed is kept in a table of one size. Of what has no place in it the
 * kernel is told to drop a listing that it may not have: that costs a moment, never an answer.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/fs/libfuse.h"

struct listings;

enum {
	/*
	 * The kernel keeps a listing a moment after it was given: a drop in between would miss it,
	 * so a listing that is younger than this is dropped again when it is asked for again.
	 */
	LISTINGS_YOUNG_MS = 1000,
};

/** What to call, on the thread, whenever a listing has been dropped. */
typedef void listings_dropped_fn(void *userdata);

/** Begin, without a thread. Returns 0 or -ENOMEM. */
int listings_new(struct listings **ret) must_check;

/** End; the thread must have ended. NULL is ignored. */
void listings_free(struct listings *listings);
define_cleanup(struct listings *, listings_free);

void listings_add_metrics(struct listings *listings, struct metrics *metrics);

/** Start the thread, which tells the kernel by @session. Returns 0 or a negative errno. */
int listings_start(struct listings *listings, struct fuse_session *session,
                   listings_dropped_fn *dropped, void *userdata) must_check;

/** Have the thread end, as notifier_stop(). */
void listings_stop(struct listings *listings);
bool listings_have_ended(struct listings *listings);

/** At @now_ms of any clock the kernel is given a listing of @directory, a node's number. */
void listings_add(struct listings *listings, uint64_t directory, uint64_t now_ms);

/**
 * Have the kernel drop the listing of @directory, if it may keep one: *@ret is for
 * listings_have_dropped(), and 0 if there is nothing to wait for. Returns 0 or -ENOMEM.
 */
int listings_drop(struct listings *listings, uint64_t directory, uint64_t now_ms,
                  uint64_t *ret) must_check;

bool listings_have_dropped(struct listings *listings, uint64_t drop);
