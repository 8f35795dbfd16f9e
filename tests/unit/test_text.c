/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/text.h"

static void assert_plain(const char *bytes, size_t length, const char *expected)
{
	char copy[64] = "";

	memcpy(copy, bytes, length);
	assert_null(text_make_plain(copy, &length));
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(copy, expected, length);
}

static void test_lines_end_in_one_way(void **state)
{
	(void)state;
	assert_plain("a\nb\n", 4, "a\nb\n");
	assert_plain("a\r\nb\r\n", 6, "a\nb\n");
	assert_plain("a\rb\r", 4, "a\nb\n");
	assert_plain("a\r\r\nb\n\r", 7, "a\n\nb\n\n");
	assert_plain("", 0, "");
	assert_plain("a", 1, "a");
}

static void test_a_mark_at_the_start_goes(void **state)
{
	(void)state;
	assert_plain("\xef\xbb\xbfy\r\n", 6, "y\n");
	assert_plain("\xef\xbb\xbf", 3, "");
	assert_plain("y\xef\xbb\xbf", 4, "y\xef\xbb\xbf");
	assert_plain("\xef\xbb", 2, "\xef\xbb");
}

static void test_utf_16_is_named(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} all[] = {
		{ "\xff\xfe\x31\0", 4 },
		{ "\xfe\xff\0\x31", 4 },
		{ "1\0\r\0\n\0", 6 },
		{ "\0001\0\n", 4 },
	};

	(void)state;
	for (size_t i = 0; i < array_length(all); i++) {
		char copy[8];
		size_t length = all[i].length;

		memcpy(copy, all[i].bytes, length);
		assert_string_equal(text_make_plain(copy, &length), "UTF-16; save it as UTF-8");
		assert_memory_equal(copy, all[i].bytes, length);
	}
}

static void test_nothing_that_a_terminal_obeys_is_left(void **state)
{
	char text[] = "a\tb\n\x1b[1m\r\x7f\xc2\x9b\xc2\xa0\u00e9\u202e\u2066\xff\xe2\x80";
	size_t length = text_make_visible(text, strlen(text));

	(void)state;
	text[length] = '\0';
	assert_string_equal(text, "a\tb\n?[1m???\u00a0\u00e9?????");
}

static void test_a_line_is_one_line(void **state)
{
	char text[] = "a\tb\nc\033\xc2\x9b\xe2\x80\xaezd";

	(void)state;
	text_make_line(text);
	assert_string_equal(text, "a?b?c???zd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_end_in_one_way),
		cmocka_unit_test(test_nothing_that_a_terminal_obeys_is_left),
		cmocka_unit_test(test_a_line_is_one_line),
		cmocka_unit_test(test_a_mark_at_the_start_goes),
		cmocka_unit_test(test_utf_16_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
