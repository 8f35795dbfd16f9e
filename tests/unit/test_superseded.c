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

enum { SLOT = 7, SIZE_MAX_HERE = 1 << 16, NOW_MS = 1000 };

struct fixture {
	struct superseded *superseded;
	struct record *old; /* Asha, at 1000 ms */
	struct record *new; /* Bela, at 2000 ms */
};

static int set_up(void **state)
{
	static struct fixture fixture;
	bool changed;

	assert_int_equal(superseded_new(SIZE_MAX_HERE, &fixture.superseded), 0);
	fixture.old = make_customer("7", "1", "Asha");
	fixture.new = make_customer("7", "1", "Bela");
	assert_int_equal(record_settle(fixture.old, NULL, &(struct record_moment){ .now_ms = 1000 },
	                               &changed),
	                 0);
	assert_int_equal(record_settle(fixture.new, fixture.old,
	                               &(struct record_moment){ .now_ms = 2000 }, &changed),
	                 0);
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

static void test_old_version_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->old);
	struct node json = view_json_node(SLOT, fixture->old);

	superseded_add(fixture->superseded, SLOT, fixture->old, false, NOW_MS);
	assert_ptr_equal(superseded_find(fixture->superseded, &name), fixture->old);
	assert_ptr_equal(superseded_find(fixture->superseded, &json), fixture->old);
}

static void test_young_is_what_was_replaced_a_moment_ago_and_not_to_be_seen_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct node old = name_node(fixture->old);
	struct node new = name_node(fixture->new);

	superseded_add(fixture->superseded, SLOT, fixture->old, false, NOW_MS);
	superseded_add(fixture->superseded, SLOT, fixture->new, true, NOW_MS);
	assert_ptr_equal(superseded_find_young(fixture->superseded, &old, NOW_MS), fixture->old);
	assert_null(superseded_find_young(fixture->superseded, &old, NOW_MS + 1));
	assert_null(superseded_find_young(fixture->superseded, &new, NOW_MS));
}

static void test_other_versions_and_customers_are_not_found(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->new);
	struct node other = name_node(fixture->old);

	other.slot++;
	superseded_add(fixture->superseded, SLOT, fixture->old, false, NOW_MS);
	assert_null(superseded_find(fixture->superseded, &name));
	assert_null(superseded_find(fixture->superseded, &other));
}

static void test_the_forgotten_are_not_found_and_the_others_are(void **state)
{
	struct fixture *fixture = *state;
	struct node name = name_node(fixture->old);
	struct node other = name_node(fixture->old);

	other.slot++;
	superseded_add(fixture->superseded, SLOT, fixture->old, false, NOW_MS);
	superseded_add(fixture->superseded, SLOT + 1, fixture->old, false, NOW_MS);
	superseded_add(fixture->superseded, SLOT, fixture->new, false, NOW_MS);
	superseded_forget(fixture->superseded, SLOT);
	assert_null(superseded_find(fixture->superseded, &name));
	assert_ptr_equal(superseded_find(fixture->superseded, &other), fixture->old);
	superseded_forget(fixture->superseded, SLOT + 1);
	assert_null(superseded_find(fixture->superseded, &other));
	superseded_forget(fixture->superseded, SLOT);
}

static void test_beyond_the_memory_the_oldest_are_dropped_and_the_newest_stays(void **state)
{
	struct fixture *fixture = *state;
	struct node old = name_node(fixture->old);
	struct node new = name_node(fixture->new);
	size_t count = SIZE_MAX_HERE / record_footprint(fixture->old);

	superseded_add(fixture->superseded, SLOT, fixture->old, false, NOW_MS);
	for (size_t i = 1; i < count; i++)
		superseded_add(fixture->superseded, SLOT + 1, fixture->old, false, NOW_MS);
	assert_ptr_equal(superseded_find(fixture->superseded, &old), fixture->old);
	superseded_add(fixture->superseded, SLOT, fixture->new, false, NOW_MS);
	assert_null(superseded_find(fixture->superseded, &old));
	for (size_t i = 0; i < 10 * count; i++)
		superseded_add(fixture->superseded, SLOT + 1, fixture->old, false, NOW_MS);
	assert_null(superseded_find(fixture->superseded, &new));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_old_version_is_found),
		TEST(test_young_is_what_was_replaced_a_moment_ago_and_not_to_be_seen_at_once),
		TEST(test_other_versions_and_customers_are_not_found),
		TEST(test_the_forgotten_are_not_found_and_the_others_are),
		TEST(test_beyond_the_memory_the_oldest_are_dropped_and_the_newest_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
