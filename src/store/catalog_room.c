/* SPDX-License-Identifier: MIT */
/*
 * The part of catalog that makes room for answers. A large one takes the place of hundreds, and to
 * evict these takes a tenth of a second: so it waits, and others have their turn. Who needs less
 * goes first. How much is needed is guessed, and known once there was too little.
 */

#include "kapturefs/store/catalog_parts.h"

enum {
	SOON_MS = 1,
	ROOM_BESIDES = 4096, /* another page, as not all pages are as full the next time */
};

int room_make(struct fetch *fetch, size_t length)
{
	struct catalog *catalog = fetch->catalog;
	bool has_gone = true;

	if (!fetch->room)
		fetch->room = cache_room_for(length);
	while (cache_room(catalog->cache) < fetch->room) {
		if (!has_gone)
			return CACHE_NONE;
		if (!turn_share_begin(&catalog->room.share, catalog->loop))
			return CACHE_FULL;
		has_gone = house_make_room(catalog);
		turn_share_end(&catalog->room.share);
	}
	return 0;
}

void room_note_full(struct fetch *fetch)
{
	struct cache *cache = fetch->catalog->cache;

	fetch->room = cache_room(cache) + cache_room_lacking(cache) + ROOM_BESIDES;
}

static struct fetch *fetch_at(struct list *link)
{
	return container_of(link, struct fetch, of_room);
}

static void go_on(uv_timer_t *timer);

void room_wait(struct fetch *fetch, const struct source_answer *answer)
{
	struct catalog *catalog = fetch->catalog;
	struct list *fetches = &catalog->room.fetches;
	struct list *place = fetches;

	while (place->previous != fetches && fetch_at(place->previous)->room > fetch->room)
		place = place->previous;
	fetch->answer =
	        (struct source_answer){ .record = answer->record, .roster = answer->roster };
	if (answer->record)
		record_ref(answer->record);
	list_insert_before(place, &fetch->of_room);
	if (!uv_is_active((uv_handle_t *)&catalog->room.timer))
		uv_timer_start(&catalog->room.timer, go_on, SOON_MS, SOON_MS);
}

void room_leave(struct fetch *fetch)
{
	list_remove(&fetch->of_room);
	record_unref(steal(&fetch->answer.record));
}

static void go_on_with(struct fetch *fetch)
{
	struct source_answer answer = fetch->answer;

	list_remove(&fetch->of_room);
	fetch->answer.record = NULL;
	fetch_answered(fetch, &answer);
	record_unref(answer.record);
}

static void go_on(uv_timer_t *timer)
{
	struct catalog *catalog = timer->data;
	struct list *fetches = &catalog->room.fetches;
	size_t count = 0;

	for (struct list *link = fetches->next; link != fetches; link = link->next)
		count++;
	while (count-- && !list_is_empty(fetches) &&
	       turn_share_begin(&catalog->room.share, catalog->loop))
		go_on_with(fetch_at(fetches->next));
	if (list_is_empty(fetches))
		uv_timer_stop(timer);
}

void room_open(struct catalog *catalog)
{
	list_init(&catalog->room.fetches);
	uv_timer_init(catalog->loop, &catalog->room.timer);
	catalog->room.timer.data = catalog;
	catalog->handles_open++;
}

void room_close(struct catalog *catalog, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&catalog->room.timer, closed);
}
