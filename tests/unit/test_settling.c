/* SPDX-License-Identifier: MIT */
/* Random customers against the definition of record_settle(). */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/buffer.h"
#include "records.h"

enum {
	ANSWERS = 200,
	ORDINALS_MAX = 1 << 16,
	PATH_LENGTH_MAX = 64,
};

static void print_value(struct dice *dice, struct buffer *json, uint32_t depth);

static void print_object(struct dice *dice, struct buffer *json, const char *opening,
                         uint32_t depth)
{
	assert_int_equal(buffer_append_text(json, opening), 0);
	for (uint32_t count = roll(dice, 8); count > 0; count--) {
		assert_int_equal(buffer_print(json, ",\"%c\":", 'a' + roll(dice, 6)), 0);
		print_value(dice, json, depth - 1);
	}
	assert_int_equal(buffer_append_text(json, "}"), 0);
}

static void print_array(struct dice *dice, struct buffer *json, uint32_t depth)
{
	uint32_t count = roll(dice, 4);

	assert_int_equal(buffer_append_text(json, "["), 0);
	for (uint32_t i = 0; i < count; i++) {
		char opening[32];

		if (i)
			assert_int_equal(buffer_append_text(json, ","), 0);
		snprintf(opening, sizeof(opening), "{\"id\":%u", i * 3 + roll(dice, 3));
		if (roll(dice, 4))
			print_object(dice, json, opening, depth);
		else
			print_value(dice, json, depth - 1);
	}
	assert_int_equal(buffer_append_text(json, "]"), 0);
}

static void print_value(struct dice *dice, struct buffer *json, uint32_t depth)
{
	static const char *const values[] = {
		"0", "0.0", "\"0\"", "\"\"", "null", "true", "\"x\""
	};

	if (depth > 1 && roll(dice, 3) == 0)
		print_object(dice, json, "{\"o\":0", depth);
	else if (depth > 1 && roll(dice, 3) == 0)
		print_array(dice, json, depth);
	else
		assert_int_equal(buffer_append_text(json, values[roll(dice, array_length(values))]),
		                 0);
}

static struct record *roll_customer(struct dice *dice)
{
	struct record *record;
	struct buffer json;

	buffer_init(&json, SIZE_MAX);
	print_object(dice, &json, "{\"id\":7", 4);
	record = make_record(json.data);
	buffer_fini(&json);
	return record;
}

static void write_path(const struct record *record, const struct member *member,
                       char ret[PATH_LENGTH_MAX])
{
	char path[PATH_LENGTH_MAX];

	ret[0] = '\0';
	while (member->ordinal) {
		snprintf(path, sizeof(path), "%s%s%.40s", member->name, *ret ? "/" : "", ret);
		strcpy(ret, path);
		member = record_member(record, member->parent);
	}
}

/* What was at each ordinal: its path, and whether it was a directory. */
struct past {
	char (*paths)[PATH_LENGTH_MAX];
	bool *directories;
};

static void assert_ordinals_are_kept(const struct past *past, const struct record *record)
{
	const struct member *member;

	assert_true(record_next_ordinal(record) <= ORDINALS_MAX);
	for (uint32_t i = 1; (member = record_member(record, i)); i++) {
		char path[PATH_LENGTH_MAX];

		write_path(record, member, path);
		if (*past->paths[member->ordinal]) {
			assert_string_equal(past->paths[member->ordinal], path);
			assert_int_equal(past->directories[member->ordinal],
			                 member_is_directory(member));
		}
		strcpy(past->paths[member->ordinal], path);
		past->directories[member->ordinal] = member_is_directory(member);
	}
}

static bool is_same(const struct record *left_record, const struct member *left,
                    const struct record *right_record, const struct member *right)
{
	const struct member *child = record_child_after(left_record, left, 0);

	if (member_is_directory(left) != member_is_directory(right) ||
	    left->child_count != right->child_count)
		return false;
	if (!member_is_directory(left))
		return strcmp(left->value, right->value) == 0;
	for (; child; child = record_sibling(left_record, child)) {
		const struct member *other =
		        record_child(right_record, right, child->name, child->name_length);

		if (!other || child->type != other->type ||
		    !is_same(left_record, child, right_record, other))
			return false;
	}
	return true;
}

/* Against the definition, member by member. */
static void assert_settled(const struct record *record, const struct record *previous,
                           int64_t now_ms)
{
	const struct member *member;

	for (uint32_t i = 0; (member = record_member(record, i)); i++) {
		const struct member *before;
		char path[PATH_LENGTH_MAX];

		write_path(record, member, path);
		before = find_member(previous, path);
		if (before && member_is_directory(before) == member_is_directory(member))
			assert_int_equal(member->ordinal, before->ordinal);
		else
			assert_true(member->ordinal >= record_next_ordinal(previous));

		if (before && is_same(record, member, previous, before))
			assert_int_equal(member->changed_ms, before->changed_ms);
		else
			assert_int_equal(member->changed_ms, now_ms);
	}
}

static void test_random_customers_keep_their_identity_and_survive_saving(void **state)
{
	struct past past = { calloc(ORDINALS_MAX, PATH_LENGTH_MAX), calloc(ORDINALS_MAX, 1) };
	struct dice dice = { 88172645463325252 };
	struct record *record = NULL;

	(void)state;
	for (int64_t now_ms = 1000; now_ms <= ANSWERS * 1000; now_ms += 1000) {
		struct record *fresh = roll_customer(&dice);
		bool changed;

		assert_int_equal(record_settle(fresh, record,
		                               &(struct record_moment){ .now_ms = now_ms },
		                               &changed),
		                 0);
		assert_sound(fresh);
		assert_int_equal(changed, record_member(fresh, 0)->changed_ms == now_ms);
		if (record)
			assert_settled(fresh, record, now_ms);
		assert_ordinals_are_kept(&past, fresh);
		assert_survives(fresh);
		record_unref(record);
		record = fresh;
	}
	record_unref(record);
	free(past.paths);
	free(past.directories);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_customers_keep_their_identity_and_survive_saving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
