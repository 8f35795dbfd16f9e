/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kapturefs/base/landlock.h"

/* What came after the headers with which this may be compiled. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#endif

/* struct landlock_ruleset_attr as it is now: the kernel takes as much of it as it knows. */
struct ruleset {
	uint64_t files;
	uint64_t network;
};

unsigned landlock_version(void)
{
	long version =
	        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (unsigned)version;
}

/*
 * Everything that can be forbidden by @version, but for signals to other processes: that of the
 * daemon's death, which the kernel sends to the unmounter in its name, would be one of them.
 */
static struct ruleset make_ruleset(unsigned version)
{
	struct ruleset ruleset = { .files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };

	if (version >= 2)
		ruleset.files |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		ruleset.files |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (version >= 4)
		ruleset.network = LANDLOCK_ACCESS_NET_BIND_TCP;
	if (version >= 5)
		ruleset.files |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return ruleset;
}

static size_t ruleset_size(unsigned version)
{
	return version < 4 ? offsetof(struct ruleset, network) : sizeof(struct ruleset);
}

static uint64_t access_of(enum landlock_use use)
{
	const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	const uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
	const uint64_t append = read | write | LANDLOCK_ACCESS_FS_MAKE_REG;

	switch (use) {
	case LANDLOCK_READ:
		return read;
	case LANDLOCK_APPEND:
		return append;
	case LANDLOCK_KEEP:
		return append | LANDLOCK_ACCESS_FS_REMOVE_FILE;
	case LANDLOCK_FILE:
		return write | LANDLOCK_ACCESS_FS_READ_FILE;
	}
	return 0;
}

/* Of a file, the kernel refuses what only a directory can have. */
static uint64_t narrow_to_file(uint64_t access, int descriptor)
{
	struct stat status;

	if (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode))
		return access;
	return access & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
	                 LANDLOCK_ACCESS_FS_TRUNCATE);
}

static int add_place(int ruleset, const struct landlock_place *place, uint64_t handled)
{
	cleanup(close_descriptor) int descriptor = open(place->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .parent_fd = descriptor };

	if (descriptor < 0)
		return 0;
	rule.allowed_access = narrow_to_file(access_of(place->use) & handled, descriptor);
	/* What is no file system of its own, as a pipe behind /dev/fd/N, has no place in any. */
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 &&
	    errno != EBADFD)
		return -errno;
	return 0;
}

int landlock_confine(const struct landlock_place *places, size_t count)
{
	unsigned version = landlock_version();
	struct ruleset attributes = make_ruleset(version);
	cleanup(close_descriptor) int ruleset = -1;
	int r = 0;

	if (!version)
		return -EOPNOTSUPP;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, ruleset_size(version), 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; i < count && !r; i++)
		r = add_place(ruleset, &places[i], attributes.files);
	if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	return r ? r : (int)version;
}
