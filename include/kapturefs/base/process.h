#pragma once
/* SPDX-License-Identifier: MIT */
/* What a process that will hold secrets does to itself before anything else. */

#include "kapturefs/base/base.h"

/**
 * Have no core of this process written and let no other process look into it, even when it dies or
 * is another of the same user's. A program that is executed begins anew.
 */
void process_keep_private(void);
