/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/io/turns.h"

enum { BUSY_US = 20000, SLEEP_MS = 60 };

static void busy(uv_timer_t *timer)
{
	uint64_t began_ns = uv_hrtime();

	(void)timer;
	while (uv_hrtime() - began_ns < BUSY_US * UINT64_C(1000))
		;
}

static void nothing(uv_timer_t *timer)
{
	(void)timer;
}

/* Run a loop in which a timer does @work after the loop has slept: its longest turn, and all. */
static uint64_t longest_us(uv_timer_cb work, uint64_t *ret_awake_us)
{
	uint64_t began_ns = uv_hrtime();
	struct turns turns;
	uv_timer_t timer;
	uv_loop_t loop;
	uint64_t longest;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(turns_init(&turns, &loop), 0);
	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, work, SLEEP_MS, 1);
	for (int i = 0; i < 4; i++)
		uv_run(&loop, UV_RUN_ONCE);
	longest = counter_value(&turns.longest_us);
	*ret_awake_us = (uv_hrtime() - began_ns - uv_metrics_idle_time(&loop)) / 1000;

	uv_close((uv_handle_t *)&timer, NULL);
	turns_fini(&turns);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return longest;
}

static void test_work_counts(void **state)
{
	uint64_t awake_us;

	(void)state;
	assert_true(longest_us(busy, &awake_us) >= BUSY_US);
}

static void test_sleep_does_not(void **state)
{
	uint64_t awake_us;

	(void)state;
	assert_true(longest_us(nothing, &awake_us) <= awake_us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_counts),
		cmocka_unit_test(test_sleep_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
