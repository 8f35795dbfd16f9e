/* SPDX-License-Identifier: MIT */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/words.h"

enum {
	SECOND_MS = 1000,
	MINUTE_S = 60,
	HOUR_S = 3600,
	DAY_S = 86400,
};

static void print_two(uint64_t large, const char *large_unit, uint64_t small,
                      const char *small_unit, char ret[WORDS_SIZE])
{
	int length = snprintf(ret, WORDS_SIZE, "%" PRIu64 " %s", large, large_unit);

	if (small && length > 0 && length < WORDS_SIZE)
		snprintf(ret + length, (size_t)(WORDS_SIZE - length), " %" PRIu64 " %s", small,
		         small_unit);
}

const char *words_duration(uint64_t duration_ms, char ret[WORDS_SIZE])
{
	uint64_t seconds = duration_ms / SECOND_MS;

	if (duration_ms < SECOND_MS)
		print_two(duration_ms, "ms", 0, "", ret);
	else if (duration_ms < UINT64_C(10) * SECOND_MS)
		snprintf(ret, WORDS_SIZE, "%" PRIu64 ".%" PRIu64 " s", seconds,
		         duration_ms % SECOND_MS / 100);
	else if (seconds < MINUTE_S)
		print_two(seconds, "s", 0, "", ret);
	else if (seconds < HOUR_S)
		print_two(seconds / MINUTE_S, "min", seconds % MINUTE_S, "s", ret);
	else if (seconds < DAY_S)
		print_two(seconds / HOUR_S, "h", seconds % HOUR_S / MINUTE_S, "min", ret);
	else
		print_two(seconds / DAY_S, seconds / DAY_S == 1 ? "day" : "days",
		          seconds % DAY_S / HOUR_S, "h", ret);
	return ret;
}

const char *words_bytes(uint64_t bytes, char ret[WORDS_SIZE])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double number = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(ret, WORDS_SIZE, "%" PRIu64 " bytes", bytes);
		return ret;
	}
	for (number /= 1024; number >= 1024 && unit + 1 < array_length(units); unit++)
		number /= 1024;
	snprintf(ret, WORDS_SIZE, "%.*f %s", number < 100 ? 1 : 0, number, units[unit]);
	return ret;
}

const char *words_thousandths(uint64_t number, char ret[WORDS_SIZE])
{
	snprintf(ret, WORDS_SIZE, "%.6g", (double)number / 1000);
	return ret;
}

static struct tm time_parts(int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / SECOND_MS);
	struct tm parts = { 0 };

	gmtime_r(&seconds, &parts);
	return parts;
}

const char *words_time(int64_t time_ms, char ret[WORDS_SIZE])
{
	struct tm parts = time_parts(time_ms);

	if (!strftime(ret, WORDS_SIZE, "%Y-%m-%d %H:%M:%S UTC", &parts))
		ret[0] = '\0';
	return ret;
}

const char *words_timestamp(int64_t time_ms, char ret[WORDS_SIZE])
{
	struct tm parts = time_parts(time_ms);
	char seconds[WORDS_SIZE];

	if (!strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts))
		seconds[0] = '\0';
	snprintf(ret, WORDS_SIZE, "%.24s.%03dZ", seconds, (int)(time_ms % SECOND_MS));
	return ret;
}
