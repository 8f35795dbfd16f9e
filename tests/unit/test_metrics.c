/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/metrics.h"

static char *print(const struct metrics *metrics, struct buffer *text)
{
	buffer_init(text, 1 << 20);
	assert_int_equal(metrics_print(metrics, text), 0);
	return text->data;
}

static void test_counters_of_one_name_share_one_heading(void **state)
{
	cleanup(buffer_fini) struct buffer text;
	struct metrics metrics;
	struct counter found;
	struct counter absent;

	(void)state;
	metrics_init(&metrics);
	metrics_add_counter(&metrics, &found, METRIC_COUNTER, "requests_total", "outcome=\"found\"",
	                    "Requests.");
	metrics_add_counter(&metrics, &absent, METRIC_COUNTER, "requests_total",
	                    "outcome=\"absent\"", "Requests.");
	counter_add(&found, 2);
	counter_add(&found, 1);

	assert_string_equal(print(&metrics, &text), "# HELP requests_total Requests.\n"
	                                            "# TYPE requests_total counter\n"
	                                            "requests_total{outcome=\"found\"} 3\n"
	                                            "requests_total{outcome=\"absent\"} 0\n");
}

static void test_gauges_go_up_and_down(void **state)
{
	cleanup(buffer_fini) struct buffer text;
	struct metrics metrics;
	struct counter pending;

	(void)state;
	metrics_init(&metrics);
	metrics_add_counter(&metrics, &pending, METRIC_GAUGE, "pending", "", "Pending.");
	counter_add(&pending, 3);
	counter_subtract(&pending, 1);
	assert_string_equal(print(&metrics, &text),
	                    "# HELP pending Pending.\n# TYPE pending gauge\npending 2\n");
}

static void test_histogram_buckets_are_cumulative(void **state)
{
	cleanup(buffer_fini) struct buffer text;
	struct histogram histogram;
	struct metrics metrics;
	char *printed;

	(void)state;
	metrics_init(&metrics);
	metrics_add_histogram(&metrics, &histogram, "seconds", "", "Seconds.");
	histogram_add(&histogram, 10);
	histogram_add(&histogram, 11);
	histogram_add(&histogram, UINT64_C(1) << 40);

	printed = print(&metrics, &text);
	assert_non_null(strstr(printed, "# TYPE seconds histogram\n"));
	assert_non_null(strstr(printed, "seconds_bucket{le=\"1e-05\"} 1\n"));
	assert_non_null(strstr(printed, "seconds_bucket{le=\"2e-05\"} 2\n"));
	assert_non_null(strstr(printed, "seconds_bucket{le=\"5.24288\"} 2\n"));
	assert_non_null(strstr(printed, "seconds_bucket{le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(printed, "seconds_count 3\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_of_one_name_share_one_heading),
		cmocka_unit_test(test_gauges_go_up_and_down),
		cmocka_unit_test(test_histogram_buckets_are_cumulative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
