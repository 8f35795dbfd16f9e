/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "kapturefs/store/tally.h"

struct tally_entry {
	uint32_t user;
	size_t count;
};

/* Nearly always there are a few. */
static struct tally_entry *find(const struct tally *tally, uint32_t user)
{
	for (size_t i = 0; i < tally->count; i++) {
		if (tally->entries[i].user == user)
			return &tally->entries[i];
	}
	return NULL;
}

void tally_fini(struct tally *tally)
{
	free(tally->entries);
	*tally = (struct tally){ 0 };
}

size_t tally_of(const struct tally *tally, uint32_t user)
{
	const struct tally_entry *entry = find(tally, user);

	return entry ? entry->count : 0;
}

int tally_reserve(struct tally *tally)
{
	size_t capacity = tally->capacity ? 2 * tally->capacity : 16;
	struct tally_entry *entries;

	if (tally->count < tally->capacity)
		return 0;
	entries = reallocarray(tally->entries, capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	tally->entries = entries;
	tally->capacity = capacity;
	return 0;
}

void tally_add(struct tally *tally, uint32_t user)
{
	struct tally_entry *entry = find(tally, user);

	if (!entry) {
		assert(tally->count < tally->capacity);
		entry = &tally->entries[tally->count++];
		*entry = (struct tally_entry){ .user = user };
	}
	entry->count++;
}

void tally_remove(struct tally *tally, uint32_t user)
{
	struct tally_entry *entry = find(tally, user);

	assert(entry);
	if (!--entry->count)
		*entry = tally->entries[--tally->count];
}
