/* SPDX-License-Identifier: MIT */
/*
 * Slots of keys that are not kept: their directories can be shown, and are the same when the
 * customer has been fetched. These keys are
 *
 *   listed   ids that stand on a day's list and that nobody has asked for
 *   evicted  those that led to a customer who was evicted
 *
 * They are kept in memory, the last of each as they come: in a ring of one size, found by the hash
 * of the key and by the slot. That takes 3 MiB once 65,536 keys have come, and as much again for
 * numbers of ten digits; longer keys, as addresses are, have their bytes counted.
 *
 * The directories below that of an evicted key are not the same: members get other ordinals when
 * the customer comes back, so that no number of a directory is used for another. So a key has its
 * old slot only if it leads to the same customer again, by what that one has for ordinals.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/string_set.h"
#include "kapturefs/store/cache_parts.h"

enum {
	PLACES = 1 << 16,
	CHUNK_BYTES = 16, /* that a piece of memory takes besides */
	TEXT_BYTES_MAX = 4 << 20,
};

struct reservation {
	char *text;     /* NULL: none */
	uint64_t owner; /* of an evicted key: a hash of the customer's id */
	int64_t changed_ms;
	uint32_t slot;
	uint32_t next_ordinal;
	uint32_t next_by_key; /* of the same hash: a place + 1, or 0 */
	uint32_t next_by_slot;
	enum key_kind kind;
};

struct reservations {
	struct reservation all[PLACES];
	uint32_t by_key[PLACES]; /* places + 1 */
	uint32_t by_slot[PLACES];
	uint32_t first; /* the oldest */
	uint32_t count;
	size_t text_bytes;
};

static uint32_t *bucket_of_key(struct reservations *all, enum key_kind kind, const char *text)
{
	return &all->by_key[string_hash(text, strlen(text), kind) % PLACES];
}

static uint32_t *bucket_of_slot(struct reservations *all, uint32_t slot)
{
	return &all->by_slot[slot % PLACES];
}

static uint64_t owner_of(const char *id)
{
	return string_hash(id, strlen(id), 0);
}

/* Ending */

static void unlink_key(struct reservations *all, uint32_t place)
{
	const struct reservation *reservation = &all->all[place];
	uint32_t *link = bucket_of_key(all, reservation->kind, reservation->text);

	while (*link != place + 1)
		link = &all->all[*link - 1].next_by_key;
	*link = reservation->next_by_key;
}

static void unlink_slot(struct reservations *all, uint32_t place)
{
	const struct reservation *reservation = &all->all[place];
	uint32_t *link = bucket_of_slot(all, reservation->slot);

	while (*link != place + 1)
		link = &all->all[*link - 1].next_by_slot;
	*link = reservation->next_by_slot;
}

/* No byte of the key is left. */
static void end(struct reservations *all, uint32_t place)
{
	struct reservation *reservation = &all->all[place];
	size_t length;

	if (!reservation->text)
		return;
	unlink_key(all, place);
	unlink_slot(all, place);
	length = strlen(reservation->text) + 1;
	all->text_bytes -= length + CHUNK_BYTES;
	explicit_bzero(reservation->text, length);
	free(reservation->text);
	*reservation = (struct reservation){ 0 };
}

static void end_oldest(struct reservations *all)
{
	end(all, all->first);
	all->first = (all->first + 1) % PLACES;
	all->count--;
}

void cache_free_reservations(struct cache *cache)
{
	while (cache->reservations && cache->reservations->count)
		end_oldest(cache->reservations);
	free(steal(&cache->reservations));
}

/* Finding */

static struct reservation *find(struct cache *cache, const struct key *key)
{
	struct reservations *all = cache->reservations;
	uint32_t link = all ? *bucket_of_key(all, key->kind, key->text) : 0;

	for (; link; link = all->all[link - 1].next_by_key) {
		struct reservation *reservation = &all->all[link - 1];

		if (reservation->kind == key->kind && strcmp(reservation->text, key->text) == 0)
			return reservation;
	}
	return NULL;
}

static struct reservation *find_slot(struct cache *cache, uint32_t slot)
{
	struct reservations *all = cache->reservations;
	uint32_t link = all ? *bucket_of_slot(all, slot) : 0;

	for (; link; link = all->all[link - 1].next_by_slot) {
		if (all->all[link - 1].slot == slot)
			return &all->all[link - 1];
	}
	return NULL;
}

int cache_find_reserved(struct cache *cache, const struct key *key, struct cache_reserved *ret)
{
	const struct reservation *reservation = find(cache, key);

	if (!reservation)
		return CACHE_NONE;
	*ret = (struct cache_reserved){
		.slot = reservation->slot,
		.changed_ms = reservation->changed_ms,
		.is_evicted = reservation->owner != 0,
	};
	return 0;
}

int cache_read_reserved(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	const struct reservation *reservation = find_slot(cache, slot);

	if (!reservation)
		return CACHE_NONE;
	*ret = (struct cache_key){ .key.kind = reservation->kind, .slot = slot };
	memcpy(ret->key.text, reservation->text, strlen(reservation->text) + 1);
	return 0;
}

/* Whether no member of @record has an ordinal that one had when the key was evicted. */
static bool is_of(const struct reservation *reservation, const struct record *record)
{
	const struct member *member;

	for (uint32_t i = 1; (member = record_member(record, i)); i++) {
		if (member->ordinal < reservation->next_ordinal)
			return false;
	}
	return owner_of(record_id(record)) == reservation->owner;
}

uint32_t cache_reserved_slot(struct cache *cache, const struct key *key,
                             const struct record *record)
{
	const struct reservation *reservation = find(cache, key);

	if (!reservation || (reservation->owner && (!record || !is_of(reservation, record))))
		return 0;
	return reservation->slot;
}

bool cache_was_of_another(struct cache *cache, const struct key *key, const struct record *record)
{
	const struct reservation *reservation = find(cache, key);

	return reservation && reservation->owner && !is_of(reservation, record);
}

uint32_t cache_reserved_ordinal(struct cache *cache, const struct key *id)
{
	const struct reservation *reservation = find(cache, id);

	return reservation ? reservation->next_ordinal : 0;
}

/* Keeping */

static int make_room(struct cache *cache, size_t text_bytes)
{
	struct reservations *all = cache->reservations;

	if (!all)
		all = cache->reservations = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	while (all->count == PLACES ||
	       (all->count && all->text_bytes + text_bytes > TEXT_BYTES_MAX))
		end_oldest(all);
	return 0;
}

static int add(struct cache *cache, const struct key *key, const struct reservation *reservation)
{
	size_t text_bytes = strlen(key->text) + 1 + CHUNK_BYTES;
	struct reservations *all;
	struct reservation *added;
	uint32_t *links[2];
	uint32_t place;

	cache_end_reservation(cache, key);
	if (make_room(cache, text_bytes))
		return -ENOMEM;
	all = cache->reservations;
	place = (all->first + all->count) % PLACES;
	added = &all->all[place];
	*added = *reservation;
	added->kind = key->kind;
	added->text = strdup(key->text);
	if (!added->text)
		return -ENOMEM;

	links[0] = bucket_of_key(all, key->kind, key->text);
	links[1] = bucket_of_slot(all, added->slot);
	added->next_by_key = *links[0];
	added->next_by_slot = *links[1];
	*links[0] = *links[1] = place + 1;
	all->text_bytes += text_bytes;
	all->count++;
	return 0;
}

int cache_reserve(struct cache *cache, const struct key *id, uint32_t *ret)
{
	struct reservation reservation = { 0 };
	const struct reservation *known = find(cache, id);
	int r;

	if (known) {
		*ret = known->slot;
		return 0;
	}
	r = cache_take_slot(cache, &reservation.slot);
	if (!r)
		r = add(cache, id, &reservation);
	if (!r)
		*ret = reservation.slot;
	return r;
}

/* Where there is no memory, the key has another slot the next time. */
void cache_reserve_evicted(struct cache *cache, const struct cache_evicted *evicted)
{
	const struct reservation customer = {
		.owner = owner_of(evicted->id),
		.changed_ms = evicted->changed_ms,
		.next_ordinal = evicted->next_ordinal,
	};

	for (size_t i = 0; *evicted->id && i < evicted->key_count; i++) {
		struct reservation reservation = customer;

		reservation.slot = evicted->keys[i].slot;
		/* The later of the two is what its directory has shown. */
		if (reservation.changed_ms < evicted->keys[i].since_ms)
			reservation.changed_ms = evicted->keys[i].since_ms;
		(void)!add(cache, &evicted->keys[i].key, &reservation);
	}
}

void cache_end_reservation(struct cache *cache, const struct key *key)
{
	struct reservation *reservation = find(cache, key);

	if (reservation)
		end(cache->reservations, (uint32_t)(reservation - cache->reservations->all));
}

int cache_end_reservations(struct cache *cache, const struct key *key, const char *id,
                           struct cache_change *change)
{
	const struct reservation *reservation = find(cache, key);
	struct reservations *all = cache->reservations;
	uint64_t owner = reservation ? reservation->owner : 0;
	int r = 0;

	if (!owner && id)
		owner = owner_of(id);
	for (uint32_t i = 0; all && i < PLACES && !r; i++) {
		struct reservation *other = &all->all[i];

		if (!other->text || (other != reservation && (!owner || other->owner != owner)))
			continue;
		if (other->owner) {
			change->has_gone = true;
			r = cache_note_key(change, other->slot);
		}
		end(all, i);
	}
	return r;
}
