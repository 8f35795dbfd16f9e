/* SPDX-License-Identifier: MIT */
/*
 * The daemon is found before the mount is gone, for then nobody can be asked who it was, and
 * waited for by a descriptor, since its number may be another's by the time it has ended.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/control_read.h"
#include "kapturefs/command/holders.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/fs/mounts.h"

enum {
	STATUS_SIZE_MAX = 1 << 20,
	CAUSE_SIZE = 512,
	HOLDERS_SHOWN = 5,
	END_MS = 30 * 1000,
	NOT_MOUNTED = -1,
};

struct unmounting {
	int directory; /* the one above, open, or -1 */
	struct mounts_mount mount;
	char path[PATH_MAX + NAME_MAX + 2]; /* absolute, for people */
	char place[NAME_MAX + 64];          /* by the open directory */
	int daemon;                         /* a descriptor of the process, or -1 */
	pid_t pid;
	bool answers;
	char cause[CAUSE_SIZE]; /* of a failure */
};

static int complain(const char *path, const char *text, int status)
{
	terminal_complain("kapturefs: umount: %s: %s", path, text);
	return status;
}

static void free_text(char **text)
{
	free(*text);
}

/* Where it is */

static void describe(struct unmounting *unmounting)
{
	char above[PATH_MAX];
	ssize_t length;

	snprintf(unmounting->place, sizeof(unmounting->place), "/proc/self/fd/%d",
	         unmounting->directory);
	length = readlink(unmounting->place, above, sizeof(above) - 1);
	above[length < 0 ? 0 : length] = '\0';
	snprintf(unmounting->path, sizeof(unmounting->path), "%s/%s",
	         strcmp(above, "/") == 0 ? "" : above, unmounting->mount.name);
	snprintf(unmounting->place, sizeof(unmounting->place), "/proc/self/fd/%d/%s",
	         unmounting->directory, unmounting->mount.name);
}

/* Whether a mount is there, by the last name, which is not followed; it is not held open. */
static bool look(struct unmounting *unmounting, char *path)
{
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int root;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	close_descriptor(&unmounting->directory);
	if (slash)
		*slash = '\0';
	unmounting->directory = open(!slash          ? "."
	                             : slash == path ? "/"
	                                             : path,
	                             O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (unmounting->directory < 0)
		return false;
	root = mounts_look(unmounting->directory, name, &unmounting->mount);
	if (root < 0)
		return false;
	close(root);
	return strcmp(unmounting->mount.entry.type, "fuse.kapturefs") == 0;
}

/*
 * The last name is not looked at: a mount whose daemon died or hangs has no answer to it. From here
 * on the directory above is meant that is open now, whatever is renamed. Returns 0,
 * NOT_MOUNTED or an errno.
 */
static int find(struct unmounting *unmounting, const char *path)
{
	cleanup(free_text) char *copy = strdup(path);
	cleanup(free_text) char *whole = NULL;

	if (!copy)
		return ENOMEM;
	for (size_t length = strlen(copy); length > 1 && copy[length - 1] == '/';)
		copy[--length] = '\0';
	if (!look(unmounting, copy)) {
		/* A dead mount can still be told where it is to those who stand in it. */
		whole = strcmp(path, ".") == 0 ? getcwd(NULL, 0) : realpath(path, NULL);
		if (!whole)
			return errno;
		if (!look(unmounting, whole))
			return NOT_MOUNTED;
	}
	describe(unmounting);
	return 0;
}

/* Who serves it */

static bool is_kapturefs(pid_t pid)
{
	char path[64];
	char name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (file) {
		(void)!fgets(name, sizeof(name), file);
		fclose(file);
	}
	return strstr(name, "kapture");
}

/* /proc/PID itself is root's, where a process hides from its own user, as ours do. */
static bool is_of_user(pid_t pid, uid_t user)
{
	char path[64];
	char line[128];
	unsigned found;
	bool is_found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && !is_found && fgets(line, sizeof(line), file))
		is_found = sscanf(line, "Uid: %u", &found) == 1;
	if (file)
		fclose(file);
	return is_found && found == user;
}

/* Another user's mount may name any process; one of somebody else is not waited for. */
static bool may_serve(const struct mounts_entry *entry, pid_t pid)
{
	return mounts_is_trusted(entry) || is_of_user(pid, entry->owner);
}

/* In a container the number may be one of another world. */
static void find_daemon(struct unmounting *unmounting)
{
	cleanup(buffer_fini) struct buffer page;
	struct config_complaint complaint;
	const char *member;

	buffer_init(&page, STATUS_SIZE_MAX);
	if (control_read_any(unmounting->place, "status.json", &page, &complaint) ||
	    buffer_append_text(&page, ""))
		return;
	unmounting->answers = true;
	member = strstr(page.data, "\"pid\": ");
	unmounting->pid = member ? (pid_t)atoi(member + strlen("\"pid\": ")) : 0;
	if (unmounting->pid > 0 && is_kapturefs(unmounting->pid) &&
	    may_serve(&unmounting->mount.entry, unmounting->pid))
		unmounting->daemon = (int)syscall(SYS_pidfd_open, unmounting->pid, 0);
}

/* Unmounting */

/* The last line that came, without who says it. */
static void keep_cause(char cause[CAUSE_SIZE], char *text, size_t length)
{
	static const char name[] = "fusermount3: ";
	char *start;

	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	start = strrchr(text, '\n');
	start = start ? start + 1 : text;
	if (strncmp(start, name, strlen(name)) == 0)
		start += strlen(name);
	snprintf(cause, CAUSE_SIZE, "%s", start);
}

/* Run fusermount3, which may where an ordinary user may not. */
static int run_fusermount(const struct unmounting *unmounting, bool is_lazy, char cause[CAUSE_SIZE])
{
	cleanup(free_text) char *place = strdup(unmounting->mount.name);
	char program[] = FUSERMOUNT, unmount[] = "-u", lazy[] = "-z", end[] = "--";
	char *arguments[] = { program,
		              unmount,
		              is_lazy ? lazy : end,
		              is_lazy ? end : place,
		              is_lazy ? place : NULL,
		              NULL };
	posix_spawn_file_actions_t actions;
	char text[CAUSE_SIZE];
	size_t length = 0;
	ssize_t piece = 0;
	int status = 0;
	int ends[2];
	pid_t pid;
	int r;

	if (!place || pipe2(ends, O_CLOEXEC) < 0)
		return -ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	posix_spawn_file_actions_addfchdir_np(&actions, unmounting->directory);
	r = -posix_spawn(&pid, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (!r && length < sizeof(text) - 1 &&
	       (piece = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)piece;
	close(ends[0]);
	if (r == -ENOENT)
		snprintf(cause, CAUSE_SIZE, "no fusermount3 here; install the package fuse3");
	if (r)
		return r;
	keep_cause(cause, text, length);
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -EPERM;
}

static int unmount(struct unmounting *unmounting, bool is_lazy)
{
	int flags = UMOUNT_NOFOLLOW | (is_lazy ? MNT_DETACH : 0);

	/* While it is mounted on, the name cannot come to be another directory's. */
	if (fchdir(unmounting->directory) == 0 && umount2(unmounting->mount.name, flags) == 0)
		return 0;
	snprintf(unmounting->cause, CAUSE_SIZE, "%s", strerror(errno));
	return errno == EPERM ? run_fusermount(unmounting, is_lazy, unmounting->cause) : -errno;
}

/* "bash (4711) is in it, less (4712) has a file of it open" */
static bool say_holders(const char *path, char cause[CAUSE_SIZE])
{
	struct holder holders[HOLDERS_SHOWN + 1];
	size_t count = holders_list(path, holders, HOLDERS_SHOWN + 1);
	size_t length;

	if (!count)
		return false;
	length = (size_t)snprintf(cause, CAUSE_SIZE, "busy: ");
	for (size_t i = 0; i < count && i < HOLDERS_SHOWN; i++)
		length += (size_t)snprintf(cause + length, CAUSE_SIZE - length, "%s%s (%d) %s",
		                           i ? ", " : "", holders[i].name, (int)holders[i].pid,
		                           holders[i].is_inside ? "is in it"
		                                                : "has a file of it open");
	snprintf(cause + length, CAUSE_SIZE - length, "%s; end %s and try again",
	         count > HOLDERS_SHOWN ? ", and others" : "", count == 1 ? "it" : "them");
	return true;
}

/* Who is busy in a dead mount has nothing to wait for. */
static int take_away(struct unmounting *unmounting)
{
	int r = unmount(unmounting, false);

	if (r && !unmounting->answers && mountpoint_look(unmounting->place) == MOUNTPOINT_DEAD)
		r = unmount(unmounting, true);
	if (!r)
		return EXIT_OK;
	if (!say_holders(unmounting->path, unmounting->cause) && r == -EBUSY)
		snprintf(unmounting->cause, CAUSE_SIZE,
		         "busy: another user's process, or a kapturefs command, is in it or has "
		         "a file of it open");
	return complain(unmounting->path, unmounting->cause, EXIT_LOCAL);
}

/* Only then its cache is closed. */
static int wait_for_daemon(const struct unmounting *unmounting)
{
	struct pollfd ended = { .fd = unmounting->daemon, .events = POLLIN };
	int r;

	if (unmounting->daemon < 0)
		return EXIT_OK;
	do
		r = poll(&ended, 1, END_MS);
	while (r < 0 && errno == EINTR);
	if (r == 1)
		return EXIT_OK;
	terminal_complain(
	        "kapturefs: umount: %s: unmounted, but process %d has not ended within %d s: its "
	        "disk is slow, or a container has the mount, too",
	        unmounting->path, (int)unmounting->pid, END_MS / 1000);
	return EXIT_LOCAL;
}

int command_umount(int argc, char **argv)
{
	struct unmounting unmounting = { .directory = -1, .daemon = -1 };
	int status;
	int error;

	if (argc > 1 && strcmp(argv[1], "--") == 0)
		argc--, argv++;
	else if (argc > 1 && argv[1][0] == '-' && argv[1][1])
		return complain(argv[1], "unknown option; see kapturefs umount --help", EXIT_USAGE);
	if (argc != 2) {
		terminal_complain("kapturefs: umount: give one MOUNTPOINT");
		return EXIT_USAGE;
	}
	error = find(&unmounting, argv[1]);
	if (error) {
		close_descriptor(&unmounting.directory);
		return complain(argv[1],
		                error == NOT_MOUNTED
		                        ? "no kapturefs is mounted there; see findmnt -t "
		                          "fuse.kapturefs"
		                        : strerror(error),
		                EXIT_LOCAL);
	}
	find_daemon(&unmounting);
	status = take_away(&unmounting);
	if (status == EXIT_OK)
		status = wait_for_daemon(&unmounting);
	close_descriptor(&unmounting.daemon);
	close_descriptor(&unmounting.directory);
	return status;
}
