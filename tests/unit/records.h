#pragma once
/* SPDX-License-Identifier: MIT */
/* Records from JSON, and members by their paths, for the tests of the model. */

#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/payload.h"
#include "kapturefs/model/record.h"

/* A record fresh from payload. */
static inline struct record *make_record(const char *json)
{
	struct record *record = NULL;

	if (payload_read_customer(json, strlen(json), &record))
		fail_msg("no customer: %s", json);
	return record;
}

/*
 * The member at @path, names with slashes between them; "" is the customer. NULL if there is
 * none.
 */
static inline const struct member *find_member(const struct record *record, const char *path)
{
	const struct member *member = record_member(record, 0);

	while (member && *path) {
		size_t length = strcspn(path, "/");

		member = record_child(record, member, path, length);
		path += length + (path[length] == '/');
	}
	return member;
}

static inline const struct member *get_member(const struct record *record, const char *path)
{
	const struct member *member = find_member(record, path);

	if (!member)
		fail_msg("no member: %s", path);
	return member;
}

/* All that a record says of itself fits together. */
static inline void assert_sound(const struct record *record)
{
	uint32_t listed = 1;

	assert_int_equal(record_member(record, 0)->ordinal, 0);
	assert_null(record_member(record, record_member_count(record)));
	assert_null(record_sibling(record, record_member(record, 0)));
	for (uint32_t i = 0; i < record_member_count(record); i++) {
		const struct member *member = record_member(record, i);
		const struct member *child = record_child_after(record, member, 0);
		uint32_t count = 0;

		assert_true(member->ordinal < record_next_ordinal(record));
		assert_ptr_equal(record_by_ordinal(record, member->ordinal), member);
		assert_int_equal(strlen(member->name), member->name_length);
		assert_true(member_is_directory(member) || !child);
		for (; child; child = record_sibling(record, child), count++) {
			const struct member *next = record_sibling(record, child);

			assert_ptr_equal(record_member(record, listed++), child);
			assert_int_equal(child->parent, i);
			assert_ptr_equal(record_child(record, member, child->name,
			                              child->name_length),
			                 child);
			assert_ptr_equal(record_child_after(record, member, child->ordinal), next);
			assert_true(!next || next->ordinal > child->ordinal);
		}
		assert_int_equal(count, member->child_count);
	}
	assert_int_equal(listed, record_member_count(record));
	assert_null(record_by_ordinal(record, record_next_ordinal(record)));
}

struct bytes {
	char *data;
	size_t length;
};

static inline struct bytes save(const struct record *record)
{
	struct bytes bytes = { 0 };

	assert_int_equal(record_save_identity(record, &bytes.data, &bytes.length), 0);
	return bytes;
}

/* The same answer again, as from a cache. */
static inline struct record *copy_fresh(const struct record *record)
{
	struct record *copy = NULL;
	size_t length;
	const char *json = record_json(record, &length);

	assert_int_equal(payload_read_customer(json, length, &copy), 0);
	return copy;
}

static inline void assert_same(const struct record *left, const struct record *right)
{
	assert_int_equal(record_member_count(left), record_member_count(right));
	assert_int_equal(record_next_ordinal(left), record_next_ordinal(right));
	for (uint32_t i = 0; i < record_member_count(left); i++) {
		const struct member *a = record_member(left, i);
		const struct member *b = record_member(right, i);

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->ordinal, b->ordinal);
		assert_int_equal(a->parent, b->parent);
		assert_true(a->changed_ms == b->changed_ms);
		assert_int_equal(a->changes, b->changes);
	}
	assert_true(record_primary(left).changed_ms == record_primary(right).changed_ms);
	assert_int_equal(record_primary(left).changes, record_primary(right).changes);
}

static inline void assert_survives(const struct record *record)
{
	struct record *copy = copy_fresh(record);
	struct bytes bytes = save(record);
	struct bytes again;
	int64_t changed_ms;

	assert_int_equal(record_identity_changed_ms(bytes.data, bytes.length, &changed_ms), 0);
	assert_true(changed_ms == record_member(record, 0)->changed_ms);
	assert_int_equal(record_load_identity(copy, bytes.data, bytes.length), 0);
	assert_sound(copy);
	assert_same(copy, record);
	again = save(copy);
	assert_int_equal(again.length, bytes.length);
	assert_memory_equal(again.data, bytes.data, bytes.length);

	free(bytes.data);
	free(again.data);
	record_unref(copy);
}

struct dice {
	uint64_t state;
};

/* A number below @limit; xorshift64*. */
static inline uint32_t roll(struct dice *dice, uint32_t limit)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return (uint32_t)((dice->state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % limit;
}
