#pragma once
/* SPDX-License-Identifier: MIT */
/* A directory for one test, and the bytes of its files. Include cmocka.h and its headers first. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/base/base.h"

struct fixture {
	char directory[64];
	char path[96];
};

struct content {
	char *bytes;
	size_t length;
};

static inline int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->directory, "/tmp/test_database.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/a.db", fixture->directory);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[96];

	snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static inline struct content read_content(const char *path)
{
	FILE *file = fopen(path, "r");
	struct content content = { calloc(1, 1 << 20), 0 };

	assert_non_null(file);
	assert_non_null(content.bytes);
	content.length = fread(content.bytes, 1, 1 << 20, file);
	fclose(file);
	return content;
}

static inline void write_content(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static inline void assert_content(const char *path, const struct content *expected)
{
	struct content content = read_content(path);

	assert_int_equal(content.length, expected->length);
	assert_memory_equal(content.bytes, expected->bytes, expected->length);
	free(content.bytes);
}

static inline void assert_mode(const char *path, mode_t expected)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, expected);
}

static inline const char *beside(const struct fixture *fixture, const char *suffix)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", fixture->path, suffix);
	return path;
}

static inline bool has_file(const struct fixture *fixture, const char *suffix)
{
	return access(beside(fixture, suffix), F_OK) == 0;
}

#define in_a_directory(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
