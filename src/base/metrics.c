/* SPDX-License-Identifier: MIT */

#include <inttypes.h>
#include <string.h>

#include "kapturefs/base/metrics.h"

enum { FIRST_BOUND_US = 10 };

static const char *const type_words[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

void metrics_init(struct metrics *metrics)
{
	list_init(&metrics->members);
}

static void add(struct metrics *metrics, struct metric *metric, enum metric_type type,
                const char *name, const char *labels, const char *help)
{
	metric->type = type;
	metric->name = name;
	metric->labels = labels;
	metric->help = help;
	list_insert_before(&metrics->members, &metric->link);
}

void metrics_add_counter(struct metrics *metrics, struct counter *counter, enum metric_type type,
                         const char *name, const char *labels, const char *help)
{
	counter_set(counter, 0);
	add(metrics, &counter->metric, type, name, labels, help);
}

void metrics_add_histogram(struct metrics *metrics, struct histogram *histogram, const char *name,
                           const char *labels, const char *help)
{
	for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
		atomic_init(&histogram->buckets[i], 0);
	atomic_init(&histogram->sum_us, 0);
	add(metrics, &histogram->metric, METRIC_HISTOGRAM, name, labels, help);
}

void histogram_add(struct histogram *histogram, uint64_t duration_us)
{
	uint64_t bound_us = FIRST_BOUND_US;
	int bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS && duration_us > bound_us) {
		bound_us *= 2;
		bucket++;
	}
	atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_us, duration_us, memory_order_relaxed);
}

/* The name of a sample with its labels: what stands before its value. */
static int print_sample(const struct metric *metric, const char *suffix, struct buffer *text)
{
	return buffer_print(text, "%s%s%s%s%s", metric->name, suffix, *metric->labels ? "{" : "",
	                    metric->labels, *metric->labels ? "}" : "");
}

static int print_counter(const struct counter *counter, struct buffer *text)
{
	int r = print_sample(&counter->metric, "", text);

	return r ? r : buffer_print(text, " %" PRIu64 "\n", counter_value(counter));
}

static int print_histogram(const struct histogram *histogram, struct buffer *text)
{
	const struct metric *metric = &histogram->metric;
	const char *comma = *metric->labels ? "," : "";
	uint64_t bound_us = FIRST_BOUND_US;
	uint64_t count = 0;
	int r = 0;

	for (int i = 0; i < HISTOGRAM_BUCKETS && !r; i++, bound_us *= 2) {
		count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
		r = buffer_print(text, "%s_bucket{%s%sle=\"%.6g\"} %" PRIu64 "\n", metric->name,
		                 metric->labels, comma, (double)bound_us / 1e6, count);
	}
	count += atomic_load_explicit(&histogram->buckets[HISTOGRAM_BUCKETS], memory_order_relaxed);
	if (!r)
		r = buffer_print(text, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->name,
		                 metric->labels, comma, count);
	if (!r)
		r = print_sample(metric, "_sum", text);
	if (!r)
		r = buffer_print(text, " %.6f\n",
		                 (double)atomic_load_explicit(&histogram->sum_us,
		                                              memory_order_relaxed) /
		                         1e6);
	if (!r)
		r = print_sample(metric, "_count", text);
	if (!r)
		r = buffer_print(text, " %" PRIu64 "\n", count);
	return r;
}

static int print_metric(const struct metric *metric, struct buffer *text)
{
	if (metric->type == METRIC_HISTOGRAM)
		return print_histogram((const struct histogram *)(const void *)metric, text);
	return print_counter((const struct counter *)(const void *)metric, text);
}

int metrics_print(const struct metrics *metrics, struct buffer *text)
{
	const char *previous = "";
	int r = 0;

	for (struct list *link = metrics->members.next; link != &metrics->members && !r;
	     link = link->next) {
		const struct metric *metric = container_of(link, struct metric, link);

		if (strcmp(metric->name, previous) != 0)
			r = buffer_print(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
			                 metric->help, metric->name, type_words[metric->type]);
		if (!r)
			r = print_metric(metric, text);
		previous = metric->name;
	}
	return r;
}

bool metrics_find(const struct metrics *metrics, const char *name, const char *labels,
                  uint64_t *ret)
{
	bool is_found = false;

	*ret = 0;
	for (struct list *link = metrics->members.next; link != &metrics->members;
	     link = link->next) {
		const struct metric *metric = container_of(link, struct metric, link);

		if (metric->type == METRIC_HISTOGRAM || strcmp(metric->name, name) != 0 ||
		    (labels && strcmp(metric->labels, labels) != 0))
			continue;
		*ret += counter_value((const struct counter *)(const void *)metric);
		is_found = true;
	}
	return is_found;
}
