#pragma once
/* SPDX-License-Identifier: MIT */
/* The last warnings and errors, kept for whoever asks later. */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/log_line.h"

/** Zero to begin with. The same event again is counted, and counts as new. */
struct log_events {
	struct log_entry {
		const void *place; /* in the source; NULL: free */
		uint64_t turn;     /* higher is newer */
		struct log_event event;
	} entries[LOG_EVENTS];
	uint64_t turn;
};

/** Keep @line, which was logged at @place at @now_ms, Unix time; the oldest event makes room. */
void log_events_add(struct log_events *events, const void *place, enum log_level level,
                    const struct log_line *line, int64_t now_ms);

/** As log_recent(). */
size_t log_events_list(const struct log_events *events, struct log_event *ret, size_t max);
