/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <inttypes.h>

#include "kapturefs/command/service.h"

#if HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

/* How the manager calls the connection. */
#define CONNECTION "FDNAME=kapturefs"

enum { STORE_WAIT_US = 5 * 1000 * 1000 };

static void watchdog_due(uv_timer_t *timer)
{
	(void)timer;
	(void)sd_notify(0, "WATCHDOG=1");
}

void service_init(struct service *service, uv_loop_t *loop)
{
	uint64_t period_us;
	uint64_t half_ms;

	uv_timer_init(loop, &service->watchdog);
	uv_unref((uv_handle_t *)&service->watchdog);
	if (sd_watchdog_enabled(0, &period_us) <= 0)
		return;
	half_ms = period_us / 2000 ? period_us / 2000 : 1;
	uv_timer_start(&service->watchdog, watchdog_due, half_ms, half_ms);
}

void service_ready(const char *source)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=serving %s\nFDSTOREREMOVE=1\n" CONNECTION, source);
}

void service_status(const char *status)
{
	(void)sd_notifyf(0, "STATUS=%s", status);
}

void service_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

/* What an earlier run may have left with the manager goes first. */
int service_store(int descriptor)
{
	int r;

	r = sd_notify(0, "FDSTOREREMOVE=1\n" CONNECTION);
	if (r > 0)
		r = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\n" CONNECTION, &descriptor, 1);
	/* The manager must have it before this process, and with it the descriptor, is gone. */
	if (r > 0)
		r = sd_notify_barrier(0, STORE_WAIT_US);
	if (r > 0)
		return 0;
	return r ? r : -ENOTCONN;
}

#else

void service_init(struct service *service, uv_loop_t *loop)
{
	uv_timer_init(loop, &service->watchdog);
}

void service_ready(const char *source)
{
	(void)source;
}

void service_status(const char *status)
{
	(void)status;
}

void service_stopping(void)
{
}

int service_store(int descriptor)
{
	(void)descriptor;
	return -ENOTCONN;
}

#endif

void service_fini(struct service *service)
{
	uv_close((uv_handle_t *)&service->watchdog, NULL);
}
