#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Whether what stands at a path can be changed, or exchanged for something else, by nobody but
 * ourselves and root; as OpenSSH's StrictModes asks of a user's keys.
 */

#include "kapturefs/base/base.h"

enum { TRUST_EXPOSED = 1 };

enum { TRUST_WHY_SIZE = 1024 };

/**
 * Look at all that leads to the file of @path, and at whose it is. Returns 0, or TRUST_EXPOSED with
 * a sentence that names what is open to others and says how to close it, or -ELOOP, -ENAMETOOLONG.
 * That there is no such file is told by whoever opens it.
 */
int trust_look_on_the_way(const char *path, char why[TRUST_WHY_SIZE]) must_check;

/** The same, and whether others may write to the file itself. */
int trust_look(const char *path, char why[TRUST_WHY_SIZE]) must_check;
