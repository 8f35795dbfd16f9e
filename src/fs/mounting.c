/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kapturefs/fs/mounting.h"

enum {
	PLACE_SIZE = sizeof("/proc/self/fd/") + 3 * sizeof(int),
	HOLD_TRIES = 1000, /* to get hold of a mount whose directories are being moved ... */
	HASTY_TRIES = 100, /* ... so many without a pause */
	PAUSE_NS = 1000 * 1000,
	DETACH_TRIES = 40,
};

/* The name of what is open as @descriptor, for calls that take a path. */
static void describe_place(char place[PLACE_SIZE], int descriptor)
{
	snprintf(place, PLACE_SIZE, "/proc/self/fd/%d", descriptor);
}

/* Paths without links */

/* As openat2(2) has it, which came with Linux 5.6, and which some containers do not know. */
static int open_by_names(const char *path)
{
	int descriptor = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char rest[PATH_MAX];
	char *place = NULL;

	if (strlen(path) >= sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(rest, path);
	for (char *name = strtok_r(rest, "/", &place); name && descriptor >= 0;
	     name = strtok_r(NULL, "/", &place)) {
		int next = openat(descriptor, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		int error = errno;

		close(descriptor);
		descriptor = next;
		errno = error == ENOTDIR ? ELOOP : error;
	}
	return descriptor < 0 ? -errno : descriptor;
}

/* Whoever may rename on the way must not choose what it leads to. */
static int open_directory(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	long descriptor = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (descriptor >= 0)
		return (int)descriptor;
	return errno == ENOSYS || errno == EPERM ? open_by_names(path) : -errno;
}

/* Open the directory above, and leave only the last name of the path. */
static int open_above(char path[PATH_MAX], const char **ret_name)
{
	char *slash = strrchr(path, '/');

	if (!slash || !slash[1])
		return -ENOENT;
	*slash = '\0';
	*ret_name = slash + 1;
	return open_directory(slash == path ? "/" : path);
}

/* Finding */

struct hold {
	const struct mounts_mount *mount;
	int directory; /* above the mount point */
	int root;      /* of the mount */
	bool is_there;
	bool is_hidden;
};

static void hold_fini(struct hold *hold)
{
	close_descriptor(&hold->directory);
	close_descriptor(&hold->root);
	hold->directory = hold->root = -1;
}

static bool is_directory_of(const struct mounts_mount *found, const struct mounts_mount *wanted)
{
	return found->directory.device == wanted->directory.device &&
	       found->directory.inode == wanted->directory.inode;
}

static bool take_hold(void *userdata, const char *path, const struct mounts_entry *entry)
{
	struct hold *hold = userdata;
	struct mounts_mount found = { .name = "" };
	char above[PATH_MAX];
	const char *name;

	(void)entry;
	if (strlen(path) >= sizeof(above) || !strrchr(path, '/') ||
	    strcmp(strrchr(path, '/') + 1, hold->mount->name) != 0)
		return true;
	hold->is_there = true;
	strcpy(above, path);
	hold->directory = open_above(above, &name);
	if (hold->directory >= 0)
		hold->root = mounts_look(hold->directory, name, &found);
	if (hold->root >= 0 && is_directory_of(&found, hold->mount)) {
		if (mounts_equal(&found.entry, &hold->mount->entry))
			return false;
		hold->is_hidden = found.entry.type[0] != '\0';
	}
	hold_fini(hold);
	return true;
}

/*
 * Get hold of the mount where it is now. The table is read first, and then the path that it has; by
 * then the path may lead elsewhere, which is seen, and it is tried again.
 */
static bool hold_mount(const struct mounts_mount *mount, struct hold *ret)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	*ret = (struct hold){ .mount = mount, .directory = -1, .root = -1 };
	for (int i = 0; i < HOLD_TRIES && mount->entry.type[0]; i++) {
		ret->is_there = ret->is_hidden = false;
		mounts_of_device(mount, take_hold, ret);
		if (ret->root >= 0 || !ret->is_there || ret->is_hidden)
			break;
		if (i >= HASTY_TRIES)
			nanosleep(&pause, NULL);
	}
	return ret->root >= 0;
}

void mounting_find(const char *path, struct mounts_mount *ret)
{
	cleanup(close_descriptor) int directory = -1;
	cleanup(close_descriptor) int root = -1;
	char above[PATH_MAX];
	const char *name;

	*ret = (struct mounts_mount){ .entry.owner = (uid_t)MOUNTS_NOBODY };
	if (strlen(path) >= sizeof(above))
		return;
	strcpy(above, path);
	directory = open_above(above, &name);
	if (directory >= 0)
		root = mounts_look(directory, name, ret);
}

/* Going */

/* Only the setuid helper may, for users other than root; it finds out where it is by itself. */
static void run_fusermount(const struct hold *hold)
{
	char program[] = FUSERMOUNT;
	char unmount[] = "-u";
	char quiet[] = "-q";
	char lazy[] = "-z";
	char end[] = "--";
	char *name = strdup(hold->mount->name);
	char *arguments[] = { program, unmount, quiet, lazy, end, name, NULL };
	char *environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (name && posix_spawn_file_actions_addfchdir_np(&actions, hold->directory) == 0 &&
	    posix_spawn(&pid, program, &actions, NULL, arguments, environment) == 0)
		waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&actions);
	free(name);
}

/* Whether it is done, or cannot be. */
static bool detach(const struct hold *hold)
{
	char place[PLACE_SIZE];

	describe_place(place, hold->root);
	if (umount2(place, MNT_DETACH) == 0 || errno != EPERM)
		return true;
	run_fusermount(hold);
	return false;
}

void mounting_detach(const struct mounts_mount *mount)
{
	bool is_done = false;
	struct hold hold;

	/* fusermount3 goes by the path, and fails where that has come to lead elsewhere. */
	for (int i = 0; i < DETACH_TRIES && !is_done && hold_mount(mount, &hold); i++) {
		is_done = detach(&hold);
		hold_fini(&hold);
	}
}

/* Whoever has mounted may do so, without any capability. */
static void break_connection(unsigned number)
{
	cleanup(close_descriptor) int control = -1;
	char path[sizeof("/sys/fs/fuse/connections//abort") + 3 * sizeof(number)];

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", number);
	control = open(path, O_WRONLY | O_CLOEXEC);
	if (control >= 0)
		(void)!write(control, "1", 1);
}

void mounting_break(const struct mounts_mount *mount)
{
	char place[PLACE_SIZE];
	struct hold hold;

	if (!hold_mount(mount, &hold))
		return;
	describe_place(place, hold.root);
	/* umount(2) breaks the connection first, and then finds the mount in use, which is held. */
	if (umount2(place, MNT_FORCE) < 0 && errno == EPERM)
		break_connection(mount->entry.minor);
	hold_fini(&hold);
}

/* Coming */

/* What was mounted on the directory that is open as @mountpoint, wherever that is by now. */
static int look_at(int mountpoint, struct mounts_mount *ret)
{
	cleanup(close_descriptor) int above = -1;
	cleanup(close_descriptor) int root = -1;
	char place[PLACE_SIZE];
	char path[PATH_MAX];
	ssize_t length;

	describe_place(place, mountpoint);
	length = readlink(place, path, sizeof(path) - 1);
	if (length <= 0)
		return -ENOENT;
	path[length] = '\0';
	above = openat(mountpoint, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return -errno;
	root = mounts_look(above, strrchr(path, '/') + 1, ret);
	return root < 0 ? root : 0;
}

int mounting_attach(const struct mounting_wish *wish, int *ret, struct mounts_mount *ret_mount)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	cleanup(close_descriptor) int mountpoint = open_directory(wish->mountpoint);
	cleanup(close_descriptor) int connection = -1;
	char place[PLACE_SIZE];
	char options[160];
	int r;

	if (mountpoint < 0)
		return mountpoint;
	connection = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (connection < 0)
		return -errno;

	describe_place(place, mountpoint);
	snprintf(options, sizeof(options),
	         "fd=%d,rootmode=%o,user_id=%u,group_id=%u,default_permissions%s", connection,
	         S_IFDIR, wish->uid, wish->gid, wish->allow_other ? ",allow_other" : "");
	if (mount(wish->source, place, "fuse.kapturefs", flags, options) < 0)
		return -errno;
	r = look_at(mountpoint, ret_mount);
	if (r)
		return r;
	*ret = connection;
	connection = -1;
	return 0;
}
