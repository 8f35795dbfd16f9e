#pragma once
/* SPDX-License-Identifier: MIT */
/* Who has made a mount, and so decides what is read from it. */

#include "kapturefs/base/base.h"
#include "kapturefs/fs/mounts.h"

enum { OWNER_SIZE = 64 };

/** Why a mount of that user's is not read. */
#define OWNER_COMPLAINT "user %s has mounted it, and decides what it says; run this as that user"

/** Write the name of the user who has made the mount @entry, or the number; returns @ret. */
const char *owner_print(const struct mounts_entry *entry, char ret[OWNER_SIZE]);
