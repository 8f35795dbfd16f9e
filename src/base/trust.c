/* SPDX-License-Identifier: MIT */
/*
 * The way is gone along from the root, name by name, and each name is looked at only when nobody
 * else can change the directory that it stands in. So what was seen of it stays true until the file
 * is opened, by its path, later.
 *
 *   the file, each directory and each link        belongs to root or to us
 *   the file, and the directory in which it is    nobody else may write to, sticky or not
 *   the directories above that                    nobody else may write to, or they are sticky
 *
 * A sticky bit keeps others from renaming and removing what is ours or root's. That is enough
 * above: a directory of ours below /tmp stays where it is, and its own mode tells who may write to
 * it. It is not enough where the file is: there others make files under names that are free, and
 * the log of a database has such a name until it is written to.
 *
 * What is in a file system that another user has mounted is his, whatever it says.
 *
 * An access control list that lets others write shows in the mode of its file, as the group's.
 */

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kapturefs/base/trust.h"
#include "kapturefs/base/way.h"

static bool is_open(const struct stat *status)
{
	return status->st_mode & (S_IWGRP | S_IWOTH);
}

/* Who has mounted the file system in @line of mountinfo, if it is @device and of FUSE. */
static bool is_mounted_by(const char *line, dev_t device, uid_t *ret)
{
	unsigned first, second, owner;
	const char *options = strrchr(line, ' ');
	const char *option = options ? strstr(options, ",user_id=") : NULL;

	if (!option || sscanf(line, "%*u %*u %u:%u", &first, &second) != 2 ||
	    sscanf(option, ",user_id=%u", &owner) != 1)
		return false;
	*ret = owner;
	return makedev(first, second) == device;
}

static void close_table(FILE **table)
{
	if (*table)
		fclose(*table);
}

static void free_line(char **line)
{
	free(*line);
}

/*
 * What a file system in user space says of owners and modes is the word of whoever has mounted it:
 * it is as good as one of his files.
 */
static bool is_told_by_another(dev_t device)
{
	cleanup(close_table) FILE *table = NULL;
	cleanup(free_line) char *line = NULL;
	size_t size = 0;
	uid_t owner;

	/* Those are on no disk. */
	if (major(device) != 0)
		return false;
	table = fopen("/proc/self/mountinfo", "re");
	while (table && getline(&line, &size, table) > 0) {
		if (is_mounted_by(line, device, &owner))
			return owner != 0 && owner != geteuid();
	}
	return false;
}

/* A path that is longer than the sentence may be is cut. */
static int printf_like(2, 3) tell(char why[TRUST_WHY_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, TRUST_WHY_SIZE, format, arguments);
	va_end(arguments);
	return TRUST_EXPOSED;
}

static bool is_anothers(const struct stat *status)
{
	return (status->st_uid != 0 && status->st_uid != geteuid()) ||
	       is_told_by_another(status->st_dev);
}

static int tell_owner(const char *path, char why[TRUST_WHY_SIZE])
{
	return tell(why,
	            "%s belongs to another user, who may put something else there; give a path in "
	            "a directory of your own",
	            path);
}

static int tell_mode(const char *path, char why[TRUST_WHY_SIZE])
{
	return tell(why, "others may write to %s; run chmod go-w %s", path, path);
}

/* Not to be closed: it is there for everybody. */
static int tell_sticky(const char *path, char why[TRUST_WHY_SIZE])
{
	return tell(why,
	            "others may make files in %s; make a directory of your own there (mkdir -m "
	            "700), and give a path in it",
	            path);
}

/* The directory in which the last name was taken up. */
static void find_directory(const struct way *way, char ret[PATH_MAX])
{
	strcpy(ret, way->done);
	*(ret[0] ? strrchr(ret, '/') : ret) = '\0';
	if (!ret[0])
		strcpy(ret, "/");
}

static int judge_directory(const char *directory, bool may_be_sticky, char why[TRUST_WHY_SIZE])
{
	struct stat status;

	if (stat(directory, &status) < 0)
		return 0;
	if (is_anothers(&status))
		return tell_owner(directory, why);
	if (!is_open(&status) || (may_be_sticky && status.st_mode & S_ISVTX))
		return 0;
	return status.st_mode & S_ISVTX ? tell_sticky(directory, why) : tell_mode(directory, why);
}

/*
 * The kernel's links to what a process has open, as /dev/fd/3. Whoever has started us has opened it
 * already, and no name on the way counts any more.
 */
static bool leads_to_descriptor(const struct way *way, const char *directory)
{
	struct statfs system;

	return !way_rest(way)[0] && statfs(directory, &system) == 0 &&
	       system.f_type == PROC_SUPER_MAGIC;
}

static int judge_name(struct way *way, bool *ret_ends, char why[TRUST_WHY_SIZE])
{
	char directory[PATH_MAX];
	struct stat status;
	bool is_link;
	int r;

	find_directory(way, directory);
	*ret_ends = lstat(way->done[0] ? way->done : "/", &status) < 0;
	if (*ret_ends)
		return judge_directory(directory, false, why);

	is_link = S_ISLNK(status.st_mode);
	r = judge_directory(directory, is_link || way_rest(way)[0], why);
	if (r)
		return r;
	if (is_anothers(&status))
		return tell_owner(way->done, why);
	*ret_ends = is_link && leads_to_descriptor(way, directory);
	r = *ret_ends ? 0 : way_follow(way);
	return r < 0 ? r : 0;
}

static int look(struct way *way, char why[TRUST_WHY_SIZE])
{
	bool ends = false;
	int r = 0;

	while (!r && !ends && (r = way_next(way)) > 0)
		r = judge_name(way, &ends, why);
	return r;
}

int trust_look_on_the_way(const char *path, char why[TRUST_WHY_SIZE])
{
	char directory[PATH_MAX];
	char absolute[2 * PATH_MAX];
	struct way way;
	int length;
	int r;

	if (path[0] == '/')
		directory[0] = '\0';
	else if (!getcwd(directory, sizeof(directory)))
		return -errno;
	length = snprintf(absolute, sizeof(absolute), "%s/%s", directory, path);
	if (length < 0 || (size_t)length >= sizeof(absolute))
		return -ENAMETOOLONG;
	r = way_begin(&way, absolute);
	return r ? r : look(&way, why);
}

int trust_look(const char *path, char why[TRUST_WHY_SIZE])
{
	struct stat status;
	int r = trust_look_on_the_way(path, why);

	if (r || stat(path, &status) < 0 || !S_ISREG(status.st_mode) || !is_open(&status))
		return r;
	return tell_mode(path, why);
}
