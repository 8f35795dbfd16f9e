/* SPDX-License-Identifier: MIT */

#include "kapturefs/io/turns.h"

/* The loop's clock stands still in a turn. */
bool turn_share_begin(struct turn_share *share, const uv_loop_t *loop)
{
	if (share->turn_ms != uv_now(loop))
		*share = (struct turn_share){ .turn_ms = uv_now(loop) };
	share->began_ns = uv_hrtime();
	return share->spent_ns < TURN_SHARE_NS;
}

void turn_share_end(struct turn_share *share)
{
	share->spent_ns += uv_hrtime() - share->began_ns;
}

/* It is just about to sleep: what the loop has not slept since the last time, it has worked. */
static void turn_ended(uv_prepare_t *prepare)
{
	struct turns *turns = container_of(prepare, struct turns, prepare);
	uint64_t slept_ns = uv_metrics_idle_time(prepare->loop);
	uint64_t now_ns = uv_hrtime();
	uint64_t worked_us;

	if (turns->began_ns) {
		worked_us = (now_ns - turns->began_ns - (slept_ns - turns->slept_ns)) / 1000;
		histogram_add(&turns->durations, worked_us);
		if (worked_us > counter_value(&turns->longest_us))
			counter_set(&turns->longest_us, worked_us);
	}
	turns->began_ns = now_ns;
	turns->slept_ns = slept_ns;
}

int turns_init(struct turns *turns, uv_loop_t *loop)
{
	int r;

	*turns = (struct turns){ 0 };
	r = uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
	if (r)
		return r;
	uv_prepare_init(loop, &turns->prepare);
	uv_prepare_start(&turns->prepare, turn_ended);
	uv_unref((uv_handle_t *)&turns->prepare);
	return 0;
}

void turns_fini(struct turns *turns)
{
	uv_close((uv_handle_t *)&turns->prepare, NULL);
}

void turns_add_metrics(struct turns *turns, struct metrics *metrics)
{
	metrics_add_histogram(metrics, &turns->durations, "kapturefs_loop_turn_seconds", "",
	                      "How long the turns of the loop took, without its sleep.");
	metrics_add_counter(metrics, &turns->longest_us, METRIC_GAUGE,
	                    "kapturefs_loop_turn_longest_microseconds", "",
	                    "How long the longest of them took.");
}
