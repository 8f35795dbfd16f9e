/* SPDX-License-Identifier: MIT */

#include "kapturefs/base/log_flood.h"
#include "kapturefs/base/log.h"

enum { SECOND_MS = 1000 };

static bool is_over(const struct log_flood_event *event, uint64_t now_ms)
{
	return now_ms - event->began_ms >= SECOND_MS;
}

/* Its place, or one that is free or tells nothing any more; NULL without either. */
static struct log_flood_event *find(struct log_flood *flood, const void *event, uint64_t now_ms)
{
	struct log_flood_event *spare = NULL;

	for (int i = 0; i < LOG_FLOOD_EVENTS; i++) {
		struct log_flood_event *place = &flood->events[i];

		if (place->event == event)
			return place;
		if (!place->event || (is_over(place, now_ms) && !place->suppressed))
			spare = place;
	}
	if (spare)
		*spare = (struct log_flood_event){ .event = event, .began_ms = now_ms };
	return spare;
}

bool log_flood_allows(struct log_flood *flood, const void *event, uint64_t now_ms)
{
	struct log_flood_event *place = find(flood, event, now_ms);

	if (!place)
		return true;
	if (is_over(place, now_ms)) {
		place->began_ms = now_ms;
		place->lines = 0;
	}
	if (place->lines < LOG_LINES_A_SECOND) {
		place->lines++;
		return true;
	}
	place->suppressed++;
	return false;
}

uint64_t log_flood_take(struct log_flood *flood, bool at_once, uint64_t now_ms,
                        const void **ret_event)
{
	for (int i = 0; i < LOG_FLOOD_EVENTS; i++) {
		struct log_flood_event *place = &flood->events[i];
		uint64_t suppressed = place->suppressed;

		if (!suppressed || (!at_once && !is_over(place, now_ms)))
			continue;
		place->suppressed = 0;
		*ret_event = place->event;
		return suppressed;
	}
	return 0;
}
