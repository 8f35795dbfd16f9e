#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A monotonic clock that stands still until the test moves it, for the program's libraries, too;
 * the time of day goes on as it does. To be included by one file of a program.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In ns; 0 while the real clock is shown. */
static _Atomic uint64_t own_clock_ns;

static inline bool own_clock_shows(clockid_t id)
{
	return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
}

/* Of libc, for everybody. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ret)
{
	uint64_t now_ns = atomic_load(&own_clock_ns);

	if (!now_ns || !own_clock_shows(id))
		return (int)syscall(SYS_clock_gettime, id, ret);
	ret->tv_sec = (time_t)(now_ns / 1000000000);
	ret->tv_nsec = (long)(now_ns % 1000000000);
	return 0;
}

static inline void own_clock_stop_at(uint64_t now_ms)
{
	atomic_store(&own_clock_ns, now_ms * 1000000);
}

static inline void own_clock_advance(uint64_t duration_ms)
{
	atomic_fetch_add(&own_clock_ns, duration_ms * 1000000);
}

static inline uint64_t own_clock_now_ms(void)
{
	return atomic_load(&own_clock_ns) / 1000000;
}
