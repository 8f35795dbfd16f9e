/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/top_sample.h"

/* Where a counter goes; the first row that fits counts. */
static const struct rule {
	const char *name;
	const char *label; /* NULL for any */
	enum top_row row;
} rules[] = {
	{ "kapturefs_fuse_requests_total", "operation=\"lookup\"", TOP_LOOKUP },
	{ "kapturefs_fuse_requests_total", "operation=\"getattr\"", TOP_ATTRIBUTES },
	{ "kapturefs_fuse_requests_total", "operation=\"readdir\"", TOP_LISTING },
	{ "kapturefs_fuse_requests_total", "operation=\"readdirplus\"", TOP_LISTING },
	{ "kapturefs_fuse_requests_total", "operation=\"read\"", TOP_READ },
	{ "kapturefs_fuse_requests_total", "operation=\"readlink\"", TOP_LINK },
	{ "kapturefs_fuse_requests_total", NULL, TOP_OTHER },
	{ "kapturefs_api_requests_total", "outcome=\"found\"", TOP_FOUND },
	{ "kapturefs_api_requests_total", "outcome=\"absent\"", TOP_ABSENT },
	{ "kapturefs_api_requests_total", NULL, TOP_FAILED },
	{ "kapturefs_cache_hits_total", NULL, TOP_HITS },
	{ "kapturefs_cache_misses_total", NULL, TOP_MISSES },
};

static const char *const histograms[TOP_LATENCIES] = {
	[TOP_KERNEL] = "kapturefs_fuse_request_seconds_bucket",
	[TOP_API] = "kapturefs_api_request_seconds_bucket",
};

/* `name{labels} value` or `name value` */
struct line {
	size_t name_length;
	const char *name;
	const char *labels;
	size_t labels_length;
	uint64_t value;
};

static bool read_line(const char *text, size_t length, struct line *ret)
{
	const char *end = text + length;
	const char *value = end;

	while (value > text && value[-1] != ' ')
		value--;
	if (*text == '#' || value == text)
		return false;
	*ret = (struct line){
		.name = text,
		.name_length = strcspn(text, "{ \n"),
		.labels = "",
		.value = strtoull(value, NULL, 10),
	};
	if (text[ret->name_length] == '{') {
		ret->labels = text + ret->name_length + 1;
		ret->labels_length = strcspn(ret->labels, "}\n");
	}
	return true;
}

static bool is_text(const char *bytes, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(bytes, text, length) == 0;
}

static void take_counter(const struct line *line, struct top_sample *sample)
{
	for (size_t i = 0; i < array_length(rules); i++) {
		const struct rule *rule = &rules[i];

		if (!is_text(line->name, line->name_length, rule->name) ||
		    (rule->label && !is_text(line->labels, line->labels_length, rule->label)))
			continue;
		sample->counters[rule->row] += line->value;
		return;
	}
}

/* Buckets stand in the order of their bounds. */
static bool take_bucket(const struct line *line, struct top_sample *sample,
                        size_t places[TOP_LATENCIES])
{
	for (int i = 0; i < TOP_LATENCIES; i++) {
		if (!is_text(line->name, line->name_length, histograms[i]))
			continue;
		if (places[i] <= HISTOGRAM_BUCKETS)
			sample->buckets[i][places[i]++] = line->value;
		return true;
	}
	return false;
}

void top_sample_read(const char *metrics, uint64_t taken_ms, struct top_sample *ret)
{
	size_t places[TOP_LATENCIES] = { 0 };
	struct line line;

	*ret = (struct top_sample){ .taken_ms = taken_ms };
	while (*metrics) {
		size_t length = strcspn(metrics, "\n");

		if (read_line(metrics, length, &line) && !take_bucket(&line, ret, places))
			take_counter(&line, ret);
		metrics += length + (metrics[length] == '\n');
	}
}

/* A daemon that was restarted in between counts from 0 again. */
static uint64_t grown(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

double top_rate(const struct top_sample *before, const struct top_sample *after, enum top_row row)
{
	uint64_t elapsed_ms = grown(before->taken_ms, after->taken_ms);

	if (!elapsed_ms)
		return 0;
	return (double)grown(before->counters[row], after->counters[row]) * 1000 /
	       (double)elapsed_ms;
}

double top_hit_ratio(const struct top_sample *before, const struct top_sample *after)
{
	uint64_t hits = grown(before->counters[TOP_HITS], after->counters[TOP_HITS]);
	uint64_t misses = grown(before->counters[TOP_MISSES], after->counters[TOP_MISSES]);

	return hits + misses ? (double)hits / (double)(hits + misses) : -1;
}

double top_quantile(const struct top_sample *before, const struct top_sample *after,
                    enum top_latency latency, double part)
{
	const uint64_t *old = before->buckets[latency];
	const uint64_t *new = after->buckets[latency];
	uint64_t all = grown(old[HISTOGRAM_BUCKETS], new[HISTOGRAM_BUCKETS]);
	double bound = 10e-6;

	if (!all)
		return -1;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++, bound *= 2) {
		if ((double)grown(old[i], new[i]) >= part * (double)all)
			return bound;
	}
	return bound;
}
