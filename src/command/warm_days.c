/* SPDX-License-Identifier: MIT */
/* The part of `warm` that walks days: each is a key to have asked for, and then a directory. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/command/keyword.h"
#include "kapturefs/command/warm_parts.h"
#include "kapturefs/model/date.h"

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

int warm_days_list(struct warm *warm)
{
	struct key key = { .kind = KEY_DATE };
	char word[KEYWORD_SIZE];
	int r = 0;

	for (int32_t day = warm->first_day; !r && day <= warm->last_day; day++) {
		date_print(day, key.text);
		keyword_print(&key, word);
		r = warm_keys_add(&warm->days, word);
	}
	return r;
}

static int open_day(const struct warm *warm, size_t place, DIR **ret)
{
	char path[KAPTUREFS_PATH_SIZE];
	int descriptor;

	warm_path(&warm->days, place, path);
	descriptor = openat(warm->place.descriptor, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	*ret = fdopendir(descriptor);
	if (*ret)
		return 0;
	close(descriptor);
	return -errno;
}

int warm_days_read(struct warm *warm, size_t place)
{
	cleanup(close_directory) DIR *directory = NULL;
	const struct dirent *entry;
	char word[KEYWORD_SIZE];
	struct key key;
	int r;

	r = open_day(warm, place, &directory);
	while (!r && (errno = 0, entry = readdir(directory))) {
		if (key_parse(KEY_ID, entry->d_name, strlen(entry->d_name), &key))
			continue;
		keyword_print(&key, word);
		r = warm_keys_add(&warm->keys, word);
	}
	return r ? r : -errno;
}
