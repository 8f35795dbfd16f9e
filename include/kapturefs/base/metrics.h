#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Counters, gauges and histograms that live where they are counted, and one list of them to print.
 *
 * The text is Prometheus' exposition format, version 0.0.4. Counting is
 * atomic and relaxed, so any thread may count; registering belongs to the start.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/base/list.h"

/** The list; it borrows everything registered. */
struct metrics {
	struct list members;
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/**
 * What every metric begins with. Metrics of one name stand together when they are registered one
 * after the other.
 */
struct metric {
	struct list link;
	enum metric_type type;
	const char *name;   /* static, like the others */
	const char *labels; /* `operation="read"`, or "" */
	const char *help;
};

struct counter {
	struct metric metric;
	_Atomic uint64_t value;
};

enum { HISTOGRAM_BUCKETS = 20 };

/** Durations by size: bucket n counts those of at most 10 us * 2^n, the last one all others. */
struct histogram {
	struct metric metric;
	_Atomic uint64_t buckets[HISTOGRAM_BUCKETS + 1];
	_Atomic uint64_t sum_us;
};

void metrics_init(struct metrics *metrics);

/** Add @counter, zero from now on, to the list; a gauge if @type says so. */
void metrics_add_counter(struct metrics *metrics, struct counter *counter, enum metric_type type,
                         const char *name, const char *labels, const char *help);

void metrics_add_histogram(struct metrics *metrics, struct histogram *histogram, const char *name,
                           const char *labels, const char *help);

static inline void counter_add(struct counter *counter, uint64_t amount)
{
	atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

static inline void counter_subtract(struct counter *counter, uint64_t amount)
{
	atomic_fetch_sub_explicit(&counter->value, amount, memory_order_relaxed);
}

static inline void counter_set(struct counter *counter, uint64_t value)
{
	atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

static inline uint64_t counter_value(const struct counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

/** Count one duration. */
void histogram_add(struct histogram *histogram, uint64_t duration_us);

/**
 * The sum of the counters and gauges @name with @labels, or whatever their labels if that is NULL.
 * Returns whether there is any.
 */
bool metrics_find(const struct metrics *metrics, const char *name, const char *labels,
                  uint64_t *ret);

/** Append all metrics as text. Errors as buffer_append(). */
int metrics_print(const struct metrics *metrics, struct buffer *text) must_check;
