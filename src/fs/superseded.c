/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>

#include "kapturefs/fs/superseded.h"
#include "kapturefs/fs/view.h"

enum { ENTRIES_MAX = 1024 };

struct entry {
	struct record *record; /* owned */
	uint32_t customer;
	uint64_t added_ms;
};

/* A ring, oldest first. */
struct superseded {
	unsigned first;
	unsigned count;
	size_t size;
	struct entry entries[ENTRIES_MAX];
};

int superseded_new(struct superseded **ret)
{
	struct superseded *superseded = calloc(1, sizeof(*superseded));

	if (!superseded)
		return -ENOMEM;
	*ret = superseded;
	return 0;
}

static void drop_oldest(struct superseded *superseded)
{
	struct entry *entry = &superseded->entries[superseded->first];

	superseded->size -= record_footprint(entry->record);
	record_unref(steal(&entry->record));
	superseded->first = (superseded->first + 1) % ENTRIES_MAX;
	superseded->count--;
}

void superseded_free(struct superseded *superseded)
{
	if (!superseded)
		return;

	while (superseded->count)
		drop_oldest(superseded);
	free(superseded);
}

static bool is_over(const struct entry *entry, uint64_t now_ms)
{
	return now_ms - entry->added_ms > SUPERSEDED_LIFE_MS;
}

void superseded_add(struct superseded *superseded, uint32_t customer, struct record *record,
                    uint64_t now_ms)
{
	while (superseded->count &&
	       (superseded->count == ENTRIES_MAX || superseded->size > SUPERSEDED_SIZE_MAX ||
	        is_over(&superseded->entries[superseded->first], now_ms)))
		drop_oldest(superseded);

	superseded->entries[(superseded->first + superseded->count) % ENTRIES_MAX] =
	        (struct entry){ record_ref(record), customer, now_ms };
	superseded->size += record_footprint(record);
	superseded->count++;
}

static struct entry *entry_at(struct superseded *superseded, unsigned place)
{
	return &superseded->entries[(superseded->first + place) % ENTRIES_MAX];
}

void superseded_forget(struct superseded *superseded, uint32_t customer)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < superseded->count; i++) {
		struct entry *entry = entry_at(superseded, i);

		if (entry->customer == customer) {
			superseded->size -= record_footprint(entry->record);
			record_unref(steal(&entry->record));
			continue;
		}
		*entry_at(superseded, kept++) = *entry;
	}
	superseded->count = kept;
}

struct record *superseded_find(const struct superseded *superseded, const struct node *node,
                               uint64_t now_ms)
{
	for (unsigned i = superseded->count; i > 0; i--) {
		const struct entry *entry =
		        &superseded->entries[(superseded->first + i - 1) % ENTRIES_MAX];

		if (is_over(entry, now_ms))
			return NULL;
		if (entry->customer == node->slot && view_shows(entry->record, node))
			return entry->record;
	}
	return NULL;
}
