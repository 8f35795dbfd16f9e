/* SPDX-License-Identifier: MIT */

#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/siphash.h"
#include "kapturefs/store/recency.h"

enum { CAPACITY_MIN = 16 };

/* Two ids of one hash are taken for one: then a customer is what is known of it, and no newer. */
struct recency_entry {
	uint64_t id_hash;
	uint64_t number;
};

void recency_fini(struct recency *recency)
{
	free(recency->entries);
	*recency = (struct recency){ 0 };
}

static uint64_t hash_of(const char *id)
{
	return siphash((struct siphash_key){ { 0, 0 } }, id, strlen(id));
}

static bool make_room(struct recency *recency)
{
	size_t capacity = recency->capacity ? 2 * recency->capacity : CAPACITY_MIN;
	struct recency_entry *entries;

	if (recency->count < recency->capacity)
		return true;
	entries = reallocarray(recency->entries, capacity, sizeof(*entries));
	if (!entries)
		return false;
	recency->entries = entries;
	recency->capacity = capacity;
	return true;
}

bool recency_is_late(struct recency *recency, const char *id, uint64_t number)
{
	uint64_t hash = hash_of(id);

	for (size_t i = 0; i < recency->count; i++) {
		struct recency_entry *entry = &recency->entries[i];

		if (entry->id_hash != hash)
			continue;
		if (entry->number > number)
			return true;
		entry->number = number;
		return false;
	}
	if (make_room(recency))
		recency->entries[recency->count++] = (struct recency_entry){ hash, number };
	return false;
}

void recency_prune(struct recency *recency, uint64_t oldest)
{
	size_t kept = 0;

	for (size_t i = 0; i < recency->count; i++) {
		if (recency->entries[i].number > oldest)
			recency->entries[kept++] = recency->entries[i];
	}
	recency->count = kept;
}
