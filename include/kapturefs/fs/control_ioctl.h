#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What a mount can be told, by ioctl(2) on any file or directory of it: something about one
 * customer, whom a path from there names.
 *
 * All return 0 or one of the outcomes, or fail: ENOENT, there is no such customer; EISDIR, the
 * path names none; EPERM, it is for the owner of the mount to say; ETIMEDOUT, done, but what the
 * kernel keeps of it has not gone in time; and as a look-up does. ENOTTY: the file is not ours, or
 * of a daemon whose order is another.
 */

#include <stdint.h>
#include <sys/ioctl.h>

enum {
	KAPTUREFS_PATH_SIZE = 1024, /* of the longest name of a key, and more */
	KAPTUREFS_CAUSE_SIZE = 256,
};

struct kapturefs_order {
	uint64_t max_age_ms; /* an answer as young as that will do; 0: it has to be a new one */
	char path[KAPTUREFS_PATH_SIZE]; /* `by-id/7/name`; empty for the file itself */
	/** Comes back: why it failed, in words; empty where the errno says it all. */
	char cause[KAPTUREFS_CAUSE_SIZE];
};

/** The outcomes. */
enum {
	KAPTUREFS_NOTHING = 1, /* there was nothing to be done */
	KAPTUREFS_REMAINS,     /* bytes of it are left in the cache's files; it is tried again */
};

/** Have the customer asked for. With @max_age_ms as what can wait, after what cannot. */
#define KAPTUREFS_REFRESH _IOWR(0xd5, 1, struct kapturefs_order)

/** Have the customer forgotten, or that there is none. */
#define KAPTUREFS_FORGET _IOWR(0xd5, 2, struct kapturefs_order)

/** Whether KAPTUREFS_REFRESH would ask: 0, or KAPTUREFS_NOTHING. */
#define KAPTUREFS_PEEK _IOWR(0xd5, 3, struct kapturefs_order)

/** Fail as the last question about the customer did, with its cause; 0 where none is known. */
#define KAPTUREFS_WHY _IOWR(0xd5, 4, struct kapturefs_order)
