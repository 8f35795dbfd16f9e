#pragma once
/* SPDX-License-Identifier: MIT */
/* The subcommands. Each takes its own name as argv[0] and returns the exit status. */

#include <stdbool.h>

#include "kapturefs/base/outcome.h"

int command_mount(int argc, char **argv);

/** The name that @word may stand for, or NULL; *@ret_is_due if only a later version has it. */
typedef const char *command_near_fn(const char *word, bool *ret_is_due);

/**
 * As command_mount(), where the name of the command was left out: a SOURCE that is @near one is
 * refused, unless the configuration or mount(8) says that it is a source.
 */
int command_mount_unnamed(int argc, char **argv, command_near_fn *near);
int command_attach(int argc, char **argv);
int command_export(int argc, char **argv);
int command_sandbox(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_get(int argc, char **argv);
int command_refresh(int argc, char **argv);
int command_forget(int argc, char **argv);
int command_warm(int argc, char **argv);
int command_status(int argc, char **argv);
int command_top(int argc, char **argv);
int command_umount(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_check_config(int argc, char **argv); /* `--check-config` */

/** The name by which mount(8) calls us for the type kapturefs. */
#define MOUNT_HELPER_NAME "mount.kapturefs"

/** `mount.kapturefs SOURCE MOUNTPOINT [-sfnv] [-o OPTIONS] [-t TYPE]`, see mount(8). */
int command_mount_helper(int argc, char **argv);
