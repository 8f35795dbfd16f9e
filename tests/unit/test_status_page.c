/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/command/status_page.h"

static const char page[] = "health      bad\n"
                           "            the first reason\n"
                           "            the second\n"
                           "token       refused\n"
                           "tokens      another\n"
                           "short\n"
                           "last        without an end";

static void test_words_behind_a_label_are_found(void **state)
{
	char words[32];

	(void)state;
	status_find(page, "health", words, sizeof(words));
	assert_string_equal(words, "bad");
	status_find(page, "tokens", words, sizeof(words));
	assert_string_equal(words, "another");
	status_find(page, "last", words, sizeof(words));
	assert_string_equal(words, "without an end");
	status_find(page, "tok", words, sizeof(words));
	assert_string_equal(words, "");
	status_find(page, "short", words, sizeof(words));
	assert_string_equal(words, "");
	status_find("", "health", words, sizeof(words));
	assert_string_equal(words, "");
}

static void test_lines_below_a_label_are_its_own(void **state)
{
	char words[32];

	(void)state;
	assert_true(status_find_below(page, "health", 2, words, sizeof(words)));
	assert_string_equal(words, "the second");
	assert_false(status_find_below(page, "health", 3, words, sizeof(words)));
	assert_false(status_find_below(page, "token", 1, words, sizeof(words)));
	assert_false(status_find_below(page, "last", 1, words, sizeof(words)));
	assert_false(status_find_below(page, "nothing", 1, words, sizeof(words)));
}

static void test_words_that_are_too_many_are_cut(void **state)
{
	char words[8];

	(void)state;
	status_find(page, "last", words, sizeof(words));
	assert_string_equal(words, "without");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_behind_a_label_are_found),
		cmocka_unit_test(test_lines_below_a_label_are_its_own),
		cmocka_unit_test(test_words_that_are_too_many_are_cut),
	};

	return cmocka_run_group_tests_name("status_page", tests, NULL, NULL);
}
