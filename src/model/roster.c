/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/roster.h"

enum { CAPACITY_MIN = 128 };

void roster_fini(struct roster *roster)
{
	free(roster->entries);
	free(roster->buckets);
	*roster = (struct roster){ 0 };
}

/* FNV-1a. */
uint32_t roster_hash(const char *id, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)id[i]) * 16777619u;
	return hash ^ hash >> 16;
}

static bool is_spelled(const struct roster_entry *entry, const char *id, size_t length)
{
	return length <= KEY_DIGITS_MAX && memcmp(entry->id, id, length) == 0 && !entry->id[length];
}

/* The bucket of @id, or the free one where it belongs. */
static uint32_t *bucket_of(const struct roster *roster, const char *id, size_t length)
{
	uint32_t mask = roster->bucket_count - 1;
	uint32_t bucket = roster_hash(id, length) & mask;

	while (roster->buckets[bucket] &&
	       !is_spelled(&roster->entries[roster->buckets[bucket] - 1], id, length))
		bucket = (bucket + 1) & mask;
	return &roster->buckets[bucket];
}

static int grow(struct roster *roster)
{
	uint32_t capacity = roster->capacity ? 2 * roster->capacity : CAPACITY_MIN;
	struct roster_entry *entries;
	uint32_t *buckets;

	entries = reallocarray(roster->entries, capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	roster->entries = entries;
	buckets = calloc((size_t)2 * capacity, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;

	free(roster->buckets);
	roster->buckets = buckets;
	roster->bucket_count = 2 * capacity;
	roster->capacity = capacity;
	for (uint32_t i = 0; i < roster->count; i++)
		*bucket_of(roster, entries[i].id, strlen(entries[i].id)) = i + 1;
	return 0;
}

static int add(struct roster *roster, const char *id, size_t length)
{
	struct roster_entry *entry;
	uint32_t *bucket;
	int r;

	if (roster->count == roster->capacity) {
		r = grow(roster);
		if (r)
			return r;
	}
	bucket = bucket_of(roster, id, length);
	if (*bucket) {
		entry = &roster->entries[*bucket - 1];
		if (!entry->is_gone)
			return ROSTER_KNOWN;
		entry->is_gone = false;
		roster->present++;
		return 0;
	}
	if (roster->count == ROSTER_PLACES_MAX)
		return -EFBIG;

	entry = &roster->entries[roster->count++];
	*entry = (struct roster_entry){ .id = "" };
	memcpy(entry->id, id, length);
	*bucket = roster->count;
	roster->present++;
	return 0;
}

int roster_add(struct roster *roster, const char *id)
{
	return add(roster, id, strlen(id));
}

void roster_remove(struct roster *roster, const char *id)
{
	uint32_t place = roster_find(roster, id, strlen(id));

	if (!place)
		return;
	roster->entries[place - 1].is_gone = true;
	roster->present--;
}

uint32_t roster_find(const struct roster *roster, const char *id, size_t length)
{
	uint32_t place = roster->bucket_count ? *bucket_of(roster, id, length) : 0;

	return place && !roster->entries[place - 1].is_gone ? place : 0;
}

const char *roster_at(const struct roster *roster, uint32_t place)
{
	if (place == 0 || place > roster->count || roster->entries[place - 1].is_gone)
		return NULL;
	return roster->entries[place - 1].id;
}

int roster_follow(struct roster *roster, const struct roster *now, bool *ret_changed)
{
	bool has_changed = false;
	const char *id;
	int r;

	for (uint32_t place = 1; place <= roster->count; place++) {
		struct roster_entry *entry = &roster->entries[place - 1];

		if (entry->is_gone || roster_find(now, entry->id, strlen(entry->id)))
			continue;
		roster_remove(roster, entry->id);
		has_changed = true;
	}
	for (uint32_t place = 1; place <= now->count; place++) {
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

	for (uint32_t i = 0; !r && i < roster->count; i++)
		r = buffer_print(buffer, "%s%s\n", roster->entries[i].is_gone ? "-" : "",
		                 roster->entries[i].id);
	return r;
}

/* One line, in which an id stands only once. */
static int read_line(const char *line, size_t length, struct roster *roster)
{
	bool is_gone = length && *line == '-';
	uint32_t count = roster->count;
	struct key key;
	int r;

	line += is_gone;
	length -= is_gone;
	if (key_parse(KEY_ID, line, length, &key) || !key_is_spelled(&key, line, length))
		return -EILSEQ;
	r = roster_add(roster, key.text);
	if (r == -ENOMEM)
		return r;
	if (r || roster->count == count)
		return -EILSEQ;
	roster->entries[count].is_gone = is_gone;
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
