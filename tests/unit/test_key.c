/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/key.h"

static void assert_canonical(enum key_kind kind, const char *name, const char *expected)
{
	struct key key;

	assert_int_equal(key_parse(kind, name, strlen(name), &key), 0);
	assert_int_equal(key.kind, kind);
	assert_string_equal(key.text, expected);
	assert_int_equal(key_is_spelled(&key, name, strlen(name)), strcmp(name, expected) == 0);
}

static void assert_impossible(enum key_kind kind, const char *name)
{
	struct key key = { .text = "untouched" };

	if (key_parse(kind, name, strlen(name), &key) != KEY_IMPOSSIBLE)
		fail_msg("accepted: %s", name);
	assert_string_equal(key.text, "untouched");
}

static void test_ids_are_digits_without_leading_zeros(void **state)
{
	(void)state;
	assert_canonical(KEY_ID, "191121684", "191121684");
	assert_canonical(KEY_ID, "000191", "191");
	assert_canonical(KEY_ID, "0", "0");
	assert_canonical(KEY_ID, "000", "0");
	assert_canonical(KEY_ID, "12345678901234567890", "12345678901234567890");
}

static void test_names_that_are_no_id_are_impossible(void **state)
{
	static const char *const names[] = {
		"",    "-1",   "+1",  "0x1",         "1 ",       " 1",
		"1.0", ".git", "1e3", "autorun.inf", "\xd9\xa1", "123456789012345678901"
	};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_impossible(KEY_ID, names[i]);
}

static void test_phone_separators_stand_between_digits(void **state)
{
	(void)state;
	assert_canonical(KEY_PHONE, "9380491326", "9380491326");
	assert_canonical(KEY_PHONE, "+91 93804-91326", "919380491326");
	assert_canonical(KEY_PHONE, "1 (555) 010.9999", "15550109999");
	assert_canonical(KEY_PHONE, "007", "007");
	assert_canonical(KEY_PHONE, "1", "1");
}

static void test_names_that_are_no_phone_are_impossible(void **state)
{
	static const char *const names[] = {
		"",   "+",  "++1", "1+2", "+ 1",  "-1",   "1-",
		"1 ", "()", "1x",  "1/2", "HEAD", "1\n2", "123456789012345678901"
	};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_impossible(KEY_PHONE, names[i]);
}

static void test_emails_are_lower_case(void **state)
{
	(void)state;
	assert_canonical(KEY_EMAIL, "Foo@Example.COM", "foo@example.com");
	assert_canonical(KEY_EMAIL, "a@b", "a@b");
	assert_canonical(KEY_EMAIL, "\"a%b+c\"@x.org", "\"a%b+c\"@x.org");
	assert_canonical(KEY_EMAIL, "\xc3\x84@x", "\xc3\x84@x");
}

static void test_names_that_are_no_email_are_impossible(void **state)
{
	static const char *const names[] = { "",      "a",     "@",     "a@",      "@b",
		                             "a@b@c", "a b@c", "a@b\t", "a@b\x7f", ".directory" };

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_impossible(KEY_EMAIL, names[i]);
}

static void test_an_email_has_at_most_254_bytes(void **state)
{
	char name[KEY_TEXT_MAX + 2];
	struct key key;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[10] = '@';
	assert_int_equal(key_parse(KEY_EMAIL, name, KEY_TEXT_MAX, &key), 0);
	assert_int_equal(strlen(key.text), KEY_TEXT_MAX);
	assert_int_equal(key_parse(KEY_EMAIL, name, KEY_TEXT_MAX + 1, &key), KEY_IMPOSSIBLE);
}

static void test_a_nul_byte_is_part_of_no_key(void **state)
{
	struct key key;

	(void)state;
	assert_int_equal(key_parse(KEY_ID, "1\0002", 3, &key), KEY_IMPOSSIBLE);
	assert_int_equal(key_parse(KEY_PHONE, "1\0002", 3, &key), KEY_IMPOSSIBLE);
	assert_int_equal(key_parse(KEY_EMAIL, "a\000@b", 4, &key), KEY_IMPOSSIBLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_are_digits_without_leading_zeros),
		cmocka_unit_test(test_names_that_are_no_id_are_impossible),
		cmocka_unit_test(test_phone_separators_stand_between_digits),
		cmocka_unit_test(test_names_that_are_no_phone_are_impossible),
		cmocka_unit_test(test_emails_are_lower_case),
		cmocka_unit_test(test_names_that_are_no_email_are_impossible),
		cmocka_unit_test(test_an_email_has_at_most_254_bytes),
		cmocka_unit_test(test_a_nul_byte_is_part_of_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
