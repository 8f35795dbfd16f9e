#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Mounts coming and going.
 *
 * A user may own a directory above a mount point, and exchange it for a link at any time. So a
 * mount is meant by what it is, not by its path: it is looked for in the mount table, its directory
 * is opened, and what is unmounted is what has been found to be it, by an open descriptor.
 */

#include "kapturefs/base/base.h"
#include "kapturefs/fs/mounts.h"

/** A mount to be made by whoever has the capability CAP_SYS_ADMIN. */
struct mounting_wish {
	const char *mountpoint; /* absolute, without a symbolic link in it */
	const char *source;     /* what the table shows as the device */
	uid_t uid;              /* the only user who is let in ... */
	gid_t gid;
	bool allow_other; /* ... unless all are, as far as owner and mode shown allow */
};

/**
 * Mount, read-only, without a daemon yet: whoever enters waits for one. Returns 0 with *@ret_mount,
 * and the connection's descriptor in *@ret, whose closing ends the connection but leaves the mount;
 * -ELOOP if there is a symbolic link on the way; another negative errno.
 */
int mounting_attach(const struct mounting_wish *wish, int *ret,
                    struct mounts_mount *ret_mount) must_check;

/** What is mounted on @path, absolute, without a symbolic link in it; of type "" if nothing is. */
void mounting_find(const char *path, struct mounts_mount *ret);

/**
 * Take @mount away even if it is busy or dead, by umount(2) or fusermount3, from where it was when
 * it was found. It stays where another mount hides it, and where its directory cannot be reached.
 */
void mounting_detach(const struct mounts_mount *mount);

/**
 * Break the connection of the FUSE mount @mount to whoever serves it: who waits in it, and who
 * comes, gets an error. It stays mounted. Source: umount(2), MNT_FORCE, or, for users other than
 * root, the kernel's Documentation/filesystems/fuse.rst, control filesystem.
 */
void mounting_break(const struct mounts_mount *mount);
