#pragma once
/* SPDX-License-Identifier: MIT */
/* The other program of this build, which serves. */

#include "kapturefs/base/base.h"

/**
 * Let kapturefs-sandbox take the place of this program, in the same process, for @command. Returns
 * only if it cannot be run: the exit status, when it has been said why.
 */
int companion_run(const char *command, char **argv);
