/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "customers.h"
#include "kapturefs/fs/superseded.h"
#include "kapturefs/fs/view.h"

enum { SLOT = 7 };

struct fixture {
	struct superseded *superseded;
	struct record *old; /* Asha, at 1000 ms */
	struct record *new; /* Bela, at 2000 ms */
};

static int set_up(void **state)
{
	static struct fixture fixture;
	bool changed;

	assert_int_equal(superseded_new(&fixture.superseded), 0);
	fixture.old = make_customer("7", "1", "Asha");
	fixture.new = make_customer("7", "1", "Bela");
	assert_int_equal(record_settle(fixture.old, NULL, 1000, &changed), 0);
	assert_int_equal(record_settle(fixture.new, fixture.old, 2000, &changed), 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	superseded_free(fixture->superseded);
	record_unref(fixture->old);
	record_unref(fixture->new);
	return 0;
}

static struct node name_node(const struct record *record)
{
	return view_field_node(SLOT, record_child(record, record_member(record, 0), "name", 4));
}

static void test_old_version_is_found_while_a_reader_may_be_on_his_way(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->old);
	struct node json = view_json_node(SLOT, fixture->old);

	superseded_add(fixture->superseded, SLOT, fixture->old, 10);
	assert_ptr_equal(superseded_find(fixture->superseded, &name, 10), fixture->old);
	assert_ptr_equal(superseded_find(fixture->superseded, &json, 10), fixture->old);
	assert_ptr_equal(superseded_find(fixture->superseded, &name, 10 + SUPERSEDED_LIFE_MS),
	                 fixture->old);
	assert_null(superseded_find(fixture->superseded, &name, 11 + SUPERSEDED_LIFE_MS));
}

static void test_other_versions_and_customers_are_not_found(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->new);
	struct node other = name_node(fixture->old);

	other.slot++;
	superseded_add(fixture->superseded, SLOT, fixture->old, 10);
	assert_null(superseded_find(fixture->superseded, &name, 10));
	assert_null(superseded_find(fixture->superseded, &other, 10));
}

static void test_the_forgotten_are_not_found_and_the_others_are(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->old);
	struct node other = name_node(fixture->old);

	other.slot++;
	superseded_add(fixture->superseded, SLOT, fixture->old, 10);
	superseded_add(fixture->superseded, SLOT + 1, fixture->old, 11);
	superseded_add(fixture->superseded, SLOT, fixture->new, 12);
	superseded_forget(fixture->superseded, SLOT);
	assert_null(superseded_find(fixture->superseded, &name, 12));
	assert_ptr_equal(superseded_find(fixture->superseded, &other, 12), fixture->old);
	superseded_forget(fixture->superseded, SLOT + 1);
	assert_null(superseded_find(fixture->superseded, &other, 12));
	superseded_forget(fixture->superseded, SLOT);
}

static void test_any_number_of_changes_is_survived(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->new);

	for (uint64_t i = 0; i < 10000; i++)
		superseded_add(fixture->superseded, SLOT, fixture->old, 10);
	superseded_add(fixture->superseded, SLOT, fixture->new, 10);
	assert_ptr_equal(superseded_find(fixture->superseded, &name, 10), fixture->new);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_old_version_is_found_while_a_reader_may_be_on_his_way),
		TEST(test_other_versions_and_customers_are_not_found),
		TEST(test_the_forgotten_are_not_found_and_the_others_are),
		TEST(test_any_number_of_changes_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
