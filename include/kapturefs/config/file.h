#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: INI, a section per source; see kapturefs.conf(5).
 *
 * Reading checks the whole of it, so that a file is either good for every source or refused.
 */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/**
 * Sections stand in the order of the file. The first has no name and holds what is said
 * before any section, for all.
 */
struct config_section {
	char *name;     /* as the user wrote it */
	char *base_url; /* what it means */
	unsigned line;
};

struct config_entry {
	size_t section;
	unsigned line;
	char *name;
	char *value;
};

struct config_file {
	char *path; /* absolute */
	char *directory;
	struct config_section *sections;
	size_t section_count;
	struct config_entry *entries;
	size_t entry_count;
};

enum config_file_outcome {
	CONFIG_FILE_ABSENT = 1,
};

/**
 * Read the file at @path, which must be absolute.
 *
 * Returns 0 with *@ret, to be ended with config_file_fini(); -EINVAL with *@complaint,
 * which names file, line and option; CONFIG_FILE_ABSENT when there is none, with a
 * *@complaint, too; -ENOMEM.
 */
int config_file_read(const char *path, struct config_file *ret,
                     struct config_complaint *complaint) must_check;
void config_file_fini(struct config_file *file);

/**
 * Set the options for all and those of @section. Without a section (0) in a file that has some,
 * those that name secrets are left out. Returns 0, or a negative errno when there is no memory.
 */
int config_file_apply(const struct config_file *file, size_t section, struct config *config,
                      struct config_complaint *complaint) must_check;

/** The section for @base_url; 0, which is what holds for all, if there is none of its own. */
size_t config_file_find(const struct config_file *file, const char *base_url);

/** Whether the file has @option for all, and it is left out for @section. */
bool config_file_withholds(const struct config_file *file, size_t section, const char *option);

/** The line where @section, or what holds for all, gives @option; 0 if neither does. */
unsigned config_file_line(const struct config_file *file, size_t section, const char *option);
