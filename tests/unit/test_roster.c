/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/roster.h"

static struct roster make_roster(const char *text)
{
	struct roster roster = { 0 };

	assert_int_equal(roster_read(text, strlen(text), &roster), 0);
	return roster;
}

static void assert_text(const struct roster *roster, const char *expected)
{
	struct buffer text;

	buffer_init(&text, 1 << 20);
	assert_int_equal(roster_write(roster, &text), 0);
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.data, expected, text.length);
	buffer_fini(&text);
}

static uint32_t find(const struct roster *roster, const char *id)
{
	return roster_find(roster, id, strlen(id));
}

static void test_nobody_is_in_an_empty_roster(void **state)
{
	struct roster roster = { 0 };

	(void)state;
	assert_int_equal(find(&roster, "7"), 0);
	assert_null(roster_at(&roster, 0));
	assert_null(roster_at(&roster, 1));
	assert_text(&roster, "\n");
	roster = make_roster("\n");
	assert_int_equal(roster.ids.count, 0);
	roster_fini(&roster);
}

static void test_an_id_has_one_place(void **state)
{
	struct roster roster = { 0 };

	(void)state;
	assert_int_equal(roster_add(&roster, "70"), 0);
	assert_int_equal(roster_add(&roster, "7"), 0);
	assert_int_equal(roster_add(&roster, "70"), ROSTER_KNOWN);
	assert_int_equal(roster_add(&roster, "12345678901234567890"), 0);
	assert_int_equal(find(&roster, "70"), 1);
	assert_int_equal(find(&roster, "7"), 2);
	assert_int_equal(find(&roster, "12345678901234567890"), 3);
	assert_int_equal(find(&roster, "123456789012345678901"), 0);
	assert_int_equal(find(&roster, "700"), 0);
	assert_string_equal(roster_at(&roster, 2), "7");
	assert_int_equal(roster.present, 3);
	roster_fini(&roster);
}

static void test_places_are_kept_whatever_comes_and_goes(void **state)
{
	struct roster roster = make_roster("\n5\n6\n7\n");
	struct roster now = make_roster("\n8\n7\n5\n");
	bool has_changed = false;

	(void)state;
	assert_int_equal(roster_follow(&roster, &now, &has_changed), 0);
	assert_true(has_changed);
	assert_text(&roster, "\n5\n-6\n7\n8\n");
	assert_int_equal(roster.present, 3);
	assert_int_equal(find(&roster, "6"), 0);
	assert_null(roster_at(&roster, 2));
	assert_int_equal(find(&roster, "8"), 4);

	assert_int_equal(roster_follow(&roster, &now, &has_changed), 0);
	assert_false(has_changed);

	roster_fini(&now);
	now = make_roster("\n6\n");
	assert_int_equal(roster_follow(&roster, &now, &has_changed), 0);
	assert_true(has_changed);
	assert_text(&roster, "\n-5\n6\n-7\n-8\n");
	assert_int_equal(find(&roster, "6"), 2);
	roster_fini(&now);
	roster_fini(&roster);
}

static void test_text_comes_back_as_it_was(void **state)
{
	struct roster roster = make_roster("\n5\n-6\n7\n");

	(void)state;
	assert_int_equal(roster.ids.count, 3);
	assert_int_equal(roster.present, 2);
	assert_text(&roster, "\n5\n-6\n7\n");
	roster_fini(&roster);
}

static void test_other_text_is_no_roster(void **state)
{
	static const char *const texts[] = {
		"",         "5\n",       "\n5",       "\n\n",
		"\n05\n",   "\nx\n",     "\n--5\n",   "\n-\n",
		"\n5\n5\n", "\n-5\n5\n", "\n5\n-5\n", "\n123456789012345678901\n",
	};
	struct roster roster = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++)
		assert_int_equal(roster_read(texts[i], strlen(texts[i]), &roster), -EILSEQ);
	assert_int_equal(roster_read("\n5\0\n", 4, &roster), -EILSEQ);
	assert_int_equal(roster.ids.count, 0);
}

static void test_places_run_out_with_the_numbers_of_nodes(void **state)
{
	struct roster roster = { 0 };
	char id[24];

	(void)state;
	for (uint32_t i = 1; i <= ROSTER_PLACES_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		assert_int_equal(roster_add(&roster, id), 0);
	}
	assert_int_equal(roster_add(&roster, "99999999"), -EFBIG);
	assert_int_equal(roster_add(&roster, "4"), ROSTER_KNOWN);
	assert_int_equal(find(&roster, "1048575"), ROSTER_PLACES_MAX);
	roster_fini(&roster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_is_in_an_empty_roster),
		cmocka_unit_test(test_an_id_has_one_place),
		cmocka_unit_test(test_places_are_kept_whatever_comes_and_goes),
		cmocka_unit_test(test_text_comes_back_as_it_was),
		cmocka_unit_test(test_other_text_is_no_roster),
		cmocka_unit_test(test_places_run_out_with_the_numbers_of_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
