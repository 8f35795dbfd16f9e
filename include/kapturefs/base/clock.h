#pragma once
/* SPDX-License-Identifier: MIT */
/* The time, in milliseconds, by the three clocks of the program. */

#include <stdint.h>

/** Since some moment; for durations and deadlines. The same clock as uv_hrtime(), in ns. */
uint64_t clock_ms(void);

/** Unix time by the system's clock, which may be set back. */
int64_t clock_unix_ms(void);

/**
 * Unix time that never goes back: the time by which answers age. When the system's clock is set
 * back, this one goes on as before. When that is set ahead, or has gone on while the machine was
 * stopped, this one follows. So answers may look older than they are, never younger.
 */
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
