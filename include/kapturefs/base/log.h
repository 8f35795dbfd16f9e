#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * One line an event, `module: event key=value`, to the journal, to standard error or to syslog.
 *
 * No line may carry the token, a key or a value of a customer: log what happened and where;
 * whom it concerned is a log_hash(). Writing never waits: what nobody takes is lost and counted.
 * Of one event (one place in the source) at most LOG_LINES_A_SECOND lines are written in a second,
 * and the others are summed up. Any thread may log.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_DEBUG,
};

enum {
	LOG_LINES_A_SECOND = 10,
	LOG_LINE_SIZE = 1024, /* longer lines are cut */
	LOG_EVENTS = 100,
};

/**
 * Find out where lines go: to the journal if that is what standard error leads to
 * (systemd.exec(5), $JOURNAL_STREAM), else to standard error.
 */
void log_open(void);

/** Lines below @level are dropped from now on; LOG_LEVEL_NOTICE at start. */
void log_set_level(enum log_level level);

/**
 * Standard error will lead nowhere: lines go to syslog, if they do not go to the journal. Where
 * there is no syslog, to what was standard error, unless that is a pipe, at whose other end
 * somebody may wait for us to let go of it.
 */
void log_set_daemon(void);

/**
 * Append lines to the file at @path besides, and to no other any more. Returns 0, -EINVAL if it is
 * no regular file, -EPERM if others can change what is there, as trust.h, or another negative
 * errno.
 */
int log_set_file(const char *path) must_check;

/** Write no line from now on, but keep the events: for commands that tell them in their own way. */
void log_set_silent(void);

/** Whether lines of @level are written, for what takes long to put together. */
bool log_wants(enum log_level level);

/** Write one line. Never fails, never waits and never changes errno. */
void log_write(enum log_level level, const char *format, ...) printf_like(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/** Say what has been held back as one of too many, if anything: call at the end. */
void log_settle(void);

/** A customer's key as it may be logged: the same for one key until the process ends. */
struct log_hash {
	char text[17];
};
struct log_hash log_hash(const char *key);

/** Warnings and errors that are the same but for their numbers are one event. */
struct log_event {
	enum log_level level;
	uint64_t count;
	int64_t first_ms; /* Unix time, as the next */
	int64_t last_ms;
	char module[24];
	char text[LOG_LINE_SIZE]; /* what happened */
	char error[24];           /* the name of the errno, or "" */
	char cause[512];
	long status; /* of HTTP, or 0 */
};

/** The last events, the newest first, at most @max. Returns how many. */
size_t log_recent(struct log_event *ret, size_t max);

struct log_counts {
	uint64_t suppressed; /* lines held back as too many */
	uint64_t lost;       /* lines that nobody took */
	bool is_nowhere;     /* there is no syslog to take them, nor anything else */
};
struct log_counts log_counts(void);
