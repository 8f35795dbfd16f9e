/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kapturefs/command/attachment.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/fs/mounts.h"

/* Linux's list of devices, Documentation/admin-guide/devices.txt. */
enum { FUSE_MAJOR = 10, FUSE_MINOR = 229 };

static int check_connection(const char *path, char **ret, struct config_complaint *complaint)
{
	struct stat status;

	if (fstat(attachment_descriptor(path), &status) < 0)
		return config_complain(complaint, "%s: %s", path, strerror(errno));
	if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(FUSE_MAJOR, FUSE_MINOR))
		return config_complain(complaint, "%s: no FUSE connection", path);
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

static int check_directory(const char *path, struct config_complaint *complaint)
{
	struct stat status;
	int error = stat(path, &status) < 0 ? errno : 0;

	if (error == ENOTCONN)
		return config_complain(complaint,
		                       "%s: Transport endpoint is not connected: a mount whose "
		                       "daemon died; run umount -l %s (or fusermount3 -uz %s)",
		                       path, path, path);
	if (error == ENOENT)
		return config_complain(complaint, "%s: no such directory; run mkdir %s", path,
		                       path);
	if (error)
		return config_complain(complaint, "%s: %s", path, strerror(error));
	if (!S_ISDIR(status.st_mode))
		return config_complain(complaint, "%s: not a directory", path);
	return 0;
}

int mountpoint_check(const char *path, char **ret, struct config_complaint *complaint)
{
	struct mounts_entry entry;
	char *resolved;
	int r;

	if (attachment_descriptor(path) >= 0)
		return check_connection(path, ret, complaint);
	r = check_directory(path, complaint);
	if (r)
		return r;

	resolved = realpath(path, NULL);
	if (!resolved)
		return errno == ENOMEM
		               ? -ENOMEM
		               : config_complain(complaint, "%s: %s", path, strerror(errno));
	entry = mounts_find(resolved);
	if (strcmp(entry.type, "fuse.kapturefs") == 0) {
		free(resolved);
		return config_complain(
		        complaint, "%s: kapturefs is already mounted there; run umount %s first",
		        path, path);
	}
	*ret = resolved;
	return 0;
}

int mountpoint_check_device(const char *path, struct config_complaint *complaint)
{
	int descriptor;

	if (attachment_descriptor(path) >= 0)
		return 0;
	descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (descriptor < 0)
		return config_complain(complaint,
		                       "/dev/fuse: %s; run modprobe fuse (in a container: start it "
		                       "with --device /dev/fuse --cap-add SYS_ADMIN)",
		                       strerror(errno));
	close(descriptor);
	return 0;
}
