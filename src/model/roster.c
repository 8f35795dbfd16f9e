/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/roster.h"

void roster_fini(struct roster *roster)
{
	string_set_fini(&roster->ids);
	free(roster->gone);
	*roster = (struct roster){ 0 };
}

static int add_new(struct roster *roster, const char *id)
{
	uint32_t place;
	bool *gone;
	int r;

	if (roster->ids.count == ROSTER_PLACES_MAX)
		return -EFBIG;
	r = string_set_add(&roster->ids, id, strlen(id), &place);
	if (r)
		return r;
	if (place >= roster->gone_capacity) {
		gone = reallocarray(roster->gone, roster->ids.capacity, sizeof(*gone));
		if (!gone) {
			string_set_cut(&roster->ids, place);
			return -ENOMEM;
		}
		roster->gone = gone;
		roster->gone_capacity = roster->ids.capacity;
	}
	roster->gone[place] = false;
	roster->present++;
	return 0;
}

int roster_add(struct roster *roster, const char *id)
{
	uint32_t place;

	if (!string_set_find(&roster->ids, id, strlen(id), &place))
		return add_new(roster, id);
	if (!roster->gone[place])
		return ROSTER_KNOWN;
	roster->gone[place] = false;
	roster->present++;
	return 0;
}

void roster_remove(struct roster *roster, const char *id)
{
	uint32_t place = roster_find(roster, id, strlen(id));

	if (!place)
		return;
	roster->gone[place - 1] = true;
	roster->present--;
}

uint32_t roster_find(const struct roster *roster, const char *id, size_t length)
{
	uint32_t place;

	if (!string_set_find(&roster->ids, id, length, &place) || roster->gone[place])
		return 0;
	return place + 1;
}

const char *roster_at(const struct roster *roster, uint32_t place)
{
	if (place == 0 || place > roster->ids.count || roster->gone[place - 1])
		return NULL;
	return string_set_at(&roster->ids, place - 1);
}

int roster_follow(struct roster *roster, const struct roster *now, bool *ret_changed)
{
	bool has_changed = false;
	const char *id;
	int r;

	for (uint32_t place = 1; place <= roster->ids.count; place++) {
		id = roster_at(roster, place);
		if (!id || roster_find(now, id, strlen(id)))
			continue;
		roster_remove(roster, id);
		has_changed = true;
	}
	for (uint32_t place = 1; place <= now->ids.count; place++) {
		id = roster_at(now, place);
		r = id ? roster_add(roster, id) : ROSTER_KNOWN;
		if (r < 0)
			return r;
		has_changed |= r == 0;
	}
	*ret_changed = has_changed;
	return 0;
}

int roster_write(const struct roster *roster, struct buffer *buffer)
{
	int r = buffer_append_text(buffer, "\n");

	for (uint32_t i = 0; !r && i < roster->ids.count; i++)
		r = buffer_print(buffer, "%s%s\n", roster->gone[i] ? "-" : "",
		                 string_set_at(&roster->ids, i));
	return r;
}

/* One line, in which an id stands only once. */
static int read_line(const char *line, size_t length, struct roster *roster)
{
	bool is_gone = length && *line == '-';
	uint32_t count = roster->ids.count;
	struct key key;
	int r;

	line += is_gone;
	length -= is_gone;
	if (key_parse(KEY_ID, line, length, &key) || !key_is_spelled(&key, line, length))
		return -EILSEQ;
	r = roster_add(roster, key.text);
	if (r == -ENOMEM)
		return r;
	if (r || roster->ids.count == count)
		return -EILSEQ;
	roster->gone[count] = is_gone;
	roster->present -= is_gone;
	return 0;
}

int roster_read(const char *text, size_t length, struct roster *ret)
{
	cleanup(roster_fini) struct roster roster = { 0 };
	const char *end = text + length;
	const char *next;
	int r;

	if (!length || *text != '\n' || end[-1] != '\n')
		return -EILSEQ;
	for (const char *line = text + 1; line < end; line = next + 1) {
		next = memchr(line, '\n', (size_t)(end - line));
		r = read_line(line, (size_t)(next - line), &roster);
		if (r)
			return r;
	}
	*ret = roster;
	roster = (struct roster){ 0 };
	return 0;
}
