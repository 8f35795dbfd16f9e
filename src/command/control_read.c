/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/command/control_read.h"
#include "kapturefs/command/owner.h"
#include "kapturefs/fs/mounts.h"

enum {
	ANSWER_MS = 5000,
	PIECE_SIZE = 4096,
	/* The first byte of what the reader sends. */
	READ_WELL = 0,
	READ_BADLY = 1, /* then the complaint */
};

static int write_all(int descriptor, const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(descriptor, bytes, length);

		if (written < 0)
			return -errno;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* The reader */

static int complain_errno(const char *path, int error, struct config_complaint *complaint)
{
	if (error == ENOTCONN)
		return config_complain(complaint,
		                       "%s: a mount whose daemon died; run kapturefs umount %s (or "
		                       "fusermount3 -uz %s)",
		                       path, path, path);
	return config_complain(complaint, "%s: %s", path, strerror(error));
}

/* What is to be read, and where to. */
struct reading {
	const char *mountpoint;
	const char *name;
	bool is_anybodys;
	int to;
};

static int check(const struct reading *reading, const struct mounts_entry *entry,
                 struct config_complaint *complaint)
{
	char owner[OWNER_SIZE];

	if (strcmp(entry->type, "fuse.kapturefs") != 0)
		return config_complain(complaint, "%s: no kapturefs is mounted there",
		                       reading->mountpoint);
	if (reading->is_anybodys || mounts_is_trusted(entry))
		return 0;
	return config_complain(complaint, "%s: " OWNER_COMPLAINT, reading->mountpoint,
	                       owner_print(entry, owner));
}

/* What is checked is what is read: the path may lead elsewhere by then. */
static int open_file(const struct reading *reading, int *ret, struct config_complaint *complaint)
{
	struct mounts_entry entry;
	cleanup(close_descriptor) int root = mounts_open(reading->mountpoint, &entry);
	char path[64];
	int r;

	if (root < 0)
		return complain_errno(reading->mountpoint, -root, complaint);
	r = check(reading, &entry, complaint);
	if (r)
		return r;
	snprintf(path, sizeof(path), ".kapturefs/%s", reading->name);
	*ret = openat(root, path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? complain_errno(reading->mountpoint, errno, complaint) : 0;
}

static int send_file(const struct reading *reading, struct config_complaint *complaint)
{
	static const char well = READ_WELL;
	char bytes[PIECE_SIZE];
	ssize_t length;
	int from = -1;
	int r;

	r = open_file(reading, &from, complaint);
	if (!r)
		r = write_all(reading->to, &well, 1);
	while (!r && (length = read(from, bytes, sizeof(bytes))) != 0)
		r = length < 0 ? -errno : write_all(reading->to, bytes, (size_t)length);
	if (from >= 0)
		close(from);
	return r;
}

static _Noreturn void read_for_parent(const struct reading *reading)
{
	static const char badly = READ_BADLY;
	struct config_complaint complaint;
	int r = send_file(reading, &complaint);

	if (r == -EINVAL) {
		(void)!write_all(reading->to, &badly, 1);
		(void)!write_all(reading->to, complaint.text, strlen(complaint.text));
	}
	_exit(r != 0);
}

/* The parent */

static int take_piece(int from, struct buffer *text, bool *ret_ended)
{
	struct pollfd readable = { .fd = from, .events = POLLIN };
	char bytes[PIECE_SIZE];
	ssize_t length;
	int r = poll(&readable, 1, ANSWER_MS);

	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	length = read(from, bytes, sizeof(bytes));
	if (length < 0)
		return -errno;
	*ret_ended = length == 0;
	return buffer_append(text, bytes, (size_t)length);
}

static int take_all(int from, struct buffer *text)
{
	bool has_ended = false;
	int r = 0;

	while (!r && !has_ended) {
		r = take_piece(from, text, &has_ended);
		if (r == -EINTR)
			r = 0;
	}
	return r;
}

/* Anybody may mount something that calls itself kapturefs, at any path. */
static int judge(const char *mountpoint, struct buffer *answer, struct buffer *text,
                 struct config_complaint *complaint)
{
	size_t length;

	if (!answer->length)
		return config_complain(complaint, "%s: it cannot be read", mountpoint);
	length = text_make_visible(answer->data + 1, answer->length - 1);
	if (answer->data[0] == READ_BADLY)
		return config_complain(complaint, "%.*s", (int)length, answer->data + 1);
	return buffer_append(text, answer->data + 1, length);
}

static int fork_reader(struct reading *reading, int *ret_from, pid_t *ret_reader)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	reading->to = ends[1];
	*ret_reader = fork();
	if (*ret_reader == 0)
		read_for_parent(reading);
	close(ends[1]);
	*ret_from = ends[0];
	return *ret_reader < 0 ? -errno : 0;
}

static int read_file(struct reading *reading, struct buffer *text,
                     struct config_complaint *complaint)
{
	cleanup(close_descriptor) int from = -1;
	cleanup(buffer_fini) struct buffer answer;
	pid_t reader = -1;
	int r;

	buffer_init(&answer, text->size_max);
	r = fork_reader(reading, &from, &reader);
	if (r || reader < 0)
		return r;
	r = take_all(from, &answer);
	/* Who waits for a daemon that hangs may be killed, but not be waited for. */
	kill(reader, SIGKILL);
	waitpid(reader, NULL, r == -ETIMEDOUT ? WNOHANG : 0);
	if (r == -ETIMEDOUT)
		return config_complain(complaint,
		                       "%s: the daemon does not answer; see what it does, or end "
		                       "it with umount -f %s",
		                       reading->mountpoint, reading->mountpoint);
	return r ? r : judge(reading->mountpoint, &answer, text, complaint);
}

int control_read(const char *mountpoint, const char *name, struct buffer *text,
                 struct config_complaint *complaint)
{
	struct reading reading = { .mountpoint = mountpoint, .name = name };

	return read_file(&reading, text, complaint);
}

int control_read_any(const char *mountpoint, const char *name, struct buffer *text,
                     struct config_complaint *complaint)
{
	struct reading reading = { .mountpoint = mountpoint, .name = name, .is_anybodys = true };

	return read_file(&reading, text, complaint);
}
