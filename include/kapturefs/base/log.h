#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * One line an event, `module: event key=value`, to standard error or syslog.
 *
 * No line may carry the token, a key or a value of a customer: log what
 * happened and where, never whom it concerned.
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_DEBUG,
};

/** Lines below @level are dropped from now on; LOG_LEVEL_NOTICE at start. */
void log_set_level(enum log_level level);

/** Whether lines go to syslog rather than standard error, as at start. */
void log_set_syslog(bool syslog);

/** Write one line. Never fails and never changes errno. */
void log_write(enum log_level level, const char *format, ...) printf_like(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
