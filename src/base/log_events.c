/* SPDX-License-Identifier: MIT */

#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log_events.h"

static struct log_event read_event(enum log_level level, const struct log_line *line,
                                   int64_t now_ms)
{
	struct log_event event = { .level = level, .first_ms = now_ms };
	struct log_span error = log_line_find(line, "error");
	char status[8];

	if (!error.length)
		error = log_line_find(line, "errno");
	log_span_copy(line->module, event.module, sizeof(event.module));
	log_span_copy(line->event, event.text, sizeof(event.text));
	log_span_copy(error, event.error, sizeof(event.error));
	log_span_copy(log_line_find(line, "cause"), event.cause, sizeof(event.cause));
	log_span_copy(log_line_find(line, "status"), status, sizeof(status));
	event.status = strtol(status, NULL, 10);
	return event;
}

static bool is_same(const struct log_entry *entry, const void *place, const struct log_event *event)
{
	return entry->place == place && entry->event.status == event->status &&
	       strcmp(entry->event.text, event->text) == 0 &&
	       strcmp(entry->event.error, event->error) == 0 &&
	       strcmp(entry->event.cause, event->cause) == 0;
}

/* The entry of the same event, or the one that has to make room. */
static struct log_entry *find(struct log_events *events, const void *place,
                              const struct log_event *event)
{
	struct log_entry *oldest = &events->entries[0];

	for (int i = 0; i < LOG_EVENTS; i++) {
		struct log_entry *entry = &events->entries[i];

		if (is_same(entry, place, event))
			return entry;
		if (entry->turn < oldest->turn)
			oldest = entry;
	}
	*oldest = (struct log_entry){ .place = place, .event = *event };
	return oldest;
}

void log_events_add(struct log_events *events, const void *place, enum log_level level,
                    const struct log_line *line, int64_t now_ms)
{
	struct log_event event = read_event(level, line, now_ms);
	struct log_entry *entry = find(events, place, &event);

	entry->turn = ++events->turn;
	entry->event.count++;
	entry->event.last_ms = now_ms;
}

/* The newest of those that are older than @turn. */
static const struct log_entry *newest_before(const struct log_events *events, uint64_t turn)
{
	const struct log_entry *newest = NULL;

	for (int i = 0; i < LOG_EVENTS; i++) {
		const struct log_entry *entry = &events->entries[i];

		if (entry->place && entry->turn < turn && (!newest || entry->turn > newest->turn))
			newest = entry;
	}
	return newest;
}

size_t log_events_list(const struct log_events *events, struct log_event *ret, size_t max)
{
	uint64_t turn = UINT64_MAX;
	const struct log_entry *entry;
	size_t count = 0;

	while (count < max && (entry = newest_before(events, turn))) {
		ret[count++] = entry->event;
		turn = entry->turn;
	}
	return count;
}
