/* SPDX-License-Identifier: MIT */
/*
 * Slots of ids that stand on a day's list and that nobody has asked for: the directory of such a
 * customer can be shown, and is the same when the customer has been fetched.
 *
 * They are kept in memory, in two tables of one size: by the hash of the id, and by the slot. Who
 * comes to another's place takes it: then the other's directory is looked up again, and has another
 * slot.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/store/cache_parts.h"

enum { PLACES = 1 << 16 };

struct reservation {
	char id[KEY_DIGITS_MAX + 1];
	uint32_t slot; /* 0: none */
};

struct reservations {
	struct reservation by_id[PLACES];
	uint32_t by_slot[PLACES]; /* places in the other */
};

void cache_free_reservations(struct cache *cache)
{
	free(steal(&cache->reservations));
}

/* The place of @id, taken or not. */
static struct reservation *place_of(struct reservations *reservations, const char *id)
{
	uint32_t hash = 2166136261u;

	for (const char *digit = id; *digit; digit++)
		hash = (hash ^ (unsigned char)*digit) * 16777619u;
	return &reservations->by_id[(hash ^ hash >> 16) % PLACES];
}

static struct reservation *find(struct cache *cache, const struct key *key)
{
	struct reservation *reservation;

	if (!cache->reservations || key->kind != KEY_ID)
		return NULL;
	reservation = place_of(cache->reservations, key->text);
	return reservation->slot && strcmp(reservation->id, key->text) == 0 ? reservation : NULL;
}

uint32_t cache_reserved(struct cache *cache, const struct key *key)
{
	const struct reservation *reservation = find(cache, key);

	return reservation ? reservation->slot : 0;
}

void cache_end_reservation(struct cache *cache, const struct key *key)
{
	struct reservation *reservation = find(cache, key);

	if (reservation)
		reservation->slot = 0;
}

int cache_reserve(struct cache *cache, const struct key *id, uint32_t *ret)
{
	struct reservation *reservation = find(cache, id);
	uint32_t slot;
	int r;

	if (reservation) {
		*ret = reservation->slot;
		return 0;
	}
	if (!cache->reservations)
		cache->reservations = calloc(1, sizeof(*cache->reservations));
	if (!cache->reservations)
		return -ENOMEM;
	r = cache_take_slot(cache, &slot);
	if (r)
		return r;

	reservation = place_of(cache->reservations, id->text);
	*reservation = (struct reservation){ .slot = slot };
	memcpy(reservation->id, id->text, strlen(id->text) + 1);
	cache->reservations->by_slot[slot % PLACES] =
	        (uint32_t)(reservation - cache->reservations->by_id);
	*ret = slot;
	return 0;
}

int cache_read_reserved(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	const struct reservation *reservation;

	if (!cache->reservations)
		return CACHE_NONE;
	reservation = &cache->reservations->by_id[cache->reservations->by_slot[slot % PLACES]];
	if (reservation->slot != slot)
		return CACHE_NONE;
	*ret = (struct cache_key){ .key.kind = KEY_ID, .slot = slot };
	memcpy(ret->key.text, reservation->id, strlen(reservation->id) + 1);
	return 0;
}
