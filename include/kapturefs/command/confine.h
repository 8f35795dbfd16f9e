#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What is left to the daemon once its cache is open and it has mounted, so that whoever finds a
 * hole in it has little to do with it. The rows below hold for root's daemon, for a user's and for
 * one with a connection that was handed over.
 *
 *   what                 by                how far
 *   privileges           capabilities(7)   none, and none to be had: base/privileges.h
 *   writing to files     landlock(7)       below the directories of the cache and of the log
 *   reading of files     landlock(7)       what libraries need of the system, and below the
 *                                          directories of its own paths: token, configuration and
 *                                          authorities may be replaced by renaming
 *   system calls         seccomp(2)        none of base/seccomp.h: no program is run, nothing is
 *                                          mounted, no other process looked into
 *
 * What is open stays open. Directories are meant, and not their names: one that is removed and made
 * again is another. So a token, a log or a cache there is out of reach until a remount; but for the
 * directory of a user's caches, which people empty, and which therefore may be written to.
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

struct confinement {
	unsigned landlock; /* its version, 0 for none */
	bool has_seccomp;
	bool has_no_new_privileges;
};

/** What the kernel has. */
struct confinement confine_offered(void);

/**
 * Confine this process, for good, as far as the kernel can; what it cannot is logged. No thread may
 * run yet. @config is complete. Returns 0, *@ret says what is in force; or -ENOMEM.
 */
int confine(const struct config *config, struct confinement *ret) must_check;

enum { CONFINE_WORDS_SIZE = 64 };

/** `Landlock 4, seccomp, no new privileges`, or `not at all`. Returns @ret. */
const char *confine_words(const struct confinement *confinement, char ret[CONFINE_WORDS_SIZE]);
