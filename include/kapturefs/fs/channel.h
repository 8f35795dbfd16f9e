#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The bytes between libfuse and the kernel, as custom I/O of a session.
 *
 * It exists to repair one reply: libfuse before 3.17 accepts
 * FUSE_CAP_PARALLEL_DIROPS but never tells the kernel, which then lets only one
 * lookup into a directory at a time, however long that waits (fixed by
 * libfuse's commit c9905341). A libfuse that sends the flag is left alone.
 */

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/** The userdata of the session whose channel this is. */
struct channel {
	void *userdata;       /* for the session's handlers, see channel_userdata() */
	uint64_t init_unique; /* of the INIT request while its reply is due */
	bool offers_parallel_lookups;
};

/** Route the I/O of @session, mounted, with @channel as its userdata, through the channel. Returns 0 or a negative errno. */
int channel_attach(struct channel *channel, struct fuse_session *session) must_check;

/** The channel's userdata behind a request. */
void *channel_userdata(fuse_req_t request);
