/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/command/mountpoint.h"

/* The type of what is mounted last on @path, by the mount table; "" for nothing. */
static void find_mounted_type(const char *path, char *ret, size_t size)
{
	FILE *table = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;

	ret[0] = '\0';
	if (!table)
		return;
	while ((entry = getmntent(table))) {
		if (strcmp(entry->mnt_dir, path) == 0)
			snprintf(ret, size, "%s", entry->mnt_type);
	}
	endmntent(table);
}

int mountpoint_check(const char *path, char **ret, struct config_complaint *complaint)
{
	struct stat status;
	char type[64];
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
	find_mounted_type(resolved, type, sizeof(type));
	if (strcmp(type, "fuse.kapturefs") == 0) {
		free(resolved);
		return config_complain(
		        complaint, "%s: kapturefs is already mounted there; run umount %s first",
		        path, path);
	}
	*ret = resolved;
	return 0;
}
