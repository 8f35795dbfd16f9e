#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told without having asked: that something has changed, and values ahead of
 * their being read.
 *
 * Telling that attributes have to be asked again takes no lock that a pending request can hold, so
 * the reactor does that itself, before anybody is answered. Dropping names and pages, and storing
 * pages, waits for the locks of directories and pages that are being read, which only the reactor
 * can have read; so that is the work of a thread, from a queue that is bounded: values are dropped
 * when it is full, since the kernel asks for what it has not got. A second thread drops the
 * listings of directories that have expired, see listings.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/fs/libfuse.h"
#include "kapturefs/model/record.h"
#include "kapturefs/store/cache.h"

struct notifier;

/** Begin, without a thread. Returns 0 or -ENOMEM. */
int notifier_new(struct notifier **ret) must_check;

/** End; the thread must have ended. NULL is ignored. */
void notifier_free(struct notifier *notifier);
define_cleanup(struct notifier *, notifier_free);

void notifier_add_metrics(struct notifier *notifier, struct metrics *metrics);

/** Runs on any thread, and with locks held: to wake who waits for notifier_has_told(). */
typedef void notifier_told_fn(void *userdata);

/** Have @told called whenever there is more that the kernel has been told; before the start. */
void notifier_on_told(struct notifier *notifier, notifier_told_fn *told, void *userdata);

/**
 * Start the threads, which tell the kernel by @session, mounted. Returns 0 or a negative errno, and
 * is to be followed by notifier_stop() whatever it returns.
 */
int notifier_start(struct notifier *notifier, struct fuse_session *session) must_check;

/**
 * Drop the queue and have the threads end. They may still wait for a page, so keep serving until
 * notifier_has_ended().
 */
void notifier_stop(struct notifier *notifier);

/** Whether no thread is there (any more); if so they have been joined. */
bool notifier_has_ended(struct notifier *notifier);

/** Whether there are changes or values to be told. */
bool notifier_is_busy(struct notifier *notifier);

/**
 * What an answer changed: attributes at once, before this returns; what these do not tell, soon
 * after.
 */
void notifier_answer_changed(struct notifier *notifier, const struct cache_change *change);

/** What somebody may have to wait for; zero for nothing. */
struct notification {
	uint64_t change; /* all that had to be dropped, to the one with this number */
	uint64_t drop;   /* of a listing, see listings.h */
};

/** All that has to be dropped until now. */
struct notification notifier_last(const struct notifier *notifier);

/** The kernel is given a listing of @directory, a node's number, and may keep it. */
void notifier_listed(struct notifier *notifier, uint64_t directory);

/**
 * Have the kernel drop a listing of @directory that it may keep, so that the next one is asked for;
 * *@ret is nothing if it keeps none. Returns 0 or -ENOMEM.
 */
int notifier_drop_listing(struct notifier *notifier, uint64_t directory,
                          struct notification *ret) must_check;

/** Whether the kernel has been told all of @what. */
bool notifier_has_told(struct notifier *notifier, struct notification what);

/**
 * Push the values in the directory at @directory, an index of @record, of the customer with the
 * slot @customer.
 */
void notifier_push(struct notifier *notifier, uint32_t customer, struct record *record,
                   uint32_t directory);
