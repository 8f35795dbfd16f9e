#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The bytes between libfuse and the kernel, as custom I/O of a session.
 *
 * It counts what the kernel asks, and repairs one reply: libfuse before 3.17 accepts
 * FUSE_CAP_PARALLEL_DIROPS but never tells the kernel, which then lets only one
 * lookup into a directory at a time, however long that waits (fixed by
 * libfuse's commit c9905341). A libfuse that sends the flag is left alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/fs/libfuse.h"

enum { CHANNEL_OPERATIONS = 64 };

/**
 * The userdata of the session whose channel this is; zero but for its own userdata to begin with.
 */
struct channel {
	void *userdata;        /* for the session's handlers, see channel_userdata() */
	uint64_t init_unique;  /* of the INIT request while its reply is due */
	uint64_t kernel_flags; /* what the kernel offered there */
	bool has_replied;      /* set whenever a request has been answered */
	/* By operation code; the last is of all that have no name here. */
	struct counter requests[CHANNEL_OPERATIONS];
};

/** Register how often each operation was asked for. */
void channel_add_metrics(struct channel *channel, struct metrics *metrics);

/**
 * Route the I/O of @session, mounted, through the channel that is its userdata. Returns 0 or a
 * negative errno.
 */
int channel_attach(struct fuse_session *session) must_check;

/** The channel's userdata behind a request. */
void *channel_userdata(fuse_req_t request);
