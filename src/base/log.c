/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "kapturefs/base/log.h"

enum { LINE_MAX_BYTES = 1024 };

/* The program's only mutable globals. */
static enum log_level level_max = LOG_LEVEL_NOTICE;
static bool to_syslog;

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error: ",
	[LOG_LEVEL_WARNING] = "warning: ",
	[LOG_LEVEL_NOTICE] = "",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

static const int level_priorities[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_NOTICE] = LOG_NOTICE,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

void log_set_level(enum log_level level)
{
	level_max = level;
}

void log_set_syslog(bool syslog)
{
	to_syslog = syslog;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	int saved_errno = errno;
	va_list arguments;
	int length;

	if (level > level_max)
		return;

	va_start(arguments, format);
	if (to_syslog) {
		vsyslog(level_priorities[level], format, arguments);
	} else {
		length = vsnprintf(line, sizeof(line), format, arguments);
		if (length >= 0)
			dprintf(STDERR_FILENO, "kapturefs: %s%s\n", level_words[level], line);
	}
	va_end(arguments);
	errno = saved_errno;
}
