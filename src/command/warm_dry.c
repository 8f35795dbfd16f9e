/* SPDX-License-Identifier: MIT */
/* The part of `warm` that only tells what it would take. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/warm_parts.h"

/* The dry run */

struct forecast {
	size_t days_to_ask;
	size_t known;
	size_t to_ask;
	size_t failed; /* lines that are no key */
	double rate;
	double seconds;
};

/* Returns 1 if @keys' key at @place is known, 0 if it is to be asked for, or a negative errno. */
static int peek(const struct warm *warm, const struct warm_keys *keys, size_t place,
                uint64_t max_age_ms)
{
	struct kapturefs_order order = { .max_age_ms = max_age_ms };
	int r;

	warm_path(keys, place, order.path);
	r = place_order(&warm->place, KAPTUREFS_PEEK, &order);
	/* That there is no such customer is known, too. */
	return r > 0 || r == -ENOENT ? 1 : r;
}

/* Days that are fresh show whom there is to ask for without being asked for themselves. */
static int peek_days(struct warm *warm, struct forecast *ret)
{
	int r;

	for (size_t i = 0; i < warm->days.words.count; i++) {
		r = peek(warm, &warm->days, i, WARM_DAYS_MAX_AGE_MS);
		ret->days_to_ask += r == 0;
		if (r == 1)
			r = warm_days_read(warm, i);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int peek_keys(const struct warm *warm, struct forecast *ret)
{
	int r;

	for (size_t i = 0; i < warm->keys.words.count; i++) {
		if (!warm_is_key(&warm->keys, i)) {
			ret->failed++;
			continue;
		}
		r = peek(warm, &warm->keys, i, warm->max_age * 1000);
		if (r < 0)
			return r;
		ret->to_ask += r == 0;
		ret->known += r == 1;
	}
	return 0;
}

static void print_json(const struct warm *warm, const struct forecast *forecast)
{
	printf("{");
	if (warm->has_days)
		printf("\"days\":%u,\"days_to_ask\":%zu,", warm->days.words.count,
		       forecast->days_to_ask);
	printf("\"keys\":%u,\"known\":%zu,\"to_ask\":%zu,\"failed\":%zu,\"seconds\":%.0f}\n",
	       warm->keys.words.count, forecast->known, forecast->to_ask, forecast->failed,
	       forecast->seconds);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_words(const struct warm *warm, const struct forecast *forecast)
{
	size_t requests = forecast->to_ask + forecast->days_to_ask;
	char duration[64];

	warm_print_duration(forecast->seconds, duration, sizeof(duration));
	if (warm->has_days)
		printf("%u day%s, %zu to be asked for; the others have ", warm->days.words.count,
		       plural(warm->days.words.count), forecast->days_to_ask);
	printf("%u key%s, %zu known, %zu no key: %s%zu request%s at %g a second take%s %s\n",
	       warm->keys.words.count, plural(warm->keys.words.count), forecast->known,
	       forecast->failed, forecast->days_to_ask ? "at least " : "", requests,
	       plural(requests), forecast->rate, requests == 1 ? "s" : "", duration);
}

static int print_forecast(const struct warm *warm, const struct forecast *forecast)
{
	if (warm->is_json)
		print_json(warm, forecast);
	else
		print_words(warm, forecast);
	return outcome_end("warm", EXIT_OK);
}

int warm_run_dry(struct warm *warm)
{
	struct forecast forecast = { .known = 0 };
	uint64_t budget = place_metric(&warm->place, "kapturefs_api_budget", 0);
	size_t requests;
	int r;

	r = peek_days(warm, &forecast);
	if (!r)
		r = peek_keys(warm, &forecast);
	if (r)
		return warm_complain(warm->mountpoint, place_error(r), outcome_of(r));
	forecast.rate =
	        (double)place_metric(&warm->place, "kapturefs_api_rate_thousandths", 10000) / 1000;
	requests = forecast.to_ask + forecast.days_to_ask;
	if (requests > budget)
		forecast.seconds = (double)(requests - budget) / forecast.rate;
	return print_forecast(warm, &forecast);
}
