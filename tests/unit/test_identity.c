/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/model/node.h"
#include "records.h"

enum {
	DAMAGES = 100000,
	CHECKSUM_LENGTH = 8,
};

static const char customer[] = "{\"id\":7,\"name\":\"x\",\"contacts\":[{\"id\":1,\"phone\":\"5\"},"
                               "{\"id\":2,\"isPrimaryContact\":true}],\"o\":{\"a\":1}}";

static struct record *settle(const char *json, const struct record *previous, int64_t now_ms)
{
	struct record *record = make_record(json);
	bool changed;

	assert_int_equal(record_settle(record, previous,
	                               &(struct record_moment){ .now_ms = now_ms }, &changed),
	                 0);
	return record;
}

/* Saving and loading */

static void test_all_times_survive_saving(void **state)
{
	static const int64_t times_ms[] = {
		0, 1, -1, 1714637742249, INT64_MAX, INT64_MIN, 127, 128
	};

	(void)state;
	for (size_t i = 0; i < array_length(times_ms); i++) {
		struct record *record = settle(customer, NULL, times_ms[i]);

		assert_true(get_member(record, "name")->changed_ms == times_ms[i]);
		assert_survives(record);
		record_unref(record);
	}
}

static void test_times_in_any_order_survive_saving(void **state)
{
	struct record *first = settle("{\"id\":7,\"a\":1,\"b\":1,\"c\":1}", NULL, 8000);
	struct record *second = settle("{\"id\":7,\"a\":1,\"b\":2,\"c\":1}", first, 100000000);
	struct record *third =
	        settle("{\"id\":7,\"a\":1,\"b\":2,\"c\":2,\"d\":1}", second, 100001000);

	(void)state;
	assert_survives(second);
	assert_survives(third);
	record_unref(first);
	record_unref(second);
	record_unref(third);
}

static void test_a_fresh_record_survives_saving(void **state)
{
	struct record *record = make_record(customer);

	(void)state;
	assert_survives(record);
	record_unref(record);
}

static void test_identity_is_compact(void **state)
{
	struct record *record = settle(customer, NULL, 1714637742249);
	struct bytes bytes = save(record);

	(void)state;
	assert_true(bytes.length <= 28);
	free(bytes.data);
	record_unref(record);
}

static void test_changes_survive_saving(void **state)
{
	struct record *first = settle("{\"id\":7,\"a\":1,\"b\":1,\"c\":1}", NULL, 8000);
	struct record *second = settle("{\"id\":7,\"a\":2,\"b\":1,\"c\":1}", first, 9000);
	struct record *third = settle("{\"id\":7,\"a\":3,\"b\":2,\"contacts\":[{\"id\":1,"
	                              "\"isPrimaryContact\":true}]}",
	                              second, 10000);

	(void)state;
	assert_int_equal(get_member(third, "a")->changes, 2);
	assert_int_equal(get_member(third, "b")->changes, 1);
	assert_int_equal(record_primary(third).changes, 1);
	assert_int_equal(record_primary(third).changed_ms, 10000);
	assert_survives(second);
	assert_survives(third);
	record_unref(first);
	record_unref(second);
	record_unref(third);
}

/* Of version 1, as caches had it before there were changes. */
static void test_an_identity_without_changes_is_read_as_one_that_has_none(void **state)
{
	struct record *record = settle(customer, NULL, 1000);
	struct record *loaded = copy_fresh(record);
	struct bytes bytes = save(record);
	size_t length = bytes.length - CHECKSUM_LENGTH - 4; /* a run of changes, and the primary */
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	size_t json_length;
	const char *json = record_json(record, &json_length);

	(void)state;
	bytes.data[0] = 1;
	for (size_t i = 0; i < json_length; i++)
		sum = (sum ^ (unsigned char)json[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < CHECKSUM_LENGTH; i++)
		bytes.data[length + i] = (char)(sum >> (8 * i));
	assert_int_equal(record_load_identity(loaded, bytes.data, length + CHECKSUM_LENGTH), 0);
	assert_int_equal(get_member(loaded, "name")->changed_ms, 1000);
	assert_int_equal(get_member(loaded, "name")->changes, 0);
	assert_int_equal(record_primary(loaded).changed_ms, 1000);
	free(bytes.data);
	record_unref(record);
	record_unref(loaded);
}

static void test_a_loaded_record_can_be_settled_on(void **state)
{
	struct record *first = settle(customer, NULL, 1000);
	struct record *loaded = copy_fresh(first);
	struct bytes bytes = save(first);
	struct record *second;

	(void)state;
	assert_int_equal(record_load_identity(loaded, bytes.data, bytes.length), 0);
	second = settle("{\"o\":{\"b\":1,\"a\":1},\"id\":7}", loaded, 2000);
	assert_int_equal(get_member(second, "id")->changed_ms, 1000);
	assert_int_equal(get_member(second, "o/a")->ordinal, get_member(first, "o/a")->ordinal);
	assert_int_equal(get_member(second, "o/b")->ordinal, record_next_ordinal(first));
	free(bytes.data);
	record_unref(first);
	record_unref(loaded);
	record_unref(second);
}

/* Damage */

static void assert_refused(struct record *record, const char *data, size_t length)
{
	uint32_t next_ordinal = record_next_ordinal(record);

	/* At the end of its own memory, where a byte too many is seen. */
	char *exact = malloc(length);

	if (length)
		memcpy(exact, data, length);
	assert_int_equal(record_load_identity(record, exact, length), -EILSEQ);
	assert_int_equal(record_next_ordinal(record), next_ordinal);
	assert_int_equal(record_member(record, 1)->changed_ms, 0);
	free(exact);
}

static void test_identity_cut_short_or_with_a_flipped_bit_is_refused(void **state)
{
	struct record *first = settle(customer, NULL, 1000);
	struct record *second = settle("{\"x\":[0,1],\"id\":7,\"o\":{\"b\":1}}", first, 2000);
	struct record *fresh = copy_fresh(second);
	struct bytes bytes = save(second);

	(void)state;
	for (size_t length = 0; length < bytes.length; length++)
		assert_refused(fresh, bytes.data, length);
	for (size_t bit = 0; bit < bytes.length * 8; bit++) {
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_refused(fresh, bytes.data, bytes.length);
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_refused(fresh, NULL, 0);
	assert_int_equal(record_load_identity(fresh, bytes.data, bytes.length), 0);
	free(bytes.data);
	record_unref(first);
	record_unref(second);
	record_unref(fresh);
}

static void test_identity_of_another_customer_is_refused(void **state)
{
	struct record *record = settle("{\"id\":7,\"a\":1}", NULL, 1000);
	struct record *other = make_record("{\"id\":7,\"a\":2}");
	struct bytes bytes = save(record);

	(void)state;
	assert_refused(other, bytes.data, bytes.length);
	free(bytes.data);
	record_unref(record);
	record_unref(other);
}

/* Make the checksum right, so that only what the bytes say is wrong. */
static void seal(const struct record *record, unsigned char *data, size_t length)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	size_t json_length;
	const char *json = record_json(record, &json_length);

	for (size_t i = 0; i < json_length; i++)
		sum = (sum ^ (unsigned char)json[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
	for (unsigned i = 0; i < CHECKSUM_LENGTH; i++)
		data[length + i] = (unsigned char)(sum >> (8 * i));
}

static int load_sealed(struct record *record, const unsigned char *data, size_t length)
{
	unsigned char *sealed = malloc(length + CHECKSUM_LENGTH);
	int r;

	memcpy(sealed, data, length);
	seal(record, sealed, length);
	r = record_load_identity(record, (const char *)sealed, length + CHECKSUM_LENGTH);
	free(sealed);
	return r;
}

static void test_what_does_not_fit_is_refused_whatever_the_checksum_says(void **state)
{
	/* Version 1, two members, three ordinals; ordinals 0 and 2; times 5 and 5. */
	static const unsigned char good[] = { 1, 2, 3, 1, 0, 1, 2, 2, 10 };
	static const unsigned char bad[][sizeof(good) + 2] = {
		{ 2, 2, 3, 1, 0, 1, 2, 2, 10 },       /* another version */
		{ 1, 3, 3, 1, 0, 1, 2, 2, 10 },       /* another number of members */
		{ 1, 2, 2, 1, 0, 1, 2, 2, 10 },       /* an ordinal that was not given */
		{ 1, 2, 3, 1, 2, 1, 2, 2, 10 },       /* the customer's ordinal is not 0 */
		{ 1, 2, 3, 1, 0, 1, 1, 2, 10 },       /* the same ordinal twice */
		{ 1, 2, 3, 1, 0, 1, 3, 2, 10 },       /* an ordinal below 0 */
		{ 1, 2, 3, 3, 0, 1, 2, 2, 10 },       /* more ordinals than members */
		{ 1, 2, 3, 0, 0, 1, 2, 2, 10 },       /* an empty run */
		{ 1, 2, 3, 1, 0, 1, 2, 3, 10 },       /* more times than members */
		{ 1, 2, 3, 1, 0, 1, 2, 1, 10 },       /* fewer */
		{ 1, 2, 3, 1, 0, 1, 2, 2, 10 | 128 }, /* an unfinished number */
	};
	struct record *record = make_record("{\"id\":7}");

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++) {
		if (load_sealed(record, bad[i], sizeof(good)) != -EILSEQ)
			fail_msg("accepted: %zu", i);
	}
	assert_int_equal(load_sealed(record, good, sizeof(good) - 1), -EILSEQ);
	assert_int_equal(load_sealed(record,
	                             (const unsigned char[sizeof(good) + 1]){ 1, 2, 3, 1, 0, 1, 2,
	                                                                      2, 10, 0 },
	                             sizeof(good) + 1),
	                 -EILSEQ);
	assert_int_equal(get_member(record, "id")->ordinal, 1);
	assert_int_equal(load_sealed(record, good, sizeof(good)), 0);
	assert_int_equal(get_member(record, "id")->ordinal, 2);
	assert_int_equal(get_member(record, "id")->changed_ms, 5);
	assert_sound(record);
	record_unref(record);
}

static void test_random_damage_is_refused_or_harmless(void **state)
{
	struct record *first = settle(customer, NULL, 1000);
	struct record *second =
	        settle("{\"x\":[0,1],\"id\":7,\"o\":{\"b\":1,\"a\":2}}", first, 2000);
	struct record *fresh = copy_fresh(second);
	struct bytes bytes = save(second);
	struct dice dice = { 4101842887655102017 };
	int64_t changed_ms;
	size_t accepted = 0;

	(void)state;
	for (int i = 0; i < DAMAGES; i++) {
		size_t length = bytes.length - CHECKSUM_LENGTH;
		unsigned char damaged[64];
		int r;

		assert_true(length < sizeof(damaged));
		memcpy(damaged, bytes.data, length);
		for (uint32_t count = 1 + roll(&dice, 3); count > 0; count--)
			damaged[roll(&dice, (uint32_t)length)] ^= (unsigned char)roll(&dice, 256);
		(void)!record_identity_changed_ms((char *)damaged, length, &changed_ms);
		r = load_sealed(fresh, damaged, length - (roll(&dice, 4) == 0));
		assert_true(r == 0 || r == -EILSEQ);
		accepted += r == 0;
		assert_sound(fresh);
	}
	assert_in_range(accepted, 1, DAMAGES - 1);
	free(bytes.data);
	record_unref(first);
	record_unref(second);
	record_unref(fresh);
}

/* Load a record of two members with @next_ordinal, which takes four bytes at most. */
static int load_next_ordinal(struct record *record, uint32_t next_ordinal)
{
	const unsigned char data[] = {
		1,
		2, /* version, members */
		(unsigned char)(next_ordinal | 0x80),
		(unsigned char)(next_ordinal >> 7 | 0x80),
		(unsigned char)(next_ordinal >> 14 | 0x80),
		(unsigned char)(next_ordinal >> 21),
		2,
		0,
		2,
		0, /* ordinals, times */
	};

	assert_true(next_ordinal < 1 << 28);
	return load_sealed(record, data, sizeof(data));
}

static void test_ordinals_run_out_at_last(void **state)
{
	struct record *record = make_record("{\"id\":7}");
	struct record *more = make_record("{\"id\":7,\"a\":1}");
	struct record *fresh;
	bool changed;

	(void)state;
	assert_int_equal(load_next_ordinal(record, NODE_ORDINAL_MAX + 2), -EILSEQ);
	assert_int_equal(load_next_ordinal(record, NODE_ORDINAL_MAX + 1), 0);
	assert_int_equal(record_next_ordinal(record), NODE_ORDINAL_MAX + 1);
	assert_int_equal(record_settle(more, record, &(struct record_moment){ .now_ms = 1000 },
	                               &changed),
	                 -EFBIG);
	assert_int_equal(get_member(more, "a")->changed_ms, 0);
	fresh = settle("{\"id\":8}", record, 1000);
	assert_int_equal(get_member(fresh, "id")->ordinal, 1);
	record_unref(fresh);

	assert_int_equal(load_next_ordinal(record, NODE_ORDINAL_MAX), 0);
	assert_int_equal(record_settle(more, record, &(struct record_moment){ .now_ms = 1000 },
	                               &changed),
	                 0);
	assert_int_equal(get_member(more, "a")->ordinal, NODE_ORDINAL_MAX);
	assert_survives(more);
	record_unref(record);
	record_unref(more);
}

static void test_very_many_members_are_settled_and_saved(void **state)
{
	static const char *const closings[] = { "]}", ",0]}", ",[]]}" };
	struct record *record = NULL;
	struct buffer json;
	size_t length;
	int r;

	(void)state;
	buffer_init(&json, SIZE_MAX);
	r = buffer_append_text(&json, "{\"id\":7,\"a\":[0");
	for (int i = 0; !r && i < PAYLOAD_VALUES_MAX - 5; i++)
		r = buffer_append_text(&json, ",0");
	assert_int_equal(r, 0);

	length = json.length;
	for (size_t i = 0; i < array_length(closings); i++) {
		struct record *next;

		json.length = length;
		assert_int_equal(buffer_append_text(&json, closings[i]), 0);
		next = settle(json.data, record, 1000 + (int64_t)i);
		assert_survives(next);
		record_unref(record);
		record = next;
	}
	record_unref(record);
	buffer_fini(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_times_survive_saving),
		cmocka_unit_test(test_times_in_any_order_survive_saving),
		cmocka_unit_test(test_a_fresh_record_survives_saving),
		cmocka_unit_test(test_identity_is_compact),
		cmocka_unit_test(test_changes_survive_saving),
		cmocka_unit_test(test_an_identity_without_changes_is_read_as_one_that_has_none),
		cmocka_unit_test(test_a_loaded_record_can_be_settled_on),
		cmocka_unit_test(test_identity_cut_short_or_with_a_flipped_bit_is_refused),
		cmocka_unit_test(test_identity_of_another_customer_is_refused),
		cmocka_unit_test(test_what_does_not_fit_is_refused_whatever_the_checksum_says),
		cmocka_unit_test(test_random_damage_is_refused_or_harmless),
		cmocka_unit_test(test_ordinals_run_out_at_last),
		cmocka_unit_test(test_very_many_members_are_settled_and_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
