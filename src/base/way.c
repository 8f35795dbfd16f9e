/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/way.h"

enum { LINKS_MAX = 40 };

static int set_rest(struct way *way, const char *first, const char *second)
{
	char text[sizeof(way->rest)];
	int length = snprintf(text, sizeof(text), "%s/%s", first, second);

	if (length < 0 || (size_t)length >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(way->rest, text, (size_t)length + 1);
	return 0;
}

int way_begin(struct way *way, const char *path)
{
	way->done[0] = '\0';
	way->links = 0;
	return set_rest(way, path, "");
}

const char *way_rest(const struct way *way)
{
	return way->rest + strspn(way->rest, "/");
}

static int take_name(struct way *way, const char *name, size_t length)
{
	size_t done = strlen(way->done);

	if (length == 1 && name[0] == '.')
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0) {
		*(done ? strrchr(way->done, '/') : way->done) = '\0';
		return 0;
	}
	if (length > NAME_MAX || done + 1 + length >= sizeof(way->done))
		return -ENAMETOOLONG;
	way->done[done] = '/';
	memcpy(way->done + done + 1, name, length);
	way->done[done + 1 + length] = '\0';
	return 0;
}

int way_next(struct way *way)
{
	const char *name = way_rest(way);
	size_t length = strcspn(name, "/");
	int r;

	if (!length)
		return 0;
	r = take_name(way, name, length);
	if (r)
		return r;
	memmove(way->rest, name + length, strlen(name + length) + 1);
	return 1;
}

int way_follow(struct way *way)
{
	char target[PATH_MAX];
	ssize_t length = readlink(way->done, target, sizeof(target) - 1);
	int r;

	if (length < 0)
		return 0;
	if (way->links++ == LINKS_MAX)
		return -ELOOP;
	target[length] = '\0';
	*(target[0] == '/' ? way->done : strrchr(way->done, '/')) = '\0';
	r = set_rest(way, target, way->rest);
	return r ? r : 1;
}
