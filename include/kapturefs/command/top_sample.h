#pragma once
/* SPDX-License-Identifier: MIT */
/* What top shows, computed of the texts of .kapturefs/metrics taken one after the other. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/metrics.h"

/** The rows: counters, of which the rate is shown. */
enum top_row {
	TOP_LOOKUP,
	TOP_ATTRIBUTES,
	TOP_LISTING,
	TOP_READ,
	TOP_LINK,
	TOP_OTHER,
	TOP_FOUND,
	TOP_ABSENT,
	TOP_FAILED,
	TOP_HITS,
	TOP_MISSES,
	TOP_ROWS,
};

enum top_latency {
	TOP_KERNEL, /* from a request of the kernel to its reply */
	TOP_API,
	TOP_LATENCIES,
};

/** The metrics at one moment. */
struct top_sample {
	uint64_t taken_ms; /* of a clock that does not jump */
	uint64_t counters[TOP_ROWS];
	uint64_t buckets[TOP_LATENCIES][HISTOGRAM_BUCKETS + 1]; /* up to each bound, then all */
};

/** Read @metrics, a text, taken at @taken_ms. What is missing there counts as 0. */
void top_sample_read(const char *metrics, uint64_t taken_ms, struct top_sample *ret);

/** How many a second from @before to @after. */
double top_rate(const struct top_sample *before, const struct top_sample *after, enum top_row row);

/** The part of look-ups answered without the API, 0 to 1; negative if there were none. */
double top_hit_ratio(const struct top_sample *before, const struct top_sample *after);

/**
 * How long the fastest @part, 0 to 1, of what ended in between took at the most, in seconds, as far
 * as the buckets tell; negative if nothing ended.
 */
double top_quantile(const struct top_sample *before, const struct top_sample *after,
                    enum top_latency latency, double part);
