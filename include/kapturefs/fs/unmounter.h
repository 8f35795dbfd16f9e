#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A mount is taken away by a process of its own, so that the one that talks to the network and
 * reads what comes from there needs no privilege at all, and runs no program.
 *
 * It is the program itself, started anew under another name, which therefore holds nothing of the
 * daemon's memory. Of root's capabilities it has the one to unmount and no other; for a user it
 * runs fusermount3. It reads one message that says which mount is meant, and waits: for the word to
 * unmount, or for the daemon's death, on which it ends and, for auto_unmount alone, unmounts. A
 * dead mount tells the truth, an empty directory does not.
 *
 * It also sees to it that who waits in the mount of a dead daemon learns that.
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/mounts.h"

/** The name by which main() knows what it is to be. */
#define UNMOUNTER_NAME "kapturefs-unmounter"

struct unmounter;

/** Start the process, with all the privileges of this one. Returns 0 or a negative errno. */
int unmounter_start(struct unmounter **ret) must_check;

/** End the process without unmounting. NULL is ignored. */
void unmounter_free(struct unmounter *unmounter);
define_cleanup(struct unmounter *, unmounter_free);

/**
 * Say which mount is meant. With @is_automatic it also goes when this process dies. Returns 0 or a
 * negative errno.
 */
int unmounter_guard(struct unmounter *unmounter, const struct mounts_mount *mount,
                    bool is_automatic) must_check;

/** Have that mount taken away, busy or not, if it is still there; return when it has been. */
void unmounter_unmount(struct unmounter *unmounter);

/** What the process does. Returns its exit status. */
int unmounter_run(void);
