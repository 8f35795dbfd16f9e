/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/command/warm_parts.h"

enum {
	COLUMNS_DEFAULT = 80,
	BAR_WIDTH_MAX = 40,
	TENTHS = 10,
	MINUTE_MS = 60 * 1000,
	WINDOW_MS = 5000,
	TEXT_SIZE = 128,
};

void warm_print_duration(double seconds, char *ret, size_t size)
{
	uint64_t whole = (uint64_t)(seconds + 0.999);

	if (whole < 60)
		snprintf(ret, size, "%u s", (unsigned)whole);
	else if (whole < 3600)
		snprintf(ret, size, "%u min", (unsigned)((whole + 59) / 60));
	else
		snprintf(ret, size, "%llu h %u min", (unsigned long long)(whole / 3600),
		         (unsigned)(whole % 3600 / 60));
}

void warm_progress_begin(struct warm_progress *progress, size_t total)
{
	*progress = (struct warm_progress){
		.stream = stderr,
		.total = total,
		.is_terminal = isatty(STDERR_FILENO),
		.began_ms = clock_ms(),
	};
	progress->told_ms = progress->began_ms;
}

/* Keys a second in the last few seconds. */
static double rate_of(struct warm_progress *progress, uint64_t at_ms, size_t done)
{
	const size_t size = array_length(progress->samples);
	size_t first = progress->sample_count < size ? 0 : progress->sample_count - size;
	uint64_t since_ms = progress->began_ms;
	size_t since_done = 0;

	for (size_t i = first; i < progress->sample_count; i++) {
		if (at_ms - progress->samples[i % size].at_ms > WINDOW_MS) {
			since_ms = progress->samples[i % size].at_ms;
			since_done = progress->samples[i % size].done;
		}
	}
	progress->samples[progress->sample_count % size].at_ms = at_ms;
	progress->samples[progress->sample_count % size].done = done;
	progress->sample_count++;
	return at_ms > since_ms ? (double)(done - since_done) * 1000 / (double)(at_ms - since_ms)
	                        : 0;
}

static void print_text(const struct warm_progress *progress, size_t done, double rate,
                       char text[TEXT_SIZE])
{
	char left[TEXT_SIZE / 2] = "";
	int length;

	length = snprintf(text, TEXT_SIZE, "%zu/%zu, %.1f/s", done, progress->total, rate);
	if (length < 0 || rate <= 0 || done == progress->total)
		return;
	warm_print_duration((double)(progress->total - done) / rate, left, sizeof(left));
	snprintf(text + length, TEXT_SIZE - (size_t)length, ", %s left", left);
}

static size_t column_count(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col
	                                                                   : COLUMNS_DEFAULT;
}

static void show_bar(const struct warm_progress *progress, size_t done, const char *text)
{
	static const char full[] = "########################################";
	static const char empty[] = "........................................";
	size_t columns = column_count();
	size_t beside = strlen(text) + strlen("[]  100%  ") + 1;
	size_t width = columns > beside ? columns - beside : 0;
	int filled;

	if (width > BAR_WIDTH_MAX)
		width = BAR_WIDTH_MAX;
	filled = (int)(done * width / progress->total);
	fprintf(progress->stream, "\r[%.*s%.*s] %3u%%  %s\033[K", filled, full, (int)width - filled,
	        empty, (unsigned)(done * 100 / progress->total), text);
	fflush(progress->stream);
}

void warm_progress_show(struct warm_progress *progress, size_t done)
{
	uint64_t at_ms = clock_ms();
	double rate = rate_of(progress, at_ms, done);
	char text[TEXT_SIZE];

	print_text(progress, done, rate, text);
	if (progress->is_terminal) {
		show_bar(progress, done, text);
		return;
	}
	if (done * TENTHS / progress->total == progress->told * TENTHS / progress->total &&
	    at_ms - progress->told_ms < MINUTE_MS)
		return;
	progress->told = done;
	progress->told_ms = at_ms;
	fprintf(progress->stream, "kapturefs: warm: %s\n", text);
}

void warm_progress_end(struct warm_progress *progress)
{
	if (progress->is_terminal)
		fprintf(progress->stream, "\r\033[K");
	fflush(progress->stream);
}
