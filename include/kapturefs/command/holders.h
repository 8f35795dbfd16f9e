#pragma once
/* SPDX-License-Identifier: MIT */
/* The processes that keep a mount busy, as far as this user may see them. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { HOLDER_NAME_SIZE = 32 };

struct holder {
	pid_t pid;
	char name[HOLDER_NAME_SIZE];
	bool is_inside; /* its working directory is, not only a file that it has open */
};

/** List up to @max processes that are in @path, absolute, or have something below it open. */
size_t holders_list(const char *path, struct holder *ret, size_t max);
