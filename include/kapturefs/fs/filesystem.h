#pragma once
/* SPDX-License-Identifier: MIT */
/* Each FUSE request into a question to the tree, and exactly one reply. */

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/fs/libfuse.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/request.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/store/catalog.h"

struct filesystem;

struct filesystem_settings {
	uid_t uid; /* shown as the owner of everything */
	gid_t gid;
	bool xattr;   /* show extended attributes */
	mode_t umask; /* taken from 0444 for files and 0555 for directories */
};

/** Called once, when the kernel has been answered INIT and the mount is usable. */
typedef void filesystem_ready_fn(void *userdata);

/** Begin on @loop; @tree, @catalog and @notifier outlive the file system. Returns 0 or -ENOMEM. */
int filesystem_new(uv_loop_t *loop, struct tree *tree, struct catalog *catalog,
                   struct notifier *notifier, const struct filesystem_settings *settings,
                   filesystem_ready_fn *ready, void *userdata, struct filesystem **ret) must_check;

/** End; no request may be waiting. The memory goes once the loop has run. NULL is ignored. */
void filesystem_free(struct filesystem *filesystem);
define_cleanup(struct filesystem *, filesystem_free);

void filesystem_add_metrics(struct filesystem *filesystem, struct metrics *metrics);

/** The handlers, for a session whose userdata is a channel with the file system as its userdata. */
const struct fuse_lowlevel_ops *filesystem_operations(void);

/** As requests_list_waiting(). */
size_t filesystem_list_waiting(const struct filesystem *filesystem, struct request_waiting *ret,
                               size_t max);

/** Reply @error (negative errno) to every waiting request. */
void filesystem_fail_waiting(struct filesystem *filesystem, int error);
