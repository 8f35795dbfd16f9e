#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told without having asked: that something has changed, and values ahead of
 * their being read.
 *
 * Telling that attributes have to be asked again takes no lock that a pending request can hold, so
 * the reactor does that itself, before anybody is answered. Dropping and storing pages waits for
 * the locks of pages that are being read, which only the reactor can have read; so that is the
 * work of the program's one other thread, from a queue that is bounded: values are
 * dropped when it is full, since the kernel asks for what it has not got.
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

/** Start the thread, which tells the kernel by @session, mounted. Returns 0 or a negative errno. */
int notifier_start(struct notifier *notifier, struct fuse_session *session) must_check;

/**
 * Drop the queue and have the thread end. It may still wait for a page, so keep serving until
 * notifier_has_ended().
 */
void notifier_stop(struct notifier *notifier);

/** Whether no thread is there (any more); if so it has been joined. */
bool notifier_has_ended(struct notifier *notifier);

/** Whether the thread has something to tell. */
bool notifier_is_busy(struct notifier *notifier);

/**
 * What an answer changed: attributes at once, before this returns; pages soon after, and if it is
 * to be seen at once also the names of what is below the customer.
 */
void notifier_answer_changed(struct notifier *notifier, const struct cache_change *change);

/** The number of the last change that was to be seen at once. */
uint64_t notifier_last(const struct notifier *notifier);

/** Whether the kernel has been told all of the change @number and of those before it. */
bool notifier_has_told(struct notifier *notifier, uint64_t number);

/**
 * Push the values in the directory at @directory, an index of @record, of the customer with the
 * slot @customer.
 */
void notifier_push(struct notifier *notifier, uint32_t customer, struct record *record,
                   uint32_t directory);
