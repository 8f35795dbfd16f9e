#pragma once
/* SPDX-License-Identifier: MIT */
/* The kernel's mount table: what it says, without touching what is mounted; coming and going. */

#include <stdbool.h>
#include <sys/types.h>

#include "kapturefs/base/base.h"

enum { MOUNTS_TYPE_SIZE = 64 };

struct mounts_entry {
	char type[MOUNTS_TYPE_SIZE]; /* "" where nothing is mounted */
	unsigned major; /* the device; a FUSE mount's minor is its connection's number */
	unsigned minor;
};

/** What is mounted last on @path, absolute. Source: proc(5), /proc/self/mountinfo. */
struct mounts_entry mounts_find(const char *path);

/** Whether something of @type is mounted that is the device @major:@minor. */
bool mounts_have(const char *type, unsigned major, unsigned minor);

/** Takes the path of one mount; false: no more. */
typedef bool mounts_take_fn(void *userdata, const char *path);

/** Hand the places of all mounts of @type and @source to @take, until it has enough. */
void mounts_of_source(const char *type, const char *source, mounts_take_fn *take, void *userdata);

/**
 * Hand the places of the mounts of @type that this user has made or all may enter, for root of all
 * mounts, to @take, until it has enough: each mount once, and none that another one hides.
 */
void mounts_of_user(const char *type, mounts_take_fn *take, void *userdata);

/** Whether @left and @right are the same mount. */
bool mounts_equal(const struct mounts_entry *left, const struct mounts_entry *right);

/** Take away what is mounted on @path even if it is busy or dead, by umount(2) or fusermount3. */
void mounts_detach(const char *path);

/**
 * Break the connection of the FUSE mount @entry on @path to whoever serves it: who waits in it, and
 * who comes, gets an error. It stays mounted. Source: umount(2), MNT_FORCE, or, for users other
 * than root, the kernel's Documentation/filesystems/fuse.rst, control filesystem.
 */
void mounts_break(const char *path, const struct mounts_entry *entry);

/** A mount to be made by whoever has the capability CAP_SYS_ADMIN. */
struct mounts_wish {
	const char *mountpoint; /* absolute, without a symbolic link in it */
	const char *source;     /* what the table shows as the device */
	uid_t uid;              /* the only user who is let in ... */
	gid_t gid;
	bool allow_other; /* ... unless all are, as far as owner and mode shown allow */
};

/**
 * Mount, read-only, without a daemon yet: whoever enters waits for one. Returns 0 with the
 * connection's descriptor in *@ret, whose closing ends the connection but leaves the mount;
 * -ELOOP if there is a symbolic link on the way; another negative errno.
 */
int mounts_attach(const struct mounts_wish *wish, int *ret) must_check;
