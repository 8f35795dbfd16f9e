#pragma once
/* SPDX-License-Identifier: MIT */
/* The kernel's mount table: what it says, without touching what is mounted. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "kapturefs/base/base.h"

enum { MOUNTS_TYPE_SIZE = 64 };

struct mounts_entry {
	char type[MOUNTS_TYPE_SIZE]; /* "" where nothing is mounted */
	unsigned major; /* the device; a FUSE mount's minor is its connection's number */
	unsigned minor;
	uid_t owner; /* `user_id=` of a FUSE mount: for whom it was made; else MOUNTS_NOBODY */
};

enum { MOUNTS_NOBODY = -1 };

/** What is mounted last on @path, absolute. Source: proc(5), /proc/self/mountinfo. */
struct mounts_entry mounts_find(const char *path);

/** What is mounted as the device @major:@minor. */
struct mounts_entry mounts_find_device(unsigned major, unsigned minor);

/**
 * Open the directory @path, as O_PATH has it, and tell in *@ret which mount it is the root of: that
 * and no other is what can be reached through the descriptor, whatever becomes of @path. Returns
 * the descriptor or a negative errno.
 */
int mounts_open(const char *path, struct mounts_entry *ret) must_check;

/**
 * Whether what @entry shows may be believed. Anybody may mount a FUSE file system on a directory of
 * his own, with any type and source, and answer what he likes; what he cannot choose is `user_id=`,
 * by which fusermount3 and the kernel bind him. So it has to be this user's or root's, who has
 * mounted for the daemons of kapturefs@.service, too; or that of the account `kapturefs`, by which
 * mount.fuse3's `setuid=` has the daemon mount: if that is a system account, which only root makes.
 */
bool mounts_is_trusted(const struct mounts_entry *entry);

/** Takes one mount at @path; false: no more. */
typedef bool mounts_take_fn(void *userdata, const char *path, const struct mounts_entry *entry);

/** Hand all mounts of @type and @source that are to be trusted to @take, until it has enough. */
void mounts_of_source(const char *type, const char *source, mounts_take_fn *take, void *userdata);

/**
 * Hand the mounts of @type that are to be trusted and that this user has made or all may enter, for
 * root all of them, to @take, until it has enough: each mount once, and none that another one
 * hides. Returns how many were left out as not to be trusted.
 */
size_t mounts_of_user(const char *type, mounts_take_fn *take, void *userdata);

/** Whether @left and @right are the same mount. */
bool mounts_equal(const struct mounts_entry *left, const struct mounts_entry *right);

/**
 * A mount that is to be found again, whatever becomes of the directories above it: its mount point
 * is a name in a directory, and while something is mounted on it the kernel lets nobody rename or
 * remove it.
 */
struct mounts_mount {
	struct mounts_entry entry;
	struct {
		dev_t device;
		ino_t inode;
	} directory;
	char name[NAME_MAX + 1];
};

/**
 * Look at what is mounted on @name in the @directory that is open; *@ret has the type "" if that
 * begins no mount. Returns a descriptor of it, as O_PATH has it, or a negative errno.
 */
int mounts_look(int directory, const char *name, struct mounts_mount *ret) must_check;

/** Hand all places of @mount's device to @take, until it has enough. */
void mounts_of_device(const struct mounts_mount *mount, mounts_take_fn *take, void *userdata);
