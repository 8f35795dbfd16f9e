#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Where in which mount a path leads, by its text alone: nothing of what is inside the mount is
 * looked up, because that would ask the API.
 */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"
#include "kapturefs/fs/control_ioctl.h"
#include "kapturefs/fs/mounts.h"

struct place {
	struct mounts_entry mount;
	int descriptor;                 /* of the mount, open for reading */
	char path[KAPTUREFS_PATH_SIZE]; /* from there, without `.` and `..`; "" for itself */
};

/** The outcome for a path that leads into no mount of kapturefs. */
enum { PLACE_OUTSIDE = 1 };

/** Find the place. Returns 0 with *@ret to be ended by place_fini(), PLACE_OUTSIDE, or -errno. */
int place_find(const char *path, struct place *ret) must_check;
void place_fini(struct place *place);

/**
 * Whether what the mount says may be shown: returns 0, or -EINVAL with the complaint that another
 * user has made it.
 */
int place_check_owner(const struct place *place, struct config_complaint *complaint) must_check;

/** Give the mount the order @command. Returns what ioctl(2) does, or -errno and @order->cause. */
int place_order(const struct place *place, unsigned long command,
                struct kapturefs_order *order) must_check;

/** The value of the mount's metric @name without labels, or @otherwise. */
uint64_t place_metric(const struct place *place, const char *name, uint64_t otherwise);

/** What an order's error means, for the user, where no cause is known; static memory. */
const char *place_error(int error);
