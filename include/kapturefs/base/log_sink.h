#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Where the lines of the log go. Nothing here waits: a reader that does not read loses lines, and
 * the next line that gets through is told after how many.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/log_line.h"

#define LOG_SYSLOG_PATH  "/dev/log"
#define LOG_JOURNAL_PATH "/run/systemd/journal/socket"

enum log_sink_target {
	LOG_SINK_NOTHING,
	LOG_SINK_STREAM,  /* a descriptor */
	LOG_SINK_SYSLOG,  /* the socket of syslog(3) */
	LOG_SINK_JOURNAL, /* systemd.io/JOURNAL_NATIVE_PROTOCOL */
};

struct log_sink {
	enum log_sink_target target;
	/* For LOG_SINK_STREAM, and where there is no journal or syslog; or -1 */
	int stream;
	bool has_file; /* which gets all lines, besides */
	int file;
	const char *syslog_path;
	const char *journal_path;
	int socket; /* -1 until needed */
	uint64_t lost;
	uint64_t lost_untold; /* of these, the ones that no line has told of */
	bool is_nowhere;      /* there is nobody to take the last line, nor has there to be */
};

/** Write @line, with the priority @priority of syslog(3). */
void log_sink_write(struct log_sink *sink, int priority, const struct log_line *line);

/** Let go of the socket. */
void log_sink_fini(struct log_sink *sink);

/** Whether @stream is what $JOURNAL_STREAM, `device:inode`, names; NULL names nothing. */
bool log_sink_is_journal(const char *journal_stream, int stream);
