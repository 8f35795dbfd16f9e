/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/buffer.h"
#include "records.h"

enum { REPLY_MAX = 8 << 20 };

static void assert_type(const struct record *record, const char *path, enum member_type type,
                        uint32_t child_count)
{
	const struct member *member = get_member(record, path);

	assert_int_equal(member->type, type);
	assert_int_equal(member->child_count, child_count);
}

/* The file at @path holds exactly @expected. */
static void assert_value(const struct record *record, const char *path, const char *expected,
                         size_t length)
{
	const struct member *member = get_member(record, path);

	assert_false(member_is_directory(member));
	assert_int_equal(member->value_length, length);
	assert_memory_equal(member->value, expected, length + 1);
}

/* Names */

static void test_a_name_that_is_used_twice_counts_once_and_last(void **state)
{
	struct record *record = make_record("{\"a\":1,\"id\":7,\"A\":2,\"b\":3,\"a\":{\"x\":4,"
	                                    "\"x\":5},\"b\":6,\"b\":null}");

	(void)state;
	assert_type(record, "", MEMBER_OBJECT, 4);
	assert_value(record, "A", "2\n", 2);
	assert_value(record, "a/x", "5\n", 2);
	assert_type(record, "b", MEMBER_NULL, 0);
	assert_string_equal(record_member(record, 1)->name, "id");
	assert_string_equal(record_member(record, 2)->name, "A");
	assert_string_equal(record_member(record, 3)->name, "a");
	assert_sound(record);
	record_unref(record);
}

static void test_names_that_no_file_can_have_are_encoded(void **state)
{
	struct record *record = make_record("{\"id\":7,\"a/b\":1,\"\":2,\"..\":3,\"50%\":4,"
	                                    "\"\\u0000\":5,\"\\u0001\":6,\"\\u00010\":7,\"~\":8}");

	(void)state;
	assert_value(record, "a%2Fb", "1\n", 2);
	assert_value(record, "%", "2\n", 2);
	assert_value(record, "%2E%2E", "3\n", 2);
	assert_value(record, "50%25", "4\n", 2);
	assert_value(record, "%00", "5\n", 2);
	assert_value(record, "%01", "6\n", 2);
	assert_value(record, "%010", "7\n", 2);
	assert_value(record, "~", "8\n", 2);
	assert_sound(record);
	record_unref(record);
}

static void test_long_names_are_cut_and_stay_apart(void **state)
{
	static const char x[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct record *record;
	char json[2048];

	(void)state;
	snprintf(json, sizeof(json),
	         "{\"id\":7,\"%s%s%s%s%s1\":1,\"%s%s%s%s%s2\":2,\"%s%s%s%s%s1\":3}", x, x, x, x, x,
	         x, x, x, x, x, x, x, x, x, x);
	record = make_record(json);
	assert_type(record, "", MEMBER_OBJECT, 3);
	assert_int_equal(record_member(record, 2)->name_length, 255);
	assert_string_equal(record_member(record, 2)->value, "2\n");
	assert_string_equal(record_member(record, 3)->value, "3\n");
	assert_sound(record);
	record_unref(record);
}

/* Directories */

static void test_elements_with_ids_of_their_own_are_named_by_them(void **state)
{
	struct record *record = make_record(
	        "{\"id\":7,\"a\":[{\"id\":20,\"v\":1},{\"v\":2,\"id\":\"10\"},{\"id\":\"x/y\"},"
	        "{\"id\":5,\"id\":\"\\u0000\"},{\"id\":1.50}]}");

	(void)state;
	assert_type(record, "a", MEMBER_ARRAY, 5);
	assert_value(record, "a/20/v", "1\n", 2);
	assert_value(record, "a/10/v", "2\n", 2);
	assert_value(record, "a/x%2Fy/id", "x/y\n", 4);
	assert_value(record, "a/%00/id", "\0\n", 2);
	assert_value(record, "a/1.50/id", "1.50\n", 5);
	assert_string_equal(record_child_after(record, get_member(record, "a"), 0)->name, "20");
	assert_sound(record);
	record_unref(record);
}

static void test_no_contact_hides_the_link_to_the_primary_one(void **state)
{
	struct record *record =
	        make_record("{\"id\":7,\"contacts\":[{\"id\":\"primary\"},{\"id\":\"%70rimary\"}],"
	                    "\"others\":[{\"id\":\"primary\"}],\"primary\":1}");

	(void)state;
	assert_non_null(get_member(record, "contacts/%70rimary/id"));
	assert_non_null(get_member(record, "contacts/%2570rimary/id"));
	assert_non_null(get_member(record, "others/primary/id"));
	assert_value(record, "primary", "1\n", 2);
	assert_sound(record);
	record_unref(record);

	record = make_record("{\"id\":7,\"contacts\":{\"primary\":1}}");
	assert_value(record, "contacts/primary", "1\n", 2);
	record_unref(record);
}

static void test_other_elements_are_named_by_their_places(void **state)
{
	static const char *const arrays[] = {
		"[{\"id\":1},{\"id\":2},{\"id\":1}]",
		"[{\"id\":1},{\"id\":2},{\"id\":\"1\"}]",
		"[{\"id\":5},{\"id\":6},7]",
		"[{\"id\":5},{\"id\":6},{\"Id\":7}]",
		"[{\"id\":5},{\"id\":6},{\"id\":null}]",
		"[{\"id\":5},{\"id\":6},{\"id\":\"\"}]",
		"[{\"id\":5},{\"id\":6},{\"id\":[7]}]",
		"[{\"id\":5},{\"id\":6},{\"id\":true}]",
		"[{\"id\":5},{\"id\":6},[{\"id\":7}]]",
		"[{\"id\":5},{\"id\":6},{\"id\":7,\"id\":{}}]",
		"[\"a\",null,[]]",
	};
	struct record *record;
	char json[128];

	(void)state;
	for (size_t i = 0; i < array_length(arrays); i++) {
		snprintf(json, sizeof(json), "{\"id\":7,\"a\":%s}", arrays[i]);
		record = make_record(json);
		assert_type(record, "a", MEMBER_ARRAY, 3);
		get_member(record, "a/0");
		get_member(record, "a/1");
		get_member(record, "a/2");
		assert_sound(record);
		record_unref(record);
	}
}

static void test_every_type_is_kept(void **state)
{
	struct record *record =
	        make_record("{\"id\":7,\"s\":\"\",\"t\":true,\"f\":false,\"n\":null,\"o\":{},"
	                    "\"a\":[],\"e\":[[],{},[0]]}");

	(void)state;
	assert_type(record, "id", MEMBER_NUMBER, 0);
	assert_type(record, "s", MEMBER_STRING, 0);
	assert_type(record, "t", MEMBER_TRUE, 0);
	assert_type(record, "f", MEMBER_FALSE, 0);
	assert_type(record, "n", MEMBER_NULL, 0);
	assert_type(record, "o", MEMBER_OBJECT, 0);
	assert_type(record, "a", MEMBER_ARRAY, 0);
	assert_type(record, "e/0", MEMBER_ARRAY, 0);
	assert_type(record, "e/1", MEMBER_OBJECT, 0);
	assert_type(record, "e/2", MEMBER_ARRAY, 1);
	assert_int_equal(get_member(record, "o")->value_length, 0);
	assert_string_equal(get_member(record, "e")->value, "");
	assert_value(record, "e/2/0", "0\n", 2);
	assert_sound(record);
	record_unref(record);
}

static void test_a_customer_may_be_nested_as_deeply_as_the_gate_allows(void **state)
{
	const struct member *member;
	struct record *record;
	struct buffer json;

	(void)state;
	buffer_init(&json, SIZE_MAX);
	assert_int_equal(buffer_append_text(&json, "{\"id\":7,\"a\":"), 0);
	for (int i = 0; i < 63; i++)
		assert_int_equal(buffer_append_text(&json, "["), 0);
	for (int i = 0; i < 63; i++)
		assert_int_equal(buffer_append_text(&json, "]"), 0);
	assert_int_equal(buffer_append_text(&json, "}"), 0);

	record = make_record(json.data);
	member = get_member(record, "a");
	for (int i = 1; i < 63; i++) {
		member = record_child(record, member, "0", 1);
		assert_non_null(member);
	}
	assert_int_equal(member->child_count, 0);
	assert_int_equal(record_member_count(record), 65);
	record_unref(record);

	json.data[strlen("{\"id\":7,\"a\":") + 62] = ' ';
	assert_int_equal(payload_read_customer(json.data, json.length, &record), -EPROTO);
	buffer_fini(&json);
}

/* Size */

#define OBJECT "{\"status\":\"success\",\"Customer Details\":{\"id\":7"

/* The verdict on a reply that has @before, a number and @after @count times or up to REPLY_MAX. */
static void assert_handles(enum payload_verdict expected, uint32_t count, const char *opening,
                           const char *before, const char *after, const char *closing)
{
	struct payload payload;
	struct buffer body;
	int r = 0;

	buffer_init(&body, SIZE_MAX);
	assert_int_equal(buffer_append_text(&body, opening), 0);
	for (uint32_t i = 0; !r && i < count && body.length < REPLY_MAX; i++)
		r = buffer_print(&body, "%s%u%s", before, (uint32_t)(i * UINT64_C(7919) % 1000003),
		                 after);
	assert_int_equal(r, 0);
	assert_int_equal(buffer_append_text(&body, closing), 0);

	assert_int_equal(payload_read(body.data, body.length, NULL, &payload), 0);
	assert_int_equal(payload.verdict, expected);
	if (payload.record)
		assert_sound(payload.record);
	payload_fini(&payload);
	buffer_fini(&body);
}

static void test_a_customer_has_65536_values_at_most(void **state)
{
	/* Of which the object and its id are two. */
	const uint32_t most = PAYLOAD_VALUES_MAX - 2;

	(void)state;
	for (uint32_t extra = 0; extra < 2; extra++) {
		enum payload_verdict expected = extra ? PAYLOAD_TOO_LARGE : PAYLOAD_FOUND;

		assert_handles(expected, most + extra, OBJECT, ",\"", "\":0", "}}");
		assert_handles(expected, most + extra, OBJECT, ",\"a\":", "", "}}");
		assert_handles(expected, most + extra - 2, OBJECT ",\"a\":[0", ",", "", "]}}");
		assert_handles(expected, most / 2 + extra - 1, OBJECT ",\"a\":[[]", ",[", "]",
		               "]}}");
	}
	assert_handles(PAYLOAD_FOUND, UINT32_MAX, OBJECT ",\"a\":\"", ",[{\\\",", "", "\"}}");
}

/* What stands around the customer may not take more than a customer does, either. */
static void test_a_reply_of_more_values_than_a_customer_may_have_is_too_large(void **state)
{
	(void)state;
	assert_handles(PAYLOAD_TOO_LARGE, 1 << 20, OBJECT ",\"a\":[0", ",", "", "]}}");
	assert_handles(PAYLOAD_TOO_LARGE, UINT32_MAX, OBJECT ",\"a\":[[]", ",[", "]", "]}}");
	assert_handles(PAYLOAD_TOO_LARGE, UINT32_MAX, OBJECT "},\"a\":[0", ",", "", "]}");
	assert_handles(PAYLOAD_TOO_LARGE, UINT32_MAX, OBJECT "}", ",\"", "\":[]", "}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_that_is_used_twice_counts_once_and_last),
		cmocka_unit_test(test_names_that_no_file_can_have_are_encoded),
		cmocka_unit_test(test_long_names_are_cut_and_stay_apart),
		cmocka_unit_test(test_elements_with_ids_of_their_own_are_named_by_them),
		cmocka_unit_test(test_no_contact_hides_the_link_to_the_primary_one),
		cmocka_unit_test(test_other_elements_are_named_by_their_places),
		cmocka_unit_test(test_every_type_is_kept),
		cmocka_unit_test(test_a_customer_may_be_nested_as_deeply_as_the_gate_allows),
		cmocka_unit_test(test_a_customer_has_65536_values_at_most),
		cmocka_unit_test(test_a_reply_of_more_values_than_a_customer_may_have_is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
