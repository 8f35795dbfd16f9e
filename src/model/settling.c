/* SPDX-License-Identifier: MIT */
/* The part of record that finds out what is new in an answer, and what is as it was. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/node.h"
#include "kapturefs/model/record_parts.h"

struct settling {
	struct record *fresh;
	const struct record *previous; /* or NULL */
	uint32_t *matches; /* of each fresh member: the previous one's index + 1, or 0 */
	bool *changed;
	struct identity identity;
};

static void settling_fini(struct settling *settling)
{
	free(settling->matches);
	free(settling->changed);
	identity_fini(&settling->identity);
}

static int settling_init(struct settling *settling)
{
	uint32_t count = settling->fresh->count;

	settling->matches = calloc(count, sizeof(*settling->matches));
	settling->changed = calloc(count, sizeof(*settling->changed));
	if (!settling->matches || !settling->changed)
		return -ENOMEM;
	return identity_init(&settling->identity, count);
}

static const struct member *match_of(const struct settling *settling, uint32_t index)
{
	uint32_t match = settling->matches[index];

	return match ? &settling->previous->members[match - 1] : NULL;
}

/* Both directories' children in the order of their names, side by side. */
static void match_children(struct settling *settling, uint32_t index)
{
	const struct record *fresh = settling->fresh;
	const struct record *previous = settling->previous;
	const struct member *directory = &fresh->members[index];
	const struct member *before = match_of(settling, index);
	uint32_t matched = 0;
	uint32_t i = 0;
	uint32_t k = 0;

	while (i < directory->child_count && k < before->child_count) {
		uint32_t child = fresh->by_name[directory->first_child + i];
		uint32_t old = previous->by_name[before->first_child + k];
		const struct member *left = &fresh->members[child];
		const struct member *right = &previous->members[old];
		int order = names_compare(left->name, left->name_length, right->name,
		                          right->name_length);

		if (order == 0 && member_is_directory(left) == member_is_directory(right)) {
			settling->matches[child] = old + 1;
			matched++;
		}
		i += order <= 0;
		k += order >= 0;
	}
	if (matched < before->child_count)
		settling->changed[index] = true;
}

static void match_members(struct settling *settling)
{
	if (!settling->previous)
		return;

	settling->matches[0] = 1;
	for (uint32_t i = 0; i < settling->fresh->count; i++) {
		if (settling->matches[i] && member_is_directory(&settling->fresh->members[i]))
			match_children(settling, i);
	}
}

static bool is_same_value(const struct member *left, const struct member *right)
{
	if (member_is_directory(left))
		return true;
	return left->type == right->type && left->value_length == right->value_length &&
	       memcmp(left->value, right->value, left->value_length) == 0;
}

/* When a member changes that was last changed at @previous_ms: never in the same version's time. */
static int64_t next_change_ms(int64_t now_ms, int64_t previous_ms)
{
	int64_t next_version = previous_ms / RECORD_VERSION_MS + 1;

	return now_ms / RECORD_VERSION_MS >= next_version ? now_ms
	                                                  : next_version * RECORD_VERSION_MS;
}

/* From the last member to the first, so that what is below a directory comes before it. */
static void settle_times(struct settling *settling, int64_t now_ms)
{
	for (uint32_t i = settling->fresh->count; i-- > 0;) {
		const struct member *member = &settling->fresh->members[i];
		const struct member *match = match_of(settling, i);
		bool *changed = &settling->changed[i];

		if (!match || !is_same_value(member, match))
			*changed = true;
		if (*changed)
			settling->changed[member->parent] = true;
		if (!match)
			settling->identity.times_ms[i] = now_ms;
		else
			settling->identity.times_ms[i] =
			        *changed ? next_change_ms(now_ms, match->changed_ms)
			                 : match->changed_ms;
	}
}

static int settle_ordinals(struct settling *settling)
{
	const struct record *fresh = settling->fresh;
	struct identity *identity = &settling->identity;

	identity->next_ordinal = settling->previous ? settling->previous->next_ordinal : 0;
	for (uint32_t i = 0; i < fresh->count; i++) {
		uint32_t index = fresh->by_document[i];
		const struct member *match = match_of(settling, index);

		if (!match && identity->next_ordinal > NODE_ORDINAL_MAX)
			return -EFBIG;
		identity->ordinals[index] = match ? match->ordinal : identity->next_ordinal++;
	}
	return 0;
}

int record_settle(struct record *fresh, const struct record *previous, int64_t now_ms,
                  bool *ret_changed)
{
	cleanup(settling_fini) struct settling settling = { .fresh = fresh, .previous = previous };
	bool changed;
	int r;

	/* Whoever else had it would see it change. */
	assert(fresh->references == 1);
	r = settling_init(&settling);
	if (r)
		return r;

	match_members(&settling);
	settle_times(&settling, now_ms);
	r = settle_ordinals(&settling);
	if (r)
		return r;

	changed = settling.changed[0];
	r = record_identify(fresh, &settling.identity);
	if (r)
		return r;
	*ret_changed = changed;
	return 0;
}
