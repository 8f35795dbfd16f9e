#pragma once
/* SPDX-License-Identifier: MIT */
/* The mount's options, by one table: their names, defaults, ranges and meanings. */

#include <stdbool.h>
#include <stdio.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/**
 * Set the option @name to @value. A flag takes yes or no, and no value (NULL) for yes. A
 * relative path is meant from @directory, NULL for the working directory. Returns 0,
 * -EINVAL with *@complaint, or another negative errno; on failure the option keeps its
 * value.
 */
int config_set_option(struct config *config, const char *name, const char *value,
                      const char *directory, struct config_complaint *complaint) must_check;

/**
 * Take a comma-separated list of options, as after `-o`. The words of fstab that are for
 * mount(8) are passed over. Otherwise as config_set_option() for each.
 */
int config_set_options(struct config *config, const char *options, const char *directory,
                       struct config_complaint *complaint) must_check;

/** Whether the list has a word that is for mount(8), who then has called us. */
bool config_has_fstab_word(const char *options);

/**
 * Take from @from the options that may change in a running mount. Tells whether others differ,
 * too, and names them in *@complaint, "a, b".
 */
bool config_take_changes(struct config *config, struct config *from,
                         struct config_complaint *complaint);

/**
 * Have every path keep away from @mountpoint, as detour.h. Returns 0, -EINVAL with *@complaint if
 * one ends there, or another negative errno.
 */
int config_avoid(struct config *config, const char *mountpoint,
                 struct config_complaint *complaint) must_check;

/** Join the options for libfuse that are set into config->fuse_options. Returns 0, -ENOMEM. */
int config_join_fuse_options(struct config *config) must_check;

/** The column in which meanings stand in --help. */
enum { CONFIG_HELP_INDENT = 27 };

/**
 * Write the options with defaults and meanings, for --help; without @has_mount only those that mean
 * something to a command that does not mount.
 */
void config_print_options(FILE *stream, bool has_mount);
