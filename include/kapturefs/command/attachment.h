#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * How the mount comes to be and goes, and what may be given up once it is there.
 *
 *   who mounts            how it goes                   what the daemon keeps
 *   somebody else, who    is theirs to see to           no capability, no new privileges: a
 *   hands over the        (umount, ExecStop)            program with more rights cannot be run
 *   connection                                          either
 *   root                  by the unmounter, a process   the same; uid 0 stays, for the token's
 *                         with one capability           file and the cache are root's
 *   a user                by fusermount3, which is      the same, but later: libfuse has to run
 *                         set-user-ID                   fusermount3 first. In the end the
 *                                                       unmounter runs it, a process that may
 *
 * What else is given up is in confine.h. In all cases SIGTERM leaves no mount, except where the
 * mount is somebody else's. The unmounter costs about 3 ms at the start and 1.4 MB of memory of its
 * own.
 */

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"
#include "kapturefs/fs/unmounter.h"

struct attachment {
	int descriptor; /* of the connection, or -1 where libfuse is to mount */
	struct unmounter *unmounter;
};

/** The descriptor of the connection that @mountpoint, `/dev/fd/N`, hands over; -1 for a place. */
int attachment_descriptor(const char *mountpoint);

/**
 * Mount at @mountpoint, as far as it is not for libfuse to do, and give up what is not needed
 * any more. No thread may run yet. Returns 0 or a negative errno.
 */
int attachment_make(struct attachment *ret, const char *mountpoint,
                    const struct config *config) must_check;

/** Hand on the descriptor, if there is one. */
int attachment_take(struct attachment *attachment);

/** Close what has not been handed on, and unmount what this has mounted. */
void attachment_fini(struct attachment *attachment);

/** Mount as root does it: without a daemon yet. As mounting_attach(). */
int attachment_mount(const char *mountpoint, const struct config *config, int *ret,
                     struct mounts_mount *ret_mount) must_check;
