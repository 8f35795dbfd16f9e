#pragma once
/* SPDX-License-Identifier: MIT */
/* How a command ends: exit statuses of errors, and whether its output has been taken. */

#include "kapturefs/base/base.h"

/** The exit status for @error, a look-up's or an order's negative errno; EXIT_OK for 0. */
int outcome_of(int error);

/** The status that counts of two. */
int outcome_worse(int one, int other);

/**
 * Flush standard output at the end of @command, "" for the program itself. Returns @status, or
 * EXIT_LOCAL if something has not been written. That is told, unless the reader has gone.
 */
int outcome_end(const char *command, int status);
