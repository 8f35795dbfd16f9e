#pragma once
/* SPDX-License-Identifier: MIT */
/* Where to mount: what must be true of it before. */

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/**
 * Check that @path is `/dev/fd/N` for a FUSE connection that was handed over, or a directory on
 * which nothing of ours is mounted, alive or dead, and resolve it. Returns 0 with the absolute path
 * in *@ret, for the caller to free; -EINVAL with *@complaint; -ENOMEM.
 */
int mountpoint_check(const char *path, char **ret, struct config_complaint *complaint) must_check;

/** Check that FUSE is there to be used, if @path needs it. Returns 0; -EINVAL with *@complaint. */
int mountpoint_check_device(const char *path, struct config_complaint *complaint) must_check;

/** Check that others may be let in, if @config asks for it. Returns 0; -EINVAL with *@complaint. */
int mountpoint_check_sharing(const struct config *config,
                             struct config_complaint *complaint) must_check;

enum mountpoint_state {
	MOUNTPOINT_ALIVE,
	MOUNTPOINT_DEAD,   /* its daemon has ended and left the mount */
	MOUNTPOINT_SILENT, /* whoever serves it does not answer within two seconds */
};

/** How what is mounted on @path does; a process that can be left to itself looks. */
enum mountpoint_state mountpoint_look(const char *path);
