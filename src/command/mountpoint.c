/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/command/attachment.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/fs/mounts.h"

/* Linux's list of devices, Documentation/admin-guide/devices.txt. */
enum { FUSE_MAJOR = 10, FUSE_MINOR = 229 };

enum { LOOK_MS = 2000 };

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

static int complain_of_dead(const char *path, struct config_complaint *complaint)
{
	return config_complain(complaint,
	                       "%s: Transport endpoint is not connected: a mount whose daemon "
	                       "died; run kapturefs umount %s (or fusermount3 -uz %s)",
	                       path, path, path);
}

static int check_directory(const char *path, struct config_complaint *complaint)
{
	struct stat status;
	int error = stat(path, &status) < 0 ? errno : 0;

	if (error == ENOTCONN)
		return complain_of_dead(path, complaint);
	if (!*path)
		return config_complain(complaint, "MOUNTPOINT \"\": give the path of a directory");
	if (error == ENOENT)
		return config_complain(complaint, "%s: no such directory; run mkdir %s", path,
		                       path);
	if (error)
		return config_complain(complaint, "%s: %s", path, strerror(error));
	if (!S_ISDIR(status.st_mode))
		return config_complain(complaint, "%s: not a directory; give an empty one", path);
	return 0;
}

/* What fusermount3 requires of an ordinary user, whom it would not tell what to do. */
static int check_access(const char *path, struct config_complaint *complaint)
{
	if (geteuid() == 0 || access(path, W_OK | X_OK) == 0)
		return 0;
	return config_complain(complaint,
	                       "%s: %s: to mount on a directory you must be able to write to it; "
	                       "give one of your own",
	                       path, strerror(errno));
}

enum mountpoint_state mountpoint_look(const char *path)
{
	cleanup(close_descriptor) int descriptor = -1;
	struct pollfd ended = { .events = POLLIN };
	struct statfs space;
	int status = 0;
	pid_t pid = fork();

	/* The kernel may answer stat(2) and open(2) by itself. */
	if (pid == 0)
		_exit(statfs(path, &space) < 0 && errno == ENOTCONN);
	if (pid < 0)
		return MOUNTPOINT_SILENT;
	ended.fd = descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
	if (descriptor < 0 || poll(&ended, 1, LOOK_MS) != 1) {
		kill(pid, SIGKILL);
		return MOUNTPOINT_SILENT;
	}
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return MOUNTPOINT_DEAD;
	return MOUNTPOINT_ALIVE;
}

static int complain_of_mount(const char *path, struct config_complaint *complaint)
{
	switch (mountpoint_look(path)) {
	case MOUNTPOINT_DEAD:
		return complain_of_dead(path, complaint);
	case MOUNTPOINT_SILENT:
		return config_complain(
		        complaint,
		        "%s: kapturefs is already mounted there and does not answer; "
		        "run umount -f %s, or end its daemon",
		        path, path);
	case MOUNTPOINT_ALIVE:
		break;
	}
	return config_complain(complaint,
	                       "%s: kapturefs is already mounted there; run kapturefs umount %s "
	                       "first",
	                       path, path);
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
		return complain_of_mount(path, complaint);
	}
	r = check_access(path, complaint);
	if (r) {
		free(resolved);
		return r;
	}
	*ret = resolved;
	return 0;
}

/* Whose the device is decides what helps: a missing module, a mode, or a container's rules. */
static int complain_of_device(int error, struct config_complaint *complaint)
{
	struct stat status;

	if (error == EACCES && stat("/dev/fuse", &status) == 0)
		return config_complain(complaint,
		                       "/dev/fuse: %s: its mode is %04o; as root, run chmod 666 "
		                       "/dev/fuse (udev and Debian's fuse3 do)",
		                       strerror(error), status.st_mode & 07777);
	if (error == EPERM)
		return config_complain(complaint,
		                       "/dev/fuse: %s: the container may not use it; start it with "
		                       "--device /dev/fuse --cap-add SYS_ADMIN",
		                       strerror(error));
	return config_complain(complaint,
	                       "/dev/fuse: %s; run modprobe fuse (in a container: start it with "
	                       "--device /dev/fuse --cap-add SYS_ADMIN)",
	                       strerror(error));
}

int mountpoint_check_device(const char *path, struct config_complaint *complaint)
{
	int descriptor;

	if (attachment_descriptor(path) >= 0)
		return 0;
	descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (descriptor < 0)
		return complain_of_device(errno, complaint);
	close(descriptor);
	return 0;
}

/* In fuse.conf; one that this user may not read allows what fusermount3, who may, finds in it. */
static bool users_may_share(void)
{
	FILE *file = fopen("/etc/fuse.conf", "re");
	bool is_found = !file && errno == EACCES;
	char line[256];

	while (file && !is_found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		is_found = strcmp(line, "user_allow_other") == 0;
	}
	if (file)
		fclose(file);
	return is_found;
}

int mountpoint_check_sharing(const struct config *config, struct config_complaint *complaint)
{
	if (!(config->allow_other || config->allow_root) || geteuid() == 0 || users_may_share())
		return 0;
	return config_complain(complaint,
	                       "option %s: not for users here; as root, add the line "
	                       "user_allow_other to /etc/fuse.conf",
	                       config->allow_other ? "allow_other" : "allow_root");
}
