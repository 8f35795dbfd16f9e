#pragma once
/* SPDX-License-Identifier: MIT */
/* A directory for the files of one test, gone at its end. */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
	char path[128];
	char file[512]; /* what scratch_path() returned last */
};

static inline int scratch_setup(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));
	const char *base = getenv("TMPDIR");

	if (!scratch)
		return -1;
	snprintf(scratch->path, sizeof(scratch->path), "%s/kapturefs-XXXXXX",
	         base && strlen(base) < 64 ? base : "/tmp");
	*state = scratch;
	return mkdtemp(scratch->path) ? 0 : -1;
}

static inline const char *scratch_path(struct scratch *scratch, const char *name)
{
	snprintf(scratch->file, sizeof(scratch->file), "%s/%s", scratch->path, name);
	return scratch->file;
}

static inline int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;
	DIR *directory = opendir(scratch->path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] != '.')
			remove(scratch_path(scratch, entry->d_name));
	}
	if (directory)
		closedir(directory);
	rmdir(scratch->path);
	free(scratch);
	return 0;
}

/* Write a file, replacing what was there; returns its path, valid until the next call. */
static inline const char *scratch_write_bytes(struct scratch *scratch, const char *name,
                                              mode_t mode, const void *bytes, size_t length)
{
	const char *path = scratch_path(scratch, name);
	int descriptor;
	ssize_t written;

	unlink(path);
	descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert(descriptor >= 0);
	written = write(descriptor, bytes, length);
	assert(written == (ssize_t)length);
	written = fchmod(descriptor, mode);
	assert(written == 0);
	close(descriptor);
	return path;
}

static inline const char *scratch_write(struct scratch *scratch, const char *name, mode_t mode,
                                        const char *text)
{
	return scratch_write_bytes(scratch, name, mode, text, strlen(text));
}
