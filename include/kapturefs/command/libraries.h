#pragma once
/* SPDX-License-Identifier: MIT */
/* The libraries that the program was started with: are they as new as those it was built for? */

#include <stdbool.h>
#include <stdio.h>

#include "kapturefs/base/base.h"

/** Whether all are; the first that is too old is told on @stream, with the fix. */
bool libraries_are_new_enough(FILE *stream) must_check;
