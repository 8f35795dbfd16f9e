/* SPDX-License-Identifier: MIT */
/* The part of record that puts the members in the order of their ordinals. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/record_parts.h"

void identity_fini(struct identity *identity)
{
	free(identity->ordinals);
	free(identity->times_ms);
	free(identity->changes);
}

int identity_init(struct identity *identity, uint32_t count)
{
	identity->ordinals = calloc(count, sizeof(*identity->ordinals));
	identity->times_ms = calloc(count, sizeof(*identity->times_ms));
	identity->changes = calloc(count, sizeof(*identity->changes));
	return identity->ordinals && identity->times_ms && identity->changes ? 0 : -ENOMEM;
}

struct arrangement {
	struct member *members; /* as they were */
	uint64_t *ordinals;     /* sorted, each with its member's index in the low half */
	uint32_t *children;     /* those of each directory by ordinal, in the directory's range */
	uint32_t *placed;       /* how many of them stand there already */
	uint32_t *old_index;    /* by the new one */
	uint32_t *new_index;    /* by the old one */
};

static void arrangement_fini(struct arrangement *arrangement)
{
	free(arrangement->members);
	free(arrangement->ordinals);
	free(arrangement->children);
	free(arrangement->placed);
	free(arrangement->old_index);
	free(arrangement->new_index);
}

static int arrangement_init(struct arrangement *arrangement, const struct record *record)
{
	size_t count = record->count;

	arrangement->members = calloc(count, sizeof(struct member));
	arrangement->ordinals = calloc(count, sizeof(uint64_t));
	arrangement->children = calloc(count, sizeof(uint32_t));
	arrangement->placed = calloc(count, sizeof(uint32_t));
	arrangement->old_index = calloc(count, sizeof(uint32_t));
	arrangement->new_index = calloc(count, sizeof(uint32_t));
	if (!arrangement->members || !arrangement->ordinals || !arrangement->children ||
	    !arrangement->placed || !arrangement->old_index || !arrangement->new_index)
		return -ENOMEM;

	memcpy(arrangement->members, record->members, count * sizeof(struct member));
	return 0;
}

static int compare_ordinals(const void *left, const void *right)
{
	const uint64_t *l = left;
	const uint64_t *r = right;

	return *l < *r ? -1 : *l > *r;
}

static void sort_ordinals(uint64_t *ordinals, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		if (ordinals[i - 1] > ordinals[i]) {
			qsort(ordinals, count, sizeof(*ordinals), compare_ordinals);
			return;
		}
	}
}

static bool is_repeated(const uint64_t *ordinals, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		if (ordinals[i - 1] >> 32 == ordinals[i] >> 32)
			return true;
	}
	return false;
}

/* Find the children's order by meeting all members in the order of their ordinals. */
static int sort_children(struct arrangement *arrangement, const struct identity *identity,
                         uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		arrangement->ordinals[i] = (uint64_t)identity->ordinals[i] << 32 | i;
	sort_ordinals(arrangement->ordinals, count);
	if (is_repeated(arrangement->ordinals, count))
		return -EILSEQ;

	for (uint32_t i = 1; i < count; i++) {
		uint32_t index = (uint32_t)arrangement->ordinals[i];
		uint32_t parent = arrangement->members[index].parent;
		uint32_t first = arrangement->members[parent].first_child;

		arrangement->children[first + arrangement->placed[parent]++] = index;
	}
	return 0;
}

/* Walk breadth first again, to new indices. */
static void renumber(struct arrangement *arrangement, uint32_t count)
{
	uint32_t end = 1;

	arrangement->old_index[0] = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t old = arrangement->old_index[i];
		const struct member *member = &arrangement->members[old];

		arrangement->new_index[old] = i;
		for (uint32_t k = 0; k < member->child_count; k++)
			arrangement->old_index[end++] =
			        arrangement->children[member->first_child + k];
	}
}

static void arrange_members(struct record *record, const struct arrangement *arrangement,
                            const struct identity *identity)
{
	uint32_t end = 1;

	for (uint32_t i = 0; i < record->count; i++) {
		uint32_t old = arrangement->old_index[i];
		struct member *member = &record->members[i];

		*member = arrangement->members[old];
		member->ordinal = identity->ordinals[old];
		member->changed_ms = identity->times_ms[old];
		member->changes = identity->changes[old];
		member->parent = arrangement->new_index[member->parent];
		if (!member_is_directory(member))
			continue;
		member->first_child = end;
		end += member->child_count;
	}
}

/* The same names in the same order, under other indices. */
static void arrange_names(struct record *record, struct arrangement *arrangement)
{
	uint32_t *old_names = arrangement->children;

	memcpy(old_names, record->by_name, record->count * sizeof(*old_names));
	for (uint32_t i = 0; i < record->count; i++) {
		const struct member *member = &record->members[i];
		uint32_t old_first = arrangement->members[arrangement->old_index[i]].first_child;

		for (uint32_t k = 0; k < member->child_count; k++)
			record->by_name[member->first_child + k] =
			        arrangement->new_index[old_names[old_first + k]];
	}
}

int record_identify(struct record *record, const struct identity *identity)
{
	cleanup(arrangement_fini) struct arrangement arrangement = { 0 };
	int r;

	r = arrangement_init(&arrangement, record);
	if (r)
		return r;

	r = sort_children(&arrangement, identity, record->count);
	if (r)
		return r;

	renumber(&arrangement, record->count);
	arrange_members(record, &arrangement, identity);
	arrange_names(record, &arrangement);
	for (uint32_t i = 0; i < record->count; i++) {
		uint32_t *by_document = &record->by_document[i];

		*by_document = arrangement.new_index[*by_document];
		record->by_ordinal[i] = arrangement.new_index[(uint32_t)arrangement.ordinals[i]];
	}
	record->contacts = arrangement.new_index[record->contacts];
	record->primary_contact = arrangement.new_index[record->primary_contact];
	record->next_ordinal = identity->next_ordinal;
	record->primary = identity->primary;
	return 0;
}
