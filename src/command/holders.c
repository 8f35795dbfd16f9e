/* SPDX-License-Identifier: MIT */
/* By the links in /proc, proc(5): reading them touches nothing of what they lead to. */

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/text.h"
#include "kapturefs/command/holders.h"

enum { LINK_SIZE = 64 };

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static bool leads_below(const char *link, const char *path)
{
	size_t path_length = strlen(path);
	char target[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);

	if (length < 0)
		return false;
	target[length] = '\0';
	return strncmp(target, path, path_length) == 0 &&
	       (target[path_length] == '/' || target[path_length] == '\0');
}

static bool has_open(pid_t pid, const char *path)
{
	cleanup(close_directory) DIR *directory = NULL;
	const struct dirent *entry;
	char link[LINK_SIZE + sizeof(entry->d_name)];

	snprintf(link, sizeof(link), "/proc/%d/fd", (int)pid);
	directory = opendir(link);
	while (directory && (entry = readdir(directory))) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%s", (int)pid, entry->d_name);
		if (leads_below(link, path))
			return true;
	}
	return false;
}

static bool is_inside(pid_t pid, const char *path)
{
	char link[LINK_SIZE];

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	if (leads_below(link, path))
		return true;
	snprintf(link, sizeof(link), "/proc/%d/root", (int)pid);
	return leads_below(link, path);
}

static void read_name(struct holder *holder)
{
	char path[LINK_SIZE];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)holder->pid);
	file = fopen(path, "re");
	if (!file || !fgets(holder->name, sizeof(holder->name), file))
		snprintf(holder->name, sizeof(holder->name), "process");
	holder->name[text_make_visible(holder->name, strcspn(holder->name, "\n"))] = '\0';
	if (file)
		fclose(file);
}

size_t holders_list(const char *path, struct holder *ret, size_t max)
{
	cleanup(close_directory) DIR *processes = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	while (processes && count < max && (entry = readdir(processes))) {
		struct holder holder = { .pid = (pid_t)atoi(entry->d_name) };

		if (!isdigit((unsigned char)entry->d_name[0]) || holder.pid == getpid())
			continue;
		holder.is_inside = is_inside(holder.pid, path);
		if (!holder.is_inside && !has_open(holder.pid, path))
			continue;
		read_name(&holder);
		ret[count++] = holder;
	}
	return count;
}
