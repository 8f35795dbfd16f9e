/* SPDX-License-Identifier: MIT */

#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/siphash.h"
#include "kapturefs/store/answer_order.h"

enum {
	CAPACITY_MIN = 64,
	CAPACITY_MAX = 1 << 16, /* 2 MiB; more overlap than the tries that may be under way */
};

/* Two keys of one hash are taken for one: then an answer may be asked for once more. */
struct answer_entry {
	uint64_t key_hash; /* 0: free */
	struct answer_note note;
};

void answer_order_fini(struct answer_order *order)
{
	free(order->entries);
	*order = (struct answer_order){ 0 };
}

static uint64_t hash_of(const struct key *key)
{
	uint64_t hash =
	        siphash((struct siphash_key){ { key->kind, 0 } }, key->text, strlen(key->text));

	return hash ? hash : 1;
}

/* The entry with @hash, or the free one where it would be; there is always a free one. */
static struct answer_entry *entry_at(struct answer_entry *entries, size_t capacity, uint64_t hash)
{
	size_t place = hash & (capacity - 1);

	while (entries[place].key_hash && entries[place].key_hash != hash)
		place = (place + 1) & (capacity - 1);
	return &entries[place];
}

static struct answer_note find(const struct answer_order *order, uint64_t hash)
{
	struct answer_note none = { .stored = order->floor };
	const struct answer_entry *entry;

	if (!order->count)
		return none;
	entry = entry_at(order->entries, order->capacity, hash);
	return entry->key_hash && entry->note.stored >= order->floor ? entry->note : none;
}

struct answer_note answer_order_find(const struct answer_order *order, const struct key *key)
{
	return find(order, hash_of(key));
}

bool answer_order_is_late(const struct answer_order *order, const struct key *key, uint64_t sent)
{
	return answer_order_find(order, key).stored > sent;
}

bool answer_order_has_forgotten(const struct answer_order *order, const struct roster *roster,
                                uint64_t sent)
{
	const char *text;
	struct key id;

	if (order->floor > sent)
		return true;
	if (!order->forgotten_count)
		return false;
	for (uint32_t place = 1; place <= roster->ids.count; place++) {
		struct answer_note note;

		text = roster_at(roster, place);
		if (!text || key_parse(KEY_ID, text, strlen(text), &id))
			continue;
		note = answer_order_find(order, &id);
		if (note.is_forgotten && note.stored > sent)
			return true;
	}
	return false;
}

bool answer_order_is_full(const struct answer_order *order)
{
	return order->count >= order->capacity / 4 * 3;
}

static size_t count_needed(const struct answer_order *order, uint64_t oldest)
{
	size_t count = 0;

	for (size_t i = 0; i < order->capacity; i++) {
		const struct answer_entry *entry = &order->entries[i];

		count += entry->key_hash && entry->note.stored > oldest;
	}
	return count;
}

static void insert(struct answer_order *order, uint64_t hash, const struct answer_note *note)
{
	struct answer_entry *entry = entry_at(order->entries, order->capacity, hash);

	order->forgotten_count += note->is_forgotten;
	if (entry->key_hash)
		order->forgotten_count -= entry->note.is_forgotten;
	else
		order->count++;
	*entry = (struct answer_entry){ hash, *note };
}

/* Without the table all that is in it may be anything. */
static void give_up(struct answer_order *order)
{
	for (size_t i = 0; i < order->capacity; i++)
		answer_order_note_all(order, order->entries[i].note.stored);
	if (order->capacity)
		memset(order->entries, 0, order->capacity * sizeof(*order->entries));
	order->count = 0;
	order->forgotten_count = 0;
}

void answer_order_prune(struct answer_order *order, uint64_t oldest)
{
	struct answer_order pruned = { .capacity = CAPACITY_MIN, .floor = order->floor };
	size_t needed = count_needed(order, oldest);

	/* Half of it is room: so pruning costs each note a constant. */
	while (pruned.capacity < 2 * (needed + 1))
		pruned.capacity *= 2;
	pruned.entries = pruned.capacity <= CAPACITY_MAX
	                         ? calloc(pruned.capacity, sizeof(*pruned.entries))
	                         : NULL;
	if (!pruned.entries) {
		give_up(order);
		return;
	}
	for (size_t i = 0; i < order->capacity; i++) {
		const struct answer_entry *entry = &order->entries[i];

		if (entry->key_hash && entry->note.stored > oldest)
			insert(&pruned, entry->key_hash, &entry->note);
	}
	free(order->entries);
	*order = pruned;
}

void answer_order_note(struct answer_order *order, const struct key *key,
                       const struct answer_note *note)
{
	if (answer_order_is_full(order))
		answer_order_note_all(order, note->stored);
	else
		insert(order, hash_of(key), note);
}

void answer_order_note_all(struct answer_order *order, uint64_t stored)
{
	if (stored > order->floor)
		order->floor = stored;
}
