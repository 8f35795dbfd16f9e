#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Paths that keep away from a mount: a daemon that walks through its own mount waits for itself.
 */

#include "kapturefs/base/base.h"

enum { DETOUR_BELOW = 1 };

/**
 * The way to @path, which is absolute, that does not lead through @mountpoint, absolute and without
 * symbolic links; found without touching the mount. Returns 0 with *@ret, owned, NULL if @path does
 * not lead through it; DETOUR_BELOW if it ends there or below; -ELOOP, -ENAMETOOLONG, -ENOMEM.
 */
int detour_find(const char *path, const char *mountpoint, char **ret) must_check;
