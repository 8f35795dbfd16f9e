/* SPDX-License-Identifier: MIT */

#include <time.h>

#include "kapturefs/base/clock.h"

static int64_t read_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
	return (uint64_t)read_ms(CLOCK_MONOTONIC);
}

int64_t clock_unix_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t wallclock_advance(struct wallclock *clock, int64_t wall_ms, int64_t boot_ms)
{
	if (wall_ms - boot_ms > clock->ahead_ms)
		clock->ahead_ms = wall_ms - boot_ms;
	return boot_ms + clock->ahead_ms;
}

int64_t wallclock_now_ms(struct wallclock *clock)
{
	/* In this order: a pause in between makes it look set back, which changes nothing. */
	int64_t wall_ms = read_ms(CLOCK_REALTIME);
	int64_t boot_ms = read_ms(CLOCK_BOOTTIME);

	return wallclock_advance(clock, wall_ms, boot_ms);
}

void wallclock_init(struct wallclock *clock)
{
	clock->ahead_ms = INT64_MIN;
	(void)wallclock_now_ms(clock);
}
