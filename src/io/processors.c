/* SPDX-License-Identifier: MIT */

#include <fcntl.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/io/processors.h"

enum {
	PERIOD_MS = 20,
	REPLIES_OF_MANY = 64, /* in a period; one `cat` or `ls -l` takes fewer */
};

static const int32_t no_sleep_us = 0;
static const int32_t any_sleep_us = -1; /* PM_QOS_DEFAULT_VALUE */

static void tell_kernel(struct processors *processors, bool are_awake)
{
	const int32_t *latency_us = are_awake ? &no_sleep_us : &any_sleep_us;

	if (write(processors->descriptor, latency_us, sizeof(*latency_us)) != sizeof(*latency_us))
		log_debug("processors: the kernel was not told when they may sleep");
	processors->are_awake = are_awake;
}

static void begin_period(struct processors *processors, uint64_t now_ms)
{
	processors->began_ms = now_ms;
	processors->replies = 0;
}

static void period_ended(uv_timer_t *rest)
{
	struct processors *processors = container_of(rest, struct processors, rest);

	if (processors->replies < REPLIES_OF_MANY) {
		tell_kernel(processors, false);
		uv_timer_stop(rest);
	}
	begin_period(processors, uv_now(rest->loop));
}

void processors_init(struct processors *processors, uv_loop_t *loop)
{
	*processors = (struct processors){ .descriptor = -1 };
	processors->descriptor = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
	uv_timer_init(loop, &processors->rest);
	uv_unref((uv_handle_t *)&processors->rest);
}

bool processors_replied(struct processors *processors)
{
	uint64_t now_ms = uv_now(processors->rest.loop);

	if (processors->descriptor < 0)
		return false;
	if (!processors->are_awake && now_ms - processors->began_ms >= PERIOD_MS)
		begin_period(processors, now_ms);
	if (++processors->replies == REPLIES_OF_MANY && !processors->are_awake) {
		tell_kernel(processors, true);
		uv_timer_start(&processors->rest, period_ended, PERIOD_MS, PERIOD_MS);
	}
	return processors->are_awake;
}

/* What the kernel was told is void when the descriptor is closed. */
void processors_close(struct processors *processors, uv_close_cb closed)
{
	if (processors->descriptor >= 0)
		close(processors->descriptor);
	processors->descriptor = -1;
	uv_close((uv_handle_t *)&processors->rest, closed);
}
