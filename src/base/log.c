/* SPDX-License-Identifier: MIT */
/*
 * From the event to its line: the last ones are kept (log_events), too many of one kind are held
 * back (log_flood), the others are written (log_sink). A class of events is its format, which is a
 * literal and so stands in one place of the source.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/log_events.h"
#include "kapturefs/base/log_flood.h"
#include "kapturefs/base/log_line.h"
#include "kapturefs/base/log_sink.h"
#include "kapturefs/base/text.h"
#include "kapturefs/base/siphash.h"
#include "kapturefs/base/trust.h"

/* The program's only mutable globals. */
static struct log {
	pthread_mutex_t mutex;
	enum log_level level_max;
	struct log_sink sink;
	struct log_flood flood;
	struct log_events events;
	struct siphash_key key;
	uint64_t suppressed;
} state = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.level_max = LOG_LEVEL_NOTICE,
	.sink = { .target = LOG_SINK_STREAM,
	          .stream = STDERR_FILENO,
	          .syslog_path = LOG_SYSLOG_PATH,
	          .journal_path = LOG_JOURNAL_PATH,
	          .socket = -1 },
};

static const int level_priorities[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_NOTICE] = LOG_NOTICE,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static uint64_t now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void log_open(void)
{
	if (log_sink_is_journal(getenv("JOURNAL_STREAM"), STDERR_FILENO))
		state.sink.target = LOG_SINK_JOURNAL;
}

void log_set_level(enum log_level level)
{
	state.level_max = level;
}

bool log_wants(enum log_level level)
{
	return level <= state.level_max;
}

/* A descriptor of what standard error is, or -1 where it is not to be kept. */
static int keep_stream(void)
{
	struct stat nothing;
	struct stat status;

	if (fstat(STDERR_FILENO, &status) < 0 || S_ISFIFO(status.st_mode) ||
	    S_ISSOCK(status.st_mode))
		return -1;
	if (stat("/dev/null", &nothing) == 0 && nothing.st_rdev == status.st_rdev &&
	    S_ISCHR(status.st_mode))
		return -1;
	return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

void log_set_daemon(void)
{
	if (state.sink.target != LOG_SINK_STREAM)
		return;
	state.sink.target = LOG_SINK_SYSLOG;
	state.sink.stream = keep_stream();
}

int log_set_file(const char *path)
{
	char why[TRUST_WHY_SIZE];
	struct stat status;
	int file;
	int old;
	int r;

	r = trust_look(path, why);
	if (r)
		return r < 0 ? r : -EPERM;
	file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (file < 0)
		return -errno;
	if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(file);
		return -EINVAL;
	}
	pthread_mutex_lock(&state.mutex);
	old = state.sink.has_file ? state.sink.file : -1;
	state.sink.file = file;
	state.sink.has_file = true;
	pthread_mutex_unlock(&state.mutex);
	if (old >= 0)
		close(old);
	return 0;
}

void log_set_silent(void)
{
	state.sink.target = LOG_SINK_NOTHING;
}

/* @event is a format: its beginning, up to what is filled in, says what it is about. */
static void tell_suppressed(uint64_t lines, const char *event)
{
	struct log_line parts = log_line_read(event);
	char text[LOG_LINE_SIZE];
	struct log_line line;

	state.suppressed += lines;
	snprintf(text, sizeof(text), "log: lines suppressed count=%" PRIu64 " of=\"%.*s: %.*s\"",
	         lines, (int)parts.module.length, parts.module.start, (int)parts.event.length,
	         parts.event.start);
	line = log_line_read(text);
	log_sink_write(&state.sink, LOG_WARNING, &line);
}

static void settle(bool at_once)
{
	const void *event;
	uint64_t lines;

	while ((lines = log_flood_take(&state.flood, at_once, now_ms(CLOCK_MONOTONIC), &event)))
		tell_suppressed(lines, event);
}

static void write_line(enum log_level level, const char *format, const struct log_line *line)
{
	if (level <= LOG_LEVEL_WARNING)
		log_events_add(&state.events, format, level, line, (int64_t)now_ms(CLOCK_REALTIME));
	if (level > state.level_max)
		return;

	settle(false);
	/* Whoever wants to see everything does. */
	if (level == LOG_LEVEL_DEBUG ||
	    log_flood_allows(&state.flood, format, now_ms(CLOCK_MONOTONIC)))
		log_sink_write(&state.sink, level_priorities[level], line);
}

void log_write(enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_SIZE];
	int saved_errno = errno;
	struct log_line line;
	va_list arguments;
	int length;

	if (level > state.level_max && level > LOG_LEVEL_WARNING)
		return;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length >= 0) {
		text_make_line(text);
		line = (struct log_line){ .text = text };
		if (level <= LOG_LEVEL_WARNING || state.sink.target == LOG_SINK_JOURNAL) {
			va_start(arguments, format);
			line = log_line_parts(text, format, arguments);
			va_end(arguments);
		}
		pthread_mutex_lock(&state.mutex);
		write_line(level, format, &line);
		pthread_mutex_unlock(&state.mutex);
	}
	errno = saved_errno;
}

void log_settle(void)
{
	int saved_errno = errno;

	pthread_mutex_lock(&state.mutex);
	settle(true);
	pthread_mutex_unlock(&state.mutex);
	errno = saved_errno;
}

struct log_hash log_hash(const char *key)
{
	struct log_hash ret;

	pthread_mutex_lock(&state.mutex);
	while (!state.key.words[0]) {
		if (getrandom(&state.key, sizeof(state.key), 0) < 0)
			state.key.words[0] = 0;
	}
	pthread_mutex_unlock(&state.mutex);
	snprintf(ret.text, sizeof(ret.text), "%016" PRIx64, siphash(state.key, key, strlen(key)));
	return ret;
}

size_t log_recent(struct log_event *ret, size_t max)
{
	size_t count;

	pthread_mutex_lock(&state.mutex);
	count = log_events_list(&state.events, ret, max);
	pthread_mutex_unlock(&state.mutex);
	return count;
}

struct log_counts log_counts(void)
{
	struct log_counts counts;

	pthread_mutex_lock(&state.mutex);
	counts = (struct log_counts){
		.suppressed = state.suppressed,
		.lost = state.sink.lost,
		.is_nowhere = state.sink.is_nowhere,
	};
	for (int i = 0; i < LOG_FLOOD_EVENTS; i++)
		counts.suppressed += state.flood.events[i].suppressed;
	pthread_mutex_unlock(&state.mutex);
	return counts;
}
