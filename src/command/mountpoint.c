/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/command/mountpoint.h"
#include "kapturefs/fs/mounts.h"

int mountpoint_check(const char *path, char **ret, struct config_complaint *complaint)
{
	struct stat status;
	struct mounts_entry entry;
	char *resolved;
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

int mountpoint_check_device(struct config_complaint *complaint)
{
	int descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (descriptor < 0)
		return config_complain(complaint,
		                       "/dev/fuse: %s; run modprobe fuse (in a container: start it "
		                       "with --device /dev/fuse --cap-add SYS_ADMIN)",
		                       strerror(errno));
	close(descriptor);
	return 0;
}
