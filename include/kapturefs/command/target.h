#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Whom an operand of a command means: a path in a mount, or a key, `id:7`, in the mount of the
 * working directory, else in the only one that there is.
 */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/place.h"
#include "kapturefs/config/config.h"

/** In which mount a key is meant. */
struct target_choice {
	const char *mountpoint; /* NULL: the one of the working directory, or the only one */
	bool is_all;            /* in all of them */
};

struct target {
	struct place *places; /* one, or with is_all any number */
	size_t count;
};

/**
 * Find whom @word means; nobody is asked. Returns EXIT_OK with *@ret to be ended by target_fini(),
 * or another exit status with the reason in *@complaint.
 */
int target_find(const char *word, const struct target_choice *choice, struct target *ret,
                struct config_complaint *complaint);
void target_fini(struct target *target);
