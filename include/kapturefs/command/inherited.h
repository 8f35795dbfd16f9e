#pragma once
/* SPDX-License-Identifier: MIT */
/* The files that a process has from whoever started it. */

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/**
 * Close them, but for the first three and those that @mountpoint or a path in @config names. What
 * systemd hands over (LISTEN_FDS) is named so as well. No file may have been opened yet.
 */
void inherited_close(const struct config *config, const char *mountpoint);
