#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Processors that do not fall asleep while requests follow one another.
 *
 * Whoever asks sleeps until the answer is there, and mostly has a processor of its own, which goes
 * to sleep with it. To wake that one up is dearer than all that an answer takes, on a virtual
 * machine above all. The kernel keeps processors from it for whoever holds /dev/cpu_dma_latency
 * (Documentation/power/pm_qos_interface.rst); Debian lets root do that.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"

struct processors {
	uv_timer_t rest;
	int descriptor; /* or -1 where the kernel cannot be told */
	uint64_t began_ms;
	unsigned replies; /* since then */
	bool are_awake;
};

/** Tell the kernel nothing yet. Where it may not be told anything, this never keeps one awake. */
void processors_init(struct processors *processors, uv_loop_t *loop);

/**
 * A reply has been sent. When many follow one another, processors stay awake until there have been
 * few for a while. Returns whether they do: then there is no need to look for the next request.
 */
bool processors_replied(struct processors *processors);

/** Let them sleep, for good. @closed is called as for uv_close(), with the address of `rest`. */
void processors_close(struct processors *processors, uv_close_cb closed);
