/* SPDX-License-Identifier: MIT */
/* How many values a text may have, and what is left of one of which not everything is wanted. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/json.h"

enum {
	LONG_TEXT = 8 << 20,
	UNTOUCHED = 4711,
};

static void test_of_objects_in_arrays_only_the_selected_members_are_left(void **state)
{
	static const char *const names[] = { "id", "cmId" };
	static const struct json_selection selection = {
		.names = names,
		.count = array_length(names),
	};
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{ "{\"a\":1,\"b\":{\"a\":[1,2]}}", "{\"a\":\"n1\",\"b\":{\"a\":[\"n1\",\"n2\"]}}" },
		{ "[{\"id\":1},{\"a\":1},{}]", "[{\"id\":\"n1\"},{},{}]" },
		{ "[{\"a\":1,\"id\":1,\"b\":2,\"cmId\":\"x\",\"c\":3}]",
		  "[{\"id\":\"n1\",\"cmId\":\"sx\"}]" },
		{ "[{\"id\":1,\"id\":2}]", "[{\"id\":\"n1\",\"id\":\"n2\"}]" },
		{ "[{\"a\":{\"id\":1},\"b\":[{\"id\":2}],\"id\":3}]", "[{\"id\":\"n3\"}]" },
		{ "[{\"id\":{\"id\":1},\"cmId\":[{\"id\":2}]}]", "[{\"id\":{},\"cmId\":[]}]" },
		{ "[{\"i\\u0064\":1,\"ID\":2,\"idd\":3}]", "[{\"i\\u0064\":\"n1\"}]" },
		{ "[[{\"a\":1,\"id\":1}],1,[]]", "[[{\"id\":\"n1\"}],\"n1\",[]]" },
		{ "{\"a\":[{\"a\":1}],\"b\":2}", "{\"a\":[{}],\"b\":\"n2\"}" },
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		const char *text = rows[i].text;
		cleanup(json_scan_fini) struct json_scan result = { 0 };
		size_t offset;

		assert_int_equal(json_scan_selected(text, strlen(text), &selection, &result,
		                                    &offset),
		                 0);
		assert_string_equal(result.armoured.data, rows[i].expected);
	}
}

static void test_what_is_not_selected_has_to_be_json_all_the_same(void **state)
{
	static const struct json_selection nothing = { .count = 0 };
	static const char *const texts[] = { "[{\"a\":1,}]", "[{\"a\":[1 2]}]",
		                             "[{\"a\":01}]", "[{\"a\":\"\xff\"}]",
		                             "[{\"a\" 1}]",  "[{\"a\":1]" };

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		struct json_scan result;
		size_t offset;

		assert_int_equal(json_scan_selected(texts[i], strlen(texts[i]), &nothing, &result,
		                                    &offset),
		                 -EPROTO);
	}
}

/* Which take memory; those that are not selected take none. */
static void test_values_are_counted(void **state)
{
	static const struct json_selection nothing = { .count = 0 };
	cleanup(buffer_fini) struct buffer text;
	struct json_scan result;
	size_t offset = UNTOUCHED;

	(void)state;
	buffer_init(&text, SIZE_MAX);
	assert_int_equal(buffer_append_text(&text, "[{\"a\":[0"), 0);
	for (int i = 4; i < JSON_VALUES_MAX; i++)
		assert_int_equal(buffer_append_text(&text, ",0"), 0);
	assert_int_equal(buffer_append_text(&text, "]}]"), 0);
	assert_int_equal(json_scan(text.data, text.length, &result, &offset), 0);
	json_scan_fini(&result);

	text.length -= strlen("]}]");
	assert_int_equal(buffer_append_text(&text, ",0]}]"), 0);
	assert_int_equal(json_scan(text.data, text.length, &result, &offset), -EFBIG);
	assert_int_equal(offset, UNTOUCHED);
	assert_int_equal(json_scan_selected(text.data, text.length, &nothing, &result, &offset), 0);
	assert_string_equal(result.armoured.data, "[{}]");
	json_scan_fini(&result);
}

/* A long text of nothing but @unit, and after it @end. */
static size_t repeat(char *text, const char *start, const char *unit, const char *end)
{
	size_t length = strlen(start);

	memcpy(text, start, length);
	for (; length + strlen(unit) + strlen(end) <= LONG_TEXT; length += strlen(unit))
		memcpy(text + length, unit, strlen(unit));
	memcpy(text + length, end, strlen(end));
	return length + strlen(end);
}

/* Where they are not selected there may be any number, and they take no memory. */
static void test_millions_of_values_are_refused_or_passed_by(void **state)
{
	static const struct json_selection nothing = { .count = 0 };
	static const struct {
		const char *start, *unit, *end;
	} cases[] = { { "[{\"a\":[0", ",1", "]}]" },
		      { "[{\"a\":{\"\":0", ",\"\":1", "}}]" },
		      { "[{\"a\":[[]", ",[]", "]}]" },
		      { "[{\"\":0", ",\"\":1", "}]" } };
	char *text = malloc(LONG_TEXT);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < array_length(cases); i++) {
		size_t length = repeat(text, cases[i].start, cases[i].unit, cases[i].end);
		struct json_scan result;
		size_t offset;

		assert_int_equal(json_scan(text, length, &result, &offset), -EFBIG);
		assert_int_equal(json_scan_selected(text, length, &nothing, &result, &offset), 0);
		assert_string_equal(result.armoured.data, "[{}]");
		assert_true(result.armoured.capacity < 1024);
		json_scan_fini(&result);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_objects_in_arrays_only_the_selected_members_are_left),
		cmocka_unit_test(test_what_is_not_selected_has_to_be_json_all_the_same),
		cmocka_unit_test(test_values_are_counted),
		cmocka_unit_test(test_millions_of_values_are_refused_or_passed_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
