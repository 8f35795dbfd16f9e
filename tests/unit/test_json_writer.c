/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/model/json_writer.h"

static void test_values_of_every_kind_are_written(void **state)
{
	cleanup(buffer_fini) struct buffer text;
	struct json_writer writer;

	(void)state;
	buffer_init(&text, 4096);
	writer = json_begin(&text);
	json_open(&writer, NULL, '{');
	json_text(&writer, "text", "a \"quote\"\n");
	json_number(&writer, "number", UINT64_MAX);
	json_decimal(&writer, "rate", 10050, 3);
	json_flag(&writer, "flag", false);
	json_open(&writer, "none", '[');
	json_close(&writer, ']');
	json_open(&writer, "list", '[');
	json_text(&writer, NULL, "one");
	json_open(&writer, NULL, '{');
	json_close(&writer, '}');
	json_close(&writer, ']');
	json_close(&writer, '}');
	assert_int_equal(json_end(&writer), 0);
	assert_string_equal(text.data, "{\n"
	                               "  \"text\": \"a \\\"quote\\\"\\u000a\",\n"
	                               "  \"number\": 18446744073709551615,\n"
	                               "  \"rate\": 10.050,\n"
	                               "  \"flag\": false,\n"
	                               "  \"none\": [],\n"
	                               "  \"list\": [\n"
	                               "    \"one\",\n"
	                               "    {}\n"
	                               "  ]\n"
	                               "}\n");
}

static void test_text_that_is_no_utf8_is_still_json(void **state)
{
	cleanup(buffer_fini) struct buffer text;
	struct json_writer writer;

	(void)state;
	buffer_init(&text, 4096);
	writer = json_begin(&text);
	json_open(&writer, NULL, '[');
	json_text(&writer, NULL, "caf\xe9");
	json_close(&writer, ']');
	assert_int_equal(json_end(&writer), 0);
	assert_string_equal(text.data, "[\n  \"caf?\"\n]\n");
}

static void test_first_error_is_kept(void **state)
{
	cleanup(buffer_fini) struct buffer text;
	struct json_writer writer;

	(void)state;
	buffer_init(&text, 8);
	writer = json_begin(&text);
	json_open(&writer, NULL, '[');
	json_text(&writer, NULL, "longer than there is room for");
	json_text(&writer, NULL, "x");
	json_close(&writer, ']');
	assert_int_equal(json_end(&writer), -EFBIG);
}

static void test_a_compact_text_has_neither_blanks_nor_newlines(void **state)
{
	struct buffer text;
	struct json_writer writer;

	(void)state;
	buffer_init(&text, 1024);
	writer = json_begin_compact(&text);
	json_open(&writer, NULL, '{');
	json_decimal(&writer, "amount", 105, 1);
	json_open(&writer, "list", '[');
	json_number(&writer, NULL, 1);
	json_print(&writer, NULL, "%u of %u", 2, 3);
	json_close(&writer, ']');
	json_close(&writer, '}');
	assert_int_equal(json_end(&writer), 0);
	assert_string_equal(text.data, "{\"amount\":10.5,\"list\":[1,\"2 of 3\"]}");
	buffer_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_of_every_kind_are_written),
		cmocka_unit_test(test_text_that_is_no_utf8_is_still_json),
		cmocka_unit_test(test_first_error_is_kept),
		cmocka_unit_test(test_a_compact_text_has_neither_blanks_nor_newlines),
	};

	return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
