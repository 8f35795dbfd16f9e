#pragma once
/* SPDX-License-Identifier: MIT */
/* What a process that will hold secrets does to itself before anything else. */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"

/** Where programs are looked for, whatever the environment says. */
#define PROCESS_PATH "/usr/bin:/bin"

/**
 * Have no core of this process written and let no other process look into it, even when it dies or
 * is another of the same user's. A program that is executed begins anew.
 */
void process_keep_private(void);

/**
 * Take from the environment, and wipe, all variables but those that this program means to read, and
 * set PATH to PROCESS_PATH. What is taken could tell a library where to find its configuration,
 * certificates, modules or names of hosts. No thread may run yet.
 */
void process_clean_environment(void);

/**
 * See that the first three files are open: one that is not would be the next to be opened, the
 * cache say. To write to an output that was closed is still an error. Returns whether they are.
 */
bool process_keep_standard_files(void) must_check;

/** Have no program that is executed get the files that are open now, but for the first three. */
void process_keep_files(void);

/**
 * Close the files that are open, but for the first three and those that one of the @count @names,
 * which may be NULL, has as `/dev/fd/N` or `/proc/self/fd/N`.
 */
void process_close_files(const char *const *names, size_t count);

/** Have a program that is executed get those that one of @names has so, after all. */
void process_hand_on_files(const char *const *names, size_t count);
