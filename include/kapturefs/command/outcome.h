#pragma once
/* SPDX-License-Identifier: MIT */
/* How a command ends: the exit statuses of errors. */

#include "kapturefs/base/outcome.h"

/** The exit status for @error, a look-up's or an order's negative errno; EXIT_OK for 0. */
int outcome_of(int error);

/** The status that counts of two. */
int outcome_worse(int one, int other);
