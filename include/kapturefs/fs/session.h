#pragma once
/* SPDX-License-Identifier: MIT */
/* The mount: owned, and its requests pumped from the loop. */

#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/unmounter.h"

struct session;

struct session_settings {
	const char *mountpoint; /* absolute */
	const char *source;     /* what the mount table shows as the device */
	const char *options;    /* further mount options for libfuse, `a,b=c`, or NULL */
	uint32_t busy_poll_us;  /* how long to look for a next request before sleeping */
	int descriptor;         /* the connection of a mount that is there already, or -1 */
	struct unmounter
	        *unmounter; /* who takes such a mount away, or NULL; outlives the session */
	/** Called when it has mounted and has no thread yet, or NULL; an error ends it. */
	int (*mounted)(void *userdata);
	void *userdata;
};

/**
 * Called once, from the loop, when the mount has gone without session_close(): unmounted, or its
 * connection aborted.
 */
typedef void session_ended_fn(void *userdata);

/**
 * Mount, read-only, and serve @filesystem from @loop until session_close(); @notifier runs as
 * long. The descriptor is taken over in any case. Returns 0, -EINVAL for options that libfuse
 * does not know, -EIO when mounting failed (libfuse has said why on standard error), -ENOMEM.
 */
int session_open(uv_loop_t *loop, struct filesystem *filesystem, struct notifier *notifier,
                 const struct session_settings *settings, session_ended_fn *ended, void *userdata,
                 struct session **ret) must_check;

/**
 * Stop serving and unmount, even while files are open. The memory goes once the loop has run.
 * NULL is ignored.
 */
void session_close(struct session *session);
define_cleanup(struct session *, session_close);

/** What the kernel offers, as session_probe() tells it; 0 before it has said so. */
uint64_t session_kernel_flags(const struct session *session);

void session_add_metrics(struct session *session, struct metrics *metrics);

/** The version of libfuse that is loaded. */
const char *session_libfuse_version(void);
