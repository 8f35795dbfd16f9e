/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/spelling.h"

static const char *nearest(const char *word)
{
	static const char *const names[] = { "get",    "find",   "forget", "export", "status",
		                             "umount", "doctor", "mount",  "watch",  "warm" };
	struct spelling spelling = { .word = word };

	for (size_t i = 0; i < array_length(names); i++)
		spelling_try(&spelling, names[i]);
	return spelling.nearest;
}

static void test_a_misspelt_name_is_found(void **state)
{
	static const struct {
		const char *word;
		const char *name;
	} table[] = {
		{ "status", "status" },  { "stats", "status" },   { "statsu", "status" },
		{ "STATUS", "status" },  { "stat", "status" },    { "st", "status" },
		{ "statuss", "status" }, { "staus", "status" },   { "stutas", "status" },
		{ "unmount", "umount" }, { "umuont", "umount" },  { "Mount", "mount" },
		{ "gte", "get" },        { "ge", "get" },         { "gett", "get" },
		{ "fnid", "find" },      { "doc", "doctor" },     { "warn", "warm" },
		{ "wtach", "watch" },    { "forgte", "forget" },  { "exprot", "export" },
		{ "exports", "export" }, { "doctors", "doctor" },
	};

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		const char *found = nearest(table[i].word);

		if (!found || strcmp(found, table[i].name) != 0)
			fail_msg("%s is taken for %s", table[i].word, found ? found : "nothing");
	}
}

static void test_the_name_with_the_fewest_mistakes_is_found(void **state)
{
	(void)state;
	assert_string_equal(nearest("mount"), "mount");
	assert_string_equal(nearest("umount"), "umount");
	assert_string_equal(nearest("forge"), "forget");
}

static void test_another_word_is_near_nothing(void **state)
{
	static const char *const words[] = {
		"",         "s",
		"acme",     "acme-prod",
		"kapture",  "wheel",
		"winding",  "gear",
		"stable",   "station",
		"forester", "docks",
		"mo-un-t",  "a-word-that-is-much-longer-than-any-name-of-a-command-could-be",
	};

	(void)state;
	for (size_t i = 0; i < array_length(words); i++) {
		if (nearest(words[i]))
			fail_msg("%s is taken for %s", words[i], nearest(words[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_misspelt_name_is_found),
		cmocka_unit_test(test_the_name_with_the_fewest_mistakes_is_found),
		cmocka_unit_test(test_another_word_is_near_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
