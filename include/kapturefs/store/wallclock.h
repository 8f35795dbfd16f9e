#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Unix time that never goes back: the time by which answers age.
 *
 * When the system's clock is set back, it goes on as before; when that is set ahead, or has
 * gone on while a machine was stopped, it follows. So answers may look older than they are,
 * never younger.
 */

#include <stdint.h>

struct wallclock {
	int64_t ahead_ms; /* of the time since boot */
};

/** Begin with the system's clock. */
void wallclock_init(struct wallclock *clock);

/** Now, in Unix milliseconds. */
int64_t wallclock_now_ms(struct wallclock *clock);

/**
 * The rule: now, when the system's clock says @wall_ms and @boot_ms, which never goes back,
 * have gone by since some moment.
 */
int64_t wallclock_advance(struct wallclock *clock, int64_t wall_ms, int64_t boot_ms);
