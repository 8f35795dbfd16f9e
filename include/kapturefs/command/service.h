#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told, by sd_notify(3); see man/kapturefs.1 for the units. Without a
 * manager, or built without libsystemd, nothing is done.
 */

#include <stdbool.h>
#include <uv.h>

#include "kapturefs/base/base.h"

/** The watchdog: the manager hears of us as long as the loop turns. */
struct service {
	uv_timer_t watchdog;
};

/** Begin on @loop, in the process that the manager watches. */
void service_init(struct service *service, uv_loop_t *loop);

/** End; the loop must run once more. */
void service_fini(struct service *service);

/** The mount of @source is usable. A connection that was handed over is ours alone from now on. */
void service_ready(const char *source);

/** The configuration is being read again, or has been; @status is for people. */
void service_status(const char *status);

/** The end has begun. */
void service_stopping(void);

/**
 * Have the manager keep @descriptor for the processes of the service that it starts next.
 * Returns 0; -ENOTCONN when there is no manager; another negative errno.
 */
int service_store(int descriptor) must_check;
