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

static void test_phones_are_as_people_write_and_paste_them(void **state)
{
	(void)state;
	assert_canonical(KEY_PHONE, "(938) 049-1326", "9380491326");
	assert_canonical(KEY_PHONE, " 9380491326\t", "9380491326");
	assert_canonical(KEY_PHONE, "\u00a093804\u202f91326\u3000", "9380491326");
	assert_canonical(KEY_PHONE, "93804\u201391326", "9380491326");
	assert_canonical(KEY_PHONE, "938\u2212049\u20111326", "9380491326");
	assert_canonical(KEY_PHONE, "（９３８）　０４９－１３２６", "9380491326");
	assert_canonical(KEY_PHONE, "९३८०४९१३२६", "9380491326");
	assert_canonical(KEY_PHONE, "٩٣٨٠٤٩١٣٢٦", "9380491326");
	assert_canonical(KEY_PHONE, "\u202a+91 93804 91326\u202c", "919380491326");
	assert_canonical(KEY_PHONE, "tel:+91-93804-91326", "919380491326");
	assert_canonical(KEY_PHONE, " TEL: 9380491326", "9380491326");
	assert_canonical(KEY_PHONE, "(+91) 93804", "9193804");
	assert_canonical(KEY_PHONE, "01.23.45.67.00", "0123456700");
	assert_canonical(KEY_PHONE, "-1-", "1");
	assert_canonical(KEY_PHONE, "9380491326", "9380491326");
	assert_canonical(KEY_PHONE, "+91 93804-91326", "919380491326");
	assert_canonical(KEY_PHONE, "1 (555) 010.9999", "15550109999");
	assert_canonical(KEY_PHONE, "007", "007");
	assert_canonical(KEY_PHONE, "1", "1");
}

static void test_names_that_are_no_phone_are_impossible(void **state)
{
	static const char *const names[] = {
		"",    "+",      "++1",   "1+2",       "()",    "1x",
		"1/2", "HEAD",   "1\n2",  "tel:",      "tel:x", "1²",
		"①",   "\u200e", "1\xff", "tel:tel:1", "9,380", "123456789012345678901",
	};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_impossible(KEY_PHONE, names[i]);
}

static void test_a_number_of_a_spreadsheet_is_no_phone(void **state)
{
	static const char *const names[] = {
		"9380491326.0",    "9380491326.00", "+91 9380491326.0",
		"938.049.1326.0",  "9380491326.0 ", "９３８．０",
		"9.380491326E+09", "9380491326,0",  ".0",
	};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_impossible(KEY_PHONE, names[i]);
}

static void assert_phone(uint32_t country, const char *name, const char *expected)
{
	struct key key;
	int r = key_parse_typed(country, KEY_PHONE, name, strlen(name), &key);

	if (expected ? r || strcmp(key.text, expected) != 0 : r != KEY_IMPOSSIBLE)
		fail_msg("%s: %s, not %s", name, r ? "impossible" : key.text, expected);
	if (!r)
		assert_true(key_is_canonical(country, &key));
}

static void test_spellings_of_a_national_number_are_one_key(void **state)
{
	static const char *const names[] = {
		"9380491326",         "+91 93804-91326",
		"00919380491326",     "0091 9380491326",
		"09380491326",        "+91 (0) 93804 91326",
		"+91 09380491326",    "tel:+919380491326",
		"（+91）93804-91326", "\u202a+91 93804 91326\u202c",
	};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_phone(91, names[i], "9380491326");
}

static void test_digits_alone_never_lose_a_country(void **state)
{
	(void)state;
	assert_phone(91, "9198765432", "9198765432");
	assert_phone(91, "919380491326", "919380491326");
	assert_phone(91, "91 93804-91326", "919380491326");
	assert_phone(91, "0919380491326", "919380491326");
}

static void test_another_country_keeps_its_code(void **state)
{
	(void)state;
	assert_phone(91, "+1 (555) 010-9999", "15550109999");
	assert_phone(91, "001 555 010 9999", "15550109999");
	assert_phone(91, "+0123", NULL);
	assert_phone(91, "000123", NULL);
	assert_phone(39, "+44 20 7946 0000", "442079460000");
}

static void test_in_italy_the_zero_is_part_of_the_number(void **state)
{
	(void)state;
	assert_phone(39, "+39 06 1234", "061234");
	assert_phone(39, "0039061234", "061234");
	assert_phone(39, "061234", "061234");
	assert_phone(39, "+39 347 1234", "3471234");
}

static void test_a_code_without_a_number_is_no_phone(void **state)
{
	static const char *const names[] = { "+91", "0091", "00", "+", "+91 00938" };

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_phone(91, names[i], NULL);
	assert_phone(91, "0", "0");
	assert_phone(91, "+910", "0");
}

static void test_without_a_country_every_digit_stays(void **state)
{
	(void)state;
	assert_phone(0, "+91 93804-91326", "919380491326");
	assert_phone(0, "00919380491326", "00919380491326");
	assert_phone(0, "09380491326", "09380491326");
	assert_phone(0, "00", "00");
}

static void test_what_stands_around_an_email_is_no_part_of_it(void **state)
{
	(void)state;
	assert_canonical(KEY_EMAIL, "<a@b.co>", "a@b.co");
	assert_canonical(KEY_EMAIL, "mailto:a@b.co", "a@b.co");
	assert_canonical(KEY_EMAIL, " MailTo:<A@b.co> ", "a@b.co");
	assert_canonical(KEY_EMAIL, "<mailto:a@b.co?subject=Hello%20you>", "a@b.co");
	assert_canonical(KEY_EMAIL, "\ufeff\u00a0a@b.co\u200b", "a@b.co");
	assert_canonical(KEY_EMAIL, "a?b@c.d", "a?b@c.d");
	assert_canonical(KEY_EMAIL, "o'neil/sales@b.co", "o'neil/sales@b.co");
	assert_impossible(KEY_EMAIL, "Asha Rao <a@b.co>");
	assert_impossible(KEY_EMAIL, "a\u00a0c@b.co");
	assert_impossible(KEY_EMAIL, "<@>");
	assert_impossible(KEY_EMAIL, "mailto:");
	assert_impossible(KEY_EMAIL, "a@\xff");
}

static void assert_named(const char *text, const char *name)
{
	char printed[KEY_NAME_SIZE];
	struct key key;
	struct key read;

	assert_int_equal(key_parse(KEY_EMAIL, text, strlen(text), &key), 0);
	key_print_name(&key, printed);
	assert_string_equal(printed, name);
	assert_int_equal(key_parse_name(0, KEY_EMAIL, name, strlen(name), &read), 0);
	assert_true(key_equal(&read, &key));
}

static void test_names_of_addresses_escape_what_a_file_name_cannot_mean(void **state)
{
	(void)state;
	assert_named("a/b@c.d", "a%2Fb@c.d");
	assert_named("100%@c.d", "100%25@c.d");
	assert_named("a%2fb@c.d", "a%252fb@c.d");
	assert_named("a@b.json", "a@b%2Ejson");
	assert_named("a@b.meta", "a@b%2Emeta");
	assert_named("a@b%2ejson", "a@b%252ejson");
	assert_named("a@b.json.c", "a@b.json.c");
	assert_named("a.json@b.c", "a.json@b.c");
	assert_named("a\xe2\x80\x8b\x62@c.d", "a%E2%80%8Bb@c.d");
	assert_named("a\xc2\xad@c.d", "a%C2%AD@c.d");
	assert_named("a\xf3\xa0\x81\xa1@c.d", "a%F3%A0%81%A1@c.d");
	assert_named("a\xc2\x9b@c.d", "a%C2%9B@c.d");
	assert_named("a\xc3\xab@c.d", "a\xc3\xab@c.d");
	/* What could be an escape is one only if it is another's. */
	assert_named("a%c3%ab@c.d", "a%25c3%25ab@c.d");
	assert_named("a%c2%ad@c.d", "a%25c2%25ad@c.d");
}

static void test_a_bare_percent_in_a_name_is_itself(void **state)
{
	static const char *const names[] = { "100%@c.d", "%40%@c.d",   "%2@c.d",     "a@c.d%",
		                             "%2E@c.d",  "%C3%AB@c.d", "%E2%80@c.d", "%AD@c.d" };

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		struct key by_name;
		struct key by_text;

		assert_int_equal(key_parse_name(0, KEY_EMAIL, names[i], strlen(names[i]), &by_name),
		                 0);
		assert_int_equal(key_parse(KEY_EMAIL, names[i], strlen(names[i]), &by_text), 0);
		assert_true(key_equal(&by_name, &by_text));
	}
}

static void test_every_address_has_a_name(void **state)
{
	char name[KEY_TEXT_MAX + 1];

	(void)state;
	memset(name, '/', sizeof(name));
	name[1] = '@';
	name[KEY_TEXT_MAX] = '\0';
	for (size_t i = 0; i < 2; i++) {
		char printed[KEY_NAME_SIZE];
		struct key key;
		struct key read;

		assert_int_equal(key_parse(KEY_EMAIL, name, KEY_TEXT_MAX, &key), 0);
		key_print_name(&key, printed);
		assert_int_equal(key_parse_name(0, KEY_EMAIL, printed, strlen(printed), &read), 0);
		assert_true(key_equal(&read, &key));
		memcpy(name + KEY_TEXT_MAX - 5, ".json", 5);
	}
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
		                             "a@b@c", "a b@c", "a@\tb", "a@b\x7f", ".directory" };

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
		cmocka_unit_test(test_phones_are_as_people_write_and_paste_them),
		cmocka_unit_test(test_names_that_are_no_phone_are_impossible),
		cmocka_unit_test(test_a_number_of_a_spreadsheet_is_no_phone),
		cmocka_unit_test(test_spellings_of_a_national_number_are_one_key),
		cmocka_unit_test(test_digits_alone_never_lose_a_country),
		cmocka_unit_test(test_another_country_keeps_its_code),
		cmocka_unit_test(test_in_italy_the_zero_is_part_of_the_number),
		cmocka_unit_test(test_a_code_without_a_number_is_no_phone),
		cmocka_unit_test(test_without_a_country_every_digit_stays),
		cmocka_unit_test(test_what_stands_around_an_email_is_no_part_of_it),
		cmocka_unit_test(test_names_of_addresses_escape_what_a_file_name_cannot_mean),
		cmocka_unit_test(test_a_bare_percent_in_a_name_is_itself),
		cmocka_unit_test(test_every_address_has_a_name),
		cmocka_unit_test(test_emails_are_lower_case),
		cmocka_unit_test(test_names_that_are_no_email_are_impossible),
		cmocka_unit_test(test_an_email_has_at_most_254_bytes),
		cmocka_unit_test(test_a_nul_byte_is_part_of_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
