#pragma once
/* SPDX-License-Identifier: MIT */
/* The file of a secret: who may read it, and its text. */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

enum { SECRET_SIZE_MAX = 64 << 10 };

/** A file, and how the user came to name it. */
struct secret_place {
	const char *option;
	const char *path;
	bool is_credential; /* of systemd */
};

/** What it holds, as plain text with a NUL behind it, wiped when its scope ends. */
struct secret {
	char bytes[SECRET_SIZE_MAX + 1];
	size_t length;
	bool had_mark; /* of the order of bytes */
};

void secret_wipe(struct secret *secret);

/** Complain of the file in words that say nothing of what it holds. Returns -EINVAL. */
int secret_refuse(const struct secret_place *place, struct config_complaint *complaint,
                  const char *why);

/**
 * See that nobody else can put another file in its place, as trust.h. Returns 0 or -EINVAL with the
 * complaint.
 */
int secret_check_way(const struct secret_place *place,
                     struct config_complaint *complaint) must_check;

/** Read the file, if only its owner may use it. Returns 0 or -EINVAL with the complaint. */
int secret_read(const struct secret_place *place, struct secret *ret,
                struct config_complaint *complaint) must_check;
