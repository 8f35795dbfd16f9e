/* SPDX-License-Identifier: MIT */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/metrics.h"
#include "kapturefs/command/top_sample.h"

/* The metrics of a mount as it prints them. */
struct mount {
	struct metrics metrics;
	struct counter lookups;
	struct counter plain_listings;
	struct counter full_listings;
	struct counter forgets;
	struct counter found;
	struct counter timeouts;
	struct counter hits;
	struct counter misses;
	struct histogram kernel;
};

static void begin(struct mount *mount)
{
	const struct {
		struct counter *counter;
		const char *name;
		const char *labels;
	} table[] = {
		{ &mount->lookups, "kapturefs_fuse_requests_total", "operation=\"lookup\"" },
		{ &mount->plain_listings, "kapturefs_fuse_requests_total",
		  "operation=\"readdir\"" },
		{ &mount->full_listings, "kapturefs_fuse_requests_total",
		  "operation=\"readdirplus\"" },
		{ &mount->forgets, "kapturefs_fuse_requests_total", "operation=\"forget\"" },
		{ &mount->found, "kapturefs_api_requests_total", "outcome=\"found\"" },
		{ &mount->timeouts, "kapturefs_api_requests_total", "outcome=\"timeout\"" },
		{ &mount->hits, "kapturefs_cache_hits_total", "" },
		{ &mount->misses, "kapturefs_cache_misses_total", "reason=\"cold\"" },
	};

	metrics_init(&mount->metrics);
	for (size_t i = 0; i < array_length(table); i++)
		metrics_add_counter(&mount->metrics, table[i].counter, METRIC_COUNTER,
		                    table[i].name, table[i].labels, "Help {with} \"signs\" 7");
	metrics_add_histogram(&mount->metrics, &mount->kernel, "kapturefs_fuse_request_seconds", "",
	                      "Help.");
}

static struct top_sample sample(struct mount *mount, uint64_t taken_ms)
{
	cleanup(buffer_fini) struct buffer text;
	struct top_sample sample;

	buffer_init(&text, 1 << 16);
	assert_int_equal(metrics_print(&mount->metrics, &text), 0);
	top_sample_read(text.data, taken_ms, &sample);
	return sample;
}

static bool is_near(double left, double right)
{
	return fabs(left - right) < 1e-9;
}

static void test_rates_are_of_the_time_in_between(void **state)
{
	struct top_sample before;
	struct top_sample after;
	struct mount mount;

	(void)state;
	begin(&mount);
	counter_set(&mount.lookups, 1000);
	before = sample(&mount, 5000);
	counter_add(&mount.lookups, 30);
	counter_add(&mount.plain_listings, 1);
	counter_add(&mount.full_listings, 2);
	counter_add(&mount.forgets, 4);
	counter_add(&mount.found, 5);
	counter_add(&mount.timeouts, 6);
	after = sample(&mount, 7000);
	assert_true(is_near(top_rate(&before, &after, TOP_LOOKUP), 15));
	assert_true(is_near(top_rate(&before, &after, TOP_LISTING), 1.5));
	assert_true(is_near(top_rate(&before, &after, TOP_OTHER), 2));
	assert_true(is_near(top_rate(&before, &after, TOP_FOUND), 2.5));
	assert_true(is_near(top_rate(&before, &after, TOP_FAILED), 3));
	assert_true(is_near(top_rate(&before, &after, TOP_READ), 0));
	assert_true(is_near(top_rate(&after, &after, TOP_LOOKUP), 0));
	/* A daemon that was started anew. */
	assert_true(is_near(top_rate(&after, &before, TOP_LOOKUP), 0));
}

static void test_hit_ratio_is_of_what_was_looked_up(void **state)
{
	struct top_sample before;
	struct top_sample after;
	struct mount mount;

	(void)state;
	begin(&mount);
	before = sample(&mount, 0);
	assert_true(top_hit_ratio(&before, &before) < 0);
	counter_add(&mount.hits, 3);
	counter_add(&mount.misses, 1);
	after = sample(&mount, 1000);
	assert_true(is_near(top_hit_ratio(&before, &after), 0.75));
}

static void test_latencies_are_bounds_of_buckets(void **state)
{
	struct top_sample before;
	struct top_sample after;
	struct mount mount;

	(void)state;
	begin(&mount);
	histogram_add(&mount.kernel, 5000000);
	before = sample(&mount, 0);
	assert_true(top_quantile(&before, &before, TOP_KERNEL, 0.5) < 0);
	for (int i = 0; i < 98; i++)
		histogram_add(&mount.kernel, 35);
	histogram_add(&mount.kernel, 70000);
	histogram_add(&mount.kernel, 70000);
	after = sample(&mount, 1000);
	assert_true(is_near(top_quantile(&before, &after, TOP_KERNEL, 0.5), 40e-6));
	assert_true(is_near(top_quantile(&before, &after, TOP_KERNEL, 0.99), 81920e-6));
	assert_true(top_quantile(&before, &after, TOP_API, 0.5) < 0);
}

static void test_text_that_is_none_of_it_counts_nothing(void **state)
{
	static const char *const texts[] = { "",
		                             "\n\n",
		                             "no",
		                             "# only a comment 7\n",
		                             "kapturefs_cache_hits_total",
		                             "{ } 7",
		                             "kapturefs_fuse_requests_total{operation=\"lookup 7" };
	struct top_sample read;

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		top_sample_read(texts[i], 0, &read);
		assert_int_equal(read.counters[TOP_LOOKUP], 0);
		assert_int_equal(read.counters[TOP_HITS], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates_are_of_the_time_in_between),
		cmocka_unit_test(test_hit_ratio_is_of_what_was_looked_up),
		cmocka_unit_test(test_latencies_are_bounds_of_buckets),
		cmocka_unit_test(test_text_that_is_none_of_it_counts_nothing),
	};

	return cmocka_run_group_tests_name("top_sample", tests, NULL, NULL);
}
