/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/fold.h"

static void assert_folds(const char *text, const char *expected)
{
	struct buffer buffer;

	buffer_init(&buffer, 1 << 16);
	assert_int_equal(fold_append(&buffer, text, strlen(text)), 0);
	assert_int_equal(buffer.length, strlen(expected));
	assert_memory_equal(buffer.data ? buffer.data : "", expected, buffer.length);
	buffer_fini(&buffer);
}

static void test_case_does_not_matter(void **state)
{
	(void)state;
	assert_folds("Asha RAO 42", "asha rao 42");
	assert_folds("ΑΘΗΝΑ", "αθηνα");
	assert_folds("МОСКВА ҐЇ", "москва ґі");
	assert_folds("ΣΟΦΟΣ σοφος", "σοφοσ σοφοσ");
	assert_folds("Straße", "strasse");
	assert_folds("ÆÞ", "æþ");
}

static void test_accents_do_not_matter(void **state)
{
	(void)state;
	assert_folds("José Ñuñez Çelik", "jose nunez celik");
	assert_folds("Łódź Škoda Žižek", "lodz skoda zizek");
	assert_folds("Nguyễn Đặng", "nguyen dang");
	assert_folds("Jose\xcc\x81", "jose");
	assert_folds("THƯ Thơ ĐỨC", "thu tho duc");
	assert_folds("Ștefan Țepeș", "stefan tepes");
	assert_folds("Kṛṣṇa", "krsna");
	assert_folds("ΆΝΝΑ άννα", "αννα αννα");
	assert_folds("Артём Чайковский", "артем чаиковскии");
	assert_folds("Аи\xcc\x86", "аи");
	assert_folds("Øystein Ħal ǿ", "oystein hal o");
	assert_folds("5 × 4 ÷ 2", "5 × 4 ÷ 2");
}

static void test_other_forms_of_a_character_are_the_same(void **state)
{
	(void)state;
	assert_folds("ＡＢＣ－１２３", "abc-123");
	assert_folds("ﬁne", "fine");
	assert_folds("9\u00a04", "9 4");
	assert_folds("\u200e+91\u200d\u00ad7", "+917");
	assert_folds("ｶﾞ", "カ\u3099");
	assert_folds("ガ", "カ\u3099");
}

static void test_other_scripts_stay(void **state)
{
	(void)state;
	assert_folds("आशा राव", "आशा राव");
	assert_folds("東京", "東京");
	assert_folds("김철수", "김철수");
	assert_folds("அருண் మహేష్ মিতা", "அருண் మహేష్ মিতা");
	assert_folds("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
}

static void test_what_is_no_text_stays_and_controls_are_blanks(void **state)
{
	(void)state;
	assert_folds("a\xff\xc3", "a\xff\xc3");
	assert_folds("a\nb\tc", "a b c");
	assert_folds("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_case_does_not_matter),
		cmocka_unit_test(test_accents_do_not_matter),
		cmocka_unit_test(test_other_forms_of_a_character_are_the_same),
		cmocka_unit_test(test_other_scripts_stay),
		cmocka_unit_test(test_what_is_no_text_stays_and_controls_are_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
