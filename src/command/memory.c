/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/memory.h"

enum {
	PATH_SIZE = 4096,
	BESIDES = 24 << 20,
	SHARE_MIN = 1 << 20,
};

/* Without a limit, version 1 says a number close to the largest, and version 2 "max". */
#define NO_LIMIT (UINT64_C(1) << 60)

static void narrow(struct memory_limit *limit, uint64_t bytes, const char *source)
{
	if (bytes >= limit->bytes || bytes >= NO_LIMIT)
		return;
	limit->bytes = bytes;
	snprintf(limit->source, sizeof(limit->source), "%.*s", MEMORY_SOURCE_SIZE - 1, source);
}

static void read_limit(const char *root, const char *path, struct memory_limit *limit)
{
	char name[PATH_SIZE + MEMORY_SOURCE_SIZE];
	char text[32] = "";
	FILE *file;
	char *end;
	uint64_t bytes;

	snprintf(name, sizeof(name), "%s%s", root, path);
	file = fopen(name, "re");
	if (!file)
		return;
	if (fgets(text, sizeof(text), file)) {
		bytes = strtoull(text, &end, 10);
		if (end != text)
			narrow(limit, bytes, path);
	}
	fclose(file);
}

/* The group at @path, and those above it. */
static void read_groups(const char *root, const char *hierarchy, const char *path, const char *file,
                        struct memory_limit *limit)
{
	char name[PATH_SIZE];
	char group[PATH_SIZE / 2];
	char *slash;

	snprintf(group, sizeof(group), "%s", path);
	do {
		slash = strrchr(group, '/');
		if (slash && !slash[1])
			*slash = '\0';
		snprintf(name, sizeof(name), "%s%s/%s", hierarchy, group, file);
		read_limit(root, name, limit);
		slash = strrchr(group, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
}

static bool has_controller(const char *list, size_t length, const char *wanted)
{
	size_t size = strlen(wanted);

	for (const char *end = list + length; list < end;) {
		size_t one = strcspn(list, ",:");

		if (one == size && strncmp(list, wanted, size) == 0)
			return true;
		list += one + 1;
	}
	return false;
}

/* "number:controllers:path"; version 2 has no controllers. See cgroups(7). */
static void read_line(const char *root, const char *line, struct memory_limit *limit)
{
	const char *controllers = strchr(line, ':');
	const char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return;
	controllers++;
	path++;
	if (path == controllers + 1) {
		read_groups(root, "/sys/fs/cgroup", path, "memory.max", limit);
		read_groups(root, "/sys/fs/cgroup/unified", path, "memory.max", limit);
	} else if (has_controller(controllers, (size_t)(path - 1 - controllers), "memory")) {
		read_groups(root, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", limit);
	}
}

static void read_control_groups(const char *root, struct memory_limit *limit)
{
	char name[PATH_SIZE];
	char line[PATH_SIZE];
	FILE *file;

	snprintf(name, sizeof(name), "%s/proc/self/cgroup", root);
	file = fopen(name, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		read_line(root, line, limit);
	}
	if (file)
		fclose(file);
}

static void narrow_by(struct memory_limit *limit, const struct rlimit *own, const char *source)
{
	if (own->rlim_cur != RLIM_INFINITY)
		narrow(limit, own->rlim_cur, source);
}

static void read_resources(struct memory_limit *limit)
{
	struct rlimit own;

	if (getrlimit(RLIMIT_DATA, &own) == 0)
		narrow_by(limit, &own, "ulimit -d");
	if (getrlimit(RLIMIT_AS, &own) == 0)
		narrow_by(limit, &own, "ulimit -v");
}

void memory_limit_find(const char *root, struct memory_limit *ret)
{
	*ret = (struct memory_limit){ .bytes = UINT64_MAX };
	read_control_groups(root, ret);
	read_resources(ret);
}

uint64_t memory_share(const struct memory_limit *limit, uint64_t wanted)
{
	uint64_t left = limit->bytes > BESIDES ? (limit->bytes - BESIDES) / 2 : 0;
	uint64_t share = left > SHARE_MIN ? left : SHARE_MIN;

	return share < wanted ? share : wanted;
}
