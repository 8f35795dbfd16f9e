/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/config/detour.h"

enum { LINKS_MAX = 40 };

struct walk {
	const char *mountpoint;
	char done[PATH_MAX]; /* without links, `.` and `..`; "" for the root */
	char rest[2 * PATH_MAX];
	unsigned links;
	bool went_through;
};

static bool is_inside(const struct walk *walk)
{
	size_t length = strlen(walk->mountpoint);

	return strncmp(walk->done, walk->mountpoint, length) == 0 &&
	       (walk->done[length] == '/' || walk->done[length] == '\0');
}

static int set_rest(struct walk *walk, const char *first, const char *second)
{
	char text[sizeof(walk->rest)];
	int length = snprintf(text, sizeof(text), "%s/%s", first, second);

	if (length < 0 || (size_t)length >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(walk->rest, text, (size_t)length + 1);
	return 0;
}

/* Where the last name is a link, go on from there. What does not exist is none. */
static int follow(struct walk *walk)
{
	char target[PATH_MAX];
	ssize_t length = readlink(walk->done, target, sizeof(target) - 1);

	if (length < 0)
		return 0;
	if (walk->links++ == LINKS_MAX)
		return -ELOOP;
	target[length] = '\0';
	*(target[0] == '/' ? walk->done : strrchr(walk->done, '/')) = '\0';
	return set_rest(walk, target, walk->rest);
}

static int step(struct walk *walk, const char *name, size_t length)
{
	size_t done = strlen(walk->done);

	if (length == 1 && name[0] == '.')
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0) {
		*(done ? strrchr(walk->done, '/') : walk->done) = '\0';
		return 0;
	}
	if (done + 1 + length >= sizeof(walk->done))
		return -ENAMETOOLONG;
	walk->done[done] = '/';
	memcpy(walk->done + done + 1, name, length);
	walk->done[done + 1 + length] = '\0';
	if (!is_inside(walk))
		return follow(walk);
	walk->went_through = true;
	return 0;
}

static int walk_to_end(struct walk *walk)
{
	char name[NAME_MAX + 1];
	int r = 0;

	while (!r) {
		const char *start = walk->rest + strspn(walk->rest, "/");
		size_t length = strcspn(start, "/");

		if (!length)
			return 0;
		if (length >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, start, length);
		memmove(walk->rest, start + length, strlen(start + length) + 1);
		r = step(walk, name, length);
	}
	return r;
}

int detour_find(const char *path, const char *mountpoint, char **ret)
{
	struct walk walk = { .mountpoint = mountpoint };
	int r;

	*ret = NULL;
	r = set_rest(&walk, path, "");
	if (!r)
		r = walk_to_end(&walk);
	if (r)
		return r;
	if (is_inside(&walk))
		return DETOUR_BELOW;
	if (!walk.went_through)
		return 0;
	*ret = strdup(walk.done[0] ? walk.done : "/");
	return *ret ? 0 : -ENOMEM;
}
