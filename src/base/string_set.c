/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "kapturefs/base/string_set.h"

enum { CAPACITY_MIN = 64 };

uint64_t string_hash(const char *string, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(string, length, seed);
}

void string_set_fini(struct string_set *set)
{
	free(set->starts);
	free(set->buckets);
	buffer_fini(&set->bytes);
	*set = (struct string_set){ 0 };
}

const char *string_set_at(const struct string_set *set, uint32_t place)
{
	assert(place < set->count);
	return set->bytes.data + set->starts[place];
}

static size_t length_at(const struct string_set *set, uint32_t place)
{
	size_t end = place + 1 < set->count ? set->starts[place + 1] : set->bytes.length;

	return end - set->starts[place] - 1;
}

/* The bucket of the string, or the free one where it belongs. */
static uint32_t *bucket_of(const struct string_set *set, const char *string, size_t length)
{
	size_t mask = 2 * (size_t)set->capacity - 1;
	size_t i = string_hash(string, length, 0) & mask;

	for (; set->buckets[i]; i = (i + 1) & mask) {
		uint32_t place = set->buckets[i] - 1;

		if (length_at(set, place) == length &&
		    memcmp(string_set_at(set, place), string, length) == 0)
			break;
	}
	return &set->buckets[i];
}

static void fill_buckets(struct string_set *set)
{
	for (uint32_t place = 0; place < set->count; place++)
		*bucket_of(set, string_set_at(set, place), length_at(set, place)) = place + 1;
}

static int grow(struct string_set *set)
{
	uint32_t capacity = set->capacity ? 2 * set->capacity : CAPACITY_MIN;
	uint32_t *buckets;
	uint32_t *starts;

	if (!set->capacity)
		buffer_init(&set->bytes, UINT32_MAX);
	starts = reallocarray(set->starts, capacity, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	set->starts = starts;
	buckets = calloc((size_t)2 * capacity, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(set->buckets);
	set->buckets = buckets;
	set->capacity = capacity;
	fill_buckets(set);
	return 0;
}

int string_set_add(struct string_set *set, const char *string, size_t length, uint32_t *ret_place)
{
	uint32_t start;
	int r;

	if (string_set_find(set, string, length, ret_place))
		return STRING_SET_KNOWN;
	if (set->count == set->capacity) {
		r = grow(set);
		if (r)
			return r;
	}
	start = (uint32_t)set->bytes.length;
	r = buffer_append(&set->bytes, string, length);
	if (!r)
		r = buffer_append(&set->bytes, "", 1);
	if (r) {
		set->bytes.length = start;
		return r;
	}
	set->starts[set->count] = start;
	*bucket_of(set, string, length) = set->count + 1;
	*ret_place = set->count++;
	return 0;
}

bool string_set_find(const struct string_set *set, const char *string, size_t length,
                     uint32_t *ret_place)
{
	uint32_t bucket = set->capacity ? *bucket_of(set, string, length) : 0;

	if (bucket)
		*ret_place = bucket - 1;
	return bucket;
}

void string_set_cut(struct string_set *set, uint32_t count)
{
	if (count >= set->count)
		return;
	set->bytes.length = set->starts[count];
	set->count = count;
	memset(set->buckets, 0, 2 * (size_t)set->capacity * sizeof(*set->buckets));
	fill_buckets(set);
}
