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
	const struct record_moment *moment;
	uint32_t *matches; /* of each fresh member: the previous one's index + 1, or 0 */
	bool *changed;
	uint32_t *places; /* of each previous member in its document */
	uint32_t *last;   /* of each fresh directory: the place of its child that was met last */
	struct identity identity;
};

static void settling_fini(struct settling *settling)
{
	free(settling->matches);
	free(settling->changed);
	free(settling->places);
	free(settling->last);
	identity_fini(&settling->identity);
}

static int settling_init(struct settling *settling)
{
	uint32_t count = settling->fresh->count;
	uint32_t previous_count = settling->previous ? settling->previous->count : 1;

	settling->matches = calloc(count, sizeof(*settling->matches));
	settling->changed = calloc(count, sizeof(*settling->changed));
	settling->places = calloc(previous_count, sizeof(*settling->places));
	settling->last = calloc(count, sizeof(*settling->last));
	if (!settling->matches || !settling->changed || !settling->places || !settling->last)
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

	assert(before);
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

/* Elements that have ids stand in an order of their own, which the names do not show. */
static void match_order(struct settling *settling)
{
	const struct record *fresh = settling->fresh;

	if (!settling->previous)
		return;
	for (uint32_t i = 0; i < settling->previous->count; i++)
		settling->places[settling->previous->by_document[i]] = i;
	for (uint32_t i = 1; i < fresh->count; i++) {
		uint32_t index = fresh->by_document[i];
		uint32_t parent = fresh->members[index].parent;
		uint32_t match = settling->matches[index];

		if (!match || fresh->members[parent].type != MEMBER_ARRAY)
			continue;
		if (settling->places[match - 1] < settling->last[parent])
			settling->changed[parent] = true;
		settling->last[parent] = settling->places[match - 1];
	}
}

static bool is_same_value(const struct member *left, const struct member *right)
{
	return left->value_length == right->value_length &&
	       memcmp(left->value, right->value, left->value_length) == 0;
}

static bool is_shown(const struct record_moment *moment, const struct member *member)
{
	return moment->is_shown &&
	       moment->is_shown(moment->userdata, member->ordinal, member_version(member));
}

/* How often @before, which changes, has changed then: in no version that somebody still sees. */
static uint32_t next_changes(const struct record_moment *moment, const struct member *before)
{
	struct member next = *before;

	for (uint32_t i = 0; i <= NODE_VERSION_MAX; i++) {
		next.changes++;
		if (!is_shown(moment, &next))
			break;
	}
	return next.changes;
}

static int64_t later_ms(int64_t now_ms, int64_t previous_ms)
{
	return now_ms > previous_ms ? now_ms : previous_ms + 1;
}

static void settle_change(struct settling *settling, uint32_t index, const struct member *match)
{
	const struct record_moment *moment = settling->moment;
	struct identity *identity = &settling->identity;

	if (!match) {
		identity->times_ms[index] = moment->now_ms;
		return;
	}
	identity->changes[index] = match->changes;
	identity->times_ms[index] = match->changed_ms;
	if (settling->changed[index]) {
		identity->changes[index] = next_changes(moment, match);
		identity->times_ms[index] = later_ms(moment->now_ms, match->changed_ms);
	}
}

/* From the last member to the first, so that what is below a directory comes before it. */
static void settle_changes(struct settling *settling)
{
	for (uint32_t i = settling->fresh->count; i-- > 0;) {
		const struct member *member = &settling->fresh->members[i];
		const struct member *match = match_of(settling, i);
		bool *changed = &settling->changed[i];

		if (!match || !is_same_value(member, match))
			*changed = true;
		if (*changed || member->type != match->type)
			settling->changed[member->parent] = true;
		settle_change(settling, i, match);
	}
}

static bool is_same_primary(const struct record *left, const struct record *right)
{
	const struct member *before = record_primary_contact(left);
	const struct member *now = record_primary_contact(right);

	if (!before || !now)
		return before == now;
	return before->name_length == now->name_length &&
	       memcmp(before->name, now->name, now->name_length) == 0;
}

static void settle_primary(struct settling *settling)
{
	struct record_primary *primary = &settling->identity.primary;
	int64_t now_ms = settling->moment->now_ms;

	if (!settling->previous) {
		primary->changed_ms = now_ms;
		return;
	}
	*primary = settling->previous->primary;
	if (is_same_primary(settling->previous, settling->fresh))
		return;
	primary->changes++;
	primary->changed_ms = later_ms(now_ms, primary->changed_ms);
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

int record_settle(struct record *fresh, const struct record *previous,
                  const struct record_moment *moment, bool *ret_changed)
{
	cleanup(settling_fini) struct settling settling = {
		.fresh = fresh,
		.previous = previous,
		.moment = moment,
	};
	bool changed;
	int r;

	/* Whoever else had it would see it change. */
	assert(fresh->references == 1);
	r = settling_init(&settling);
	if (r)
		return r;

	match_members(&settling);
	match_order(&settling);
	settle_changes(&settling);
	settle_primary(&settling);
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
