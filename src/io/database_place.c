/* SPDX-License-Identifier: MIT */
/*
 * SQLite writes to a log or journal that it finds beside its file. Another user who has made that
 * first keeps it open, and reads all that is written. To look at the files is not enough, as they
 * can be made after the look: so the directory must be closed to others. To look at the directory
 * is not enough either, as it may have been open to them before.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/io/database_place.h"

static const char *judge(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return "is no regular file; move it away";
	if (status->st_uid != geteuid())
		return "belongs to another user, who may read what is written to it; move it away";
	if (status->st_mode & (S_IRWXG | S_IRWXO))
		return "is open to others; run chmod 600 on it, and consider known what it holds";
	if (status->st_nlink != 1)
		return "has a second name, in which it may be read; move it away";
	return NULL;
}

static int look_beside(const char *path, const char *suffix, char why[TRUST_WHY_SIZE])
{
	struct stat status;
	const char *fault;
	char *beside;
	int r = 0;

	if (asprintf(&beside, "%s%s", path, suffix) < 0)
		return -ENOMEM;
	fault = lstat(beside, &status) == 0 ? judge(&status) : NULL;
	if (fault) {
		snprintf(why, TRUST_WHY_SIZE, "%s %s", beside, fault);
		r = TRUST_EXPOSED;
	}
	free(beside);
	return r;
}

int database_place_look(const char *path, char why[TRUST_WHY_SIZE])
{
	return trust_look_on_the_way(path, why);
}

int database_place_look_beside(const char *path, char why[TRUST_WHY_SIZE])
{
	static const char *const suffixes[] = { "-wal", "-journal", "-shm" };
	int r = 0;

	for (size_t i = 0; !r && i < array_length(suffixes); i++)
		r = look_beside(path, suffixes[i], why);
	return r;
}
