#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Which files a process may open from some time on, landlock(7), whoever it is. By the system
 * calls themselves: Debian has no library for them.
 */

#include <stddef.h>

#include "kapturefs/base/base.h"

enum landlock_use {
	LANDLOCK_READ,   /* files and directories below can be read */
	LANDLOCK_APPEND, /* ... and files made and written */
	LANDLOCK_KEEP,   /* ... and renamed and removed */
	LANDLOCK_FILE,   /* this one file can be read and written */
};

struct landlock_place {
	const char *path; /* links are followed; one that does not exist is passed over */
	enum landlock_use use;
};

/** The version of what the kernel offers, 0 if nothing. */
unsigned landlock_version(void);

/**
 * Let this thread, and those and the processes that it starts from now on, do with files no more
 * than @places say, execute none, and listen at no TCP port. What is open stays so. Needs
 * no_new_privs. Returns the version that is in force, or a negative errno.
 */
int landlock_confine(const struct landlock_place *places, size_t count) must_check;
