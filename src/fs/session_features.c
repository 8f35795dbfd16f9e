/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/fs/session_features.h"

/* The kernel's versions are those of fs/fuse/inode.c that first set the flag. */
const struct session_feature session_features[] = {
	{ "parallel lookups (Linux 4.7)", "look-ups in one directory wait for each other",
	  FUSE_PARALLEL_DIROPS },
	{ "listings with attributes (Linux 3.9)", "ls -l asks once more for every file",
	  FUSE_DO_READDIRPLUS },
	{ "files without open (Linux 3.16)", "every open and close of a file asks",
	  FUSE_NO_OPEN_SUPPORT },
	{ "directories without open (Linux 5.1)", "every listing asks twice more",
	  FUSE_NO_OPENDIR_SUPPORT },
	{ "links kept by the kernel (Linux 4.20)", "every use of a link asks",
	  FUSE_CACHE_SYMLINKS },
	{ "pages dropped on change (Linux 3.12)", "a changed value may be shown late",
	  FUSE_AUTO_INVAL_DATA },
};
const size_t session_feature_count = array_length(session_features);

enum {
	PROBE_MS = 2000,
	REQUEST_SIZE = 64 << 10, /* the kernel refuses to fill less than FUSE_MIN_READ_BUFFER */
};

static int write_text(const char *path, const char *text)
{
	int descriptor = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length;

	if (descriptor < 0)
		return -errno;
	length = write(descriptor, text, strlen(text));
	close(descriptor);
	return length < 0 ? -EIO : 0;
}

/* Be root in a namespace of one's own, or else in one of mounts alone, as root may. */
static int enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[32];
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return unshare(CLONE_NEWNS) < 0 ? -errno : 0;
	r = write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!r)
		r = write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return r ? r : write_text("/proc/self/gid_map", map);
}

/* The kernel's first request has the flags, and waits for no answer to be read. */
static int read_flags(int fuse, uint64_t *ret)
{
	static char bytes[REQUEST_SIZE];
	struct pollfd readable = { .fd = fuse, .events = POLLIN };
	struct fuse_in_header header;
	struct fuse_init_in init = { 0 };
	ssize_t length;

	if (poll(&readable, 1, PROBE_MS) != 1)
		return -ETIMEDOUT;
	length = read(fuse, bytes, sizeof(bytes));
	if (length < (ssize_t)sizeof(header))
		return length < 0 ? -errno : -EPROTO;
	memcpy(&header, bytes, sizeof(header));
	if (header.opcode != FUSE_INIT)
		return -EPROTO;

	length -= (ssize_t)sizeof(header);
	memcpy(&init, bytes + sizeof(header),
	       (size_t)length < sizeof(init) ? (size_t)length : sizeof(init));
	*ret = init.flags;
	return 0;
}

static int probe_here(uint64_t *ret)
{
	char options[96];
	int fuse;
	int r;

	r = enter_namespace();
	if (r)
		return r;
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return -errno;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse,
	         geteuid(), getegid());
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("kapturefs-probe", "/dev", "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return -errno;
	return read_flags(fuse, ret);
}

struct probe_report {
	int error;
	uint64_t flags;
};

static int take_report(int descriptor, uint64_t *ret)
{
	struct probe_report report;

	if (read(descriptor, &report, sizeof(report)) != sizeof(report))
		return -EIO;
	*ret = report.flags;
	return report.error;
}

int session_probe(uint64_t *ret_flags)
{
	struct probe_report report = { 0 };
	int ends[2];
	pid_t child;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		report.error = probe_here(&report.flags);
		_exit(write(ends[1], &report, sizeof(report)) != sizeof(report));
	}
	r = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!r)
		r = take_report(ends[0], ret_flags);
	close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
