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
