/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/command/owner.h"
#include "kapturefs/command/place.h"
#include "kapturefs/fs/mounts.h"

enum {
	LINKS_MAX = 40,
	TEXT_SIZE = 2 * PATH_MAX,
	NAME_SIZE = 1024 + 1, /* to FUSE; the names of addresses may be over NAME_MAX */
};

struct walk {
	int descriptor; /* of where it has come to */
	struct mounts_entry mount;
	unsigned links;
	char rest[TEXT_SIZE];
};

static void walk_fini(const struct walk *walk)
{
	if (walk->descriptor >= 0)
		close(walk->descriptor);
}

static void step_to(struct walk *walk, int descriptor)
{
	close(walk->descriptor);
	walk->descriptor = descriptor;
}

/* Take the next name off the path; false at its end. */
static bool take_name(char *rest, char name[NAME_SIZE], int *ret_error)
{
	const char *from = rest + strspn(rest, "/");
	size_t length = strcspn(from, "/");

	*ret_error = length >= NAME_SIZE ? -ENAMETOOLONG : 0;
	if (!length || *ret_error)
		return false;
	memcpy(name, from, length);
	name[length] = '\0';
	memmove(rest, from + length, strlen(from + length) + 1);
	return true;
}

static int set_rest(struct walk *walk, const char *first, const char *second)
{
	char text[TEXT_SIZE];
	int length = snprintf(text, sizeof(text), "%s/%s", first, second);

	if (length < 0 || (size_t)length >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(walk->rest, text, (size_t)length + 1);
	return 0;
}

static int go_to_root(struct walk *walk)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	step_to(walk, root);
	return 0;
}

static int follow(struct walk *walk, int link)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	if (walk->links++ == LINKS_MAX)
		return -ELOOP;
	target[length] = '\0';
	if (target[0] == '/' && go_to_root(walk))
		return -errno;
	return set_rest(walk, target, walk->rest);
}

static int step(struct walk *walk, const char *name, struct stat *ret)
{
	int next = openat(walk->descriptor, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (next < 0)
		return -errno;
	if (fstat(next, ret) < 0) {
		r = -errno;
		close(next);
		return r;
	}
	if (!S_ISLNK(ret->st_mode)) {
		step_to(walk, next);
		return 0;
	}
	r = follow(walk, next);
	close(next);
	return r;
}

static bool is_ours(struct walk *walk, const struct stat *status)
{
	if (S_ISLNK(status->st_mode))
		return false;
	walk->mount = mounts_find_device(major(status->st_dev), minor(status->st_dev));
	return strcmp(walk->mount.type, "fuse.kapturefs") == 0;
}

/* Without the last name, if there is one. */
static bool drop_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (!*path)
		return false;
	*(slash ? slash : path) = '\0';
	return true;
}

/* Read the rest of the path as one inside the mount; PLACE_OUTSIDE if it leads out again. */
static int go_inside(struct walk *walk, char path[KAPTUREFS_PATH_SIZE])
{
	char name[NAME_SIZE];
	int error;

	path[0] = '\0';
	while (take_name(walk->rest, name, &error)) {
		size_t length = strlen(path);

		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0 && !drop_name(path))
			return PLACE_OUTSIDE;
		if (strcmp(name, "..") == 0)
			continue;
		if (length + 1 + strlen(name) >= KAPTUREFS_PATH_SIZE)
			return -ENAMETOOLONG;
		sprintf(path + length, "%s%s", length ? "/" : "", name);
	}
	return error;
}

static int open_place(struct walk *walk, struct place *place)
{
	char path[sizeof("/proc/self/fd/2147483647")];

	place->mount = walk->mount;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", walk->descriptor);
	place->descriptor = open(path, O_RDONLY | O_CLOEXEC);
	return place->descriptor < 0 ? -errno : 0;
}

static int go(struct walk *walk, struct place *place)
{
	char name[NAME_SIZE];
	struct stat status;
	int error;
	int r;

	while (take_name(walk->rest, name, &error)) {
		r = step(walk, name, &status);
		if (r)
			return r;
		if (!is_ours(walk, &status))
			continue;
		r = go_inside(walk, place->path);
		if (r != PLACE_OUTSIDE)
			return r ? r : open_place(walk, place);
		r = set_rest(walk, "..", walk->rest);
		if (r)
			return r;
	}
	return error ? error : PLACE_OUTSIDE;
}

int place_find(const char *path, struct place *ret)
{
	cleanup(walk_fini) struct walk walk = { .descriptor = -1 };
	char *directory = NULL;
	int r;

	if (!path[0])
		return -ENOENT;
	if (path[0] != '/') {
		directory = getcwd(NULL, 0);
		if (!directory)
			return -errno;
	}
	r = set_rest(&walk, directory ? directory : "", path);
	free(directory);
	if (!r)
		r = go_to_root(&walk);
	return r ? r : go(&walk, ret);
}

void place_fini(struct place *place)
{
	close(place->descriptor);
}

int place_check_owner(const struct place *place, struct config_complaint *complaint)
{
	char owner[OWNER_SIZE];

	if (mounts_is_trusted(&place->mount))
		return 0;
	return config_complain(complaint, OWNER_COMPLAINT, owner_print(&place->mount, owner));
}

int place_order(const struct place *place, unsigned long command, struct kapturefs_order *order)
{
	int r = ioctl(place->descriptor, command, order);

	r = r < 0 ? -errno : r;
	order->cause[sizeof(order->cause) - 1] = '\0';
	text_make_line(order->cause);
	return r;
}

uint64_t place_metric(const struct place *place, const char *name, uint64_t otherwise)
{
	int descriptor = openat(place->descriptor, ".kapturefs/metrics", O_RDONLY | O_CLOEXEC);
	FILE *stream = descriptor < 0 ? NULL : fdopen(descriptor, "r");
	size_t length = strlen(name);
	char *line = NULL;
	size_t size = 0;

	while (stream && getline(&line, &size, stream) > 0) {
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			otherwise = strtoull(line + length, NULL, 10);
	}
	free(line);
	if (stream)
		fclose(stream);
	return otherwise;
}

const char *place_error(int error)
{
	switch (error) {
	case -ENOENT:
		return "no such customer";
	case -EISDIR:
		return "names no customer; give by-id/ID, by-phone/NUMBER, by-email/ADDRESS or "
		       "something below";
	case -EACCES:
		return "the API refuses the token, or the mount may not be read";
	case -EPERM:
		return "only the owner of the mount may";
	case -ENETDOWN:
		return "the mount is offline";
	case -EHOSTUNREACH:
		return "the API cannot be reached";
	case -ETIMEDOUT:
		return "the API did not answer in time";
	case -EIO:
		return "the API fails";
	case -EINVAL:
		return "the API calls the request invalid";
	case -EFBIG:
		return "the API's answer is too large";
	case -EBUSY:
		return "the API asks for fewer requests, or too many look-ups wait already";
	case -EPROTO:
		return "the API answers what it does not document, or has no valid certificate";
	case -ESTALE:
		return "forgotten in the meantime";
	case -ENOTCONN:
		return "a mount whose daemon died; run kapturefs umount on it";
	case -ENOTTY:
		return "the mount is of another version; unmount it, and mount it again";
	default:
		return strerror(-error);
	}
}
