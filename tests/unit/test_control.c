/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/fs/control.h"

/* Says how often it was asked. */
static int print_count(void *userdata, struct buffer *text)
{
	int *count = userdata;

	return buffer_print(text, "%d\n", ++*count);
}

static int print_nothing(void *userdata, struct buffer *text)
{
	(void)userdata;
	(void)text;
	return 0;
}

static int print_failure(void *userdata, struct buffer *text)
{
	(void)userdata;
	(void)text;
	return -ENOMEM;
}

struct fixture {
	struct control *control;
	int count;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture.count = 0;
	assert_int_equal(control_new(&fixture.control), 0);
	control_add(fixture.control, "count", print_count, &fixture.count);
	control_add(fixture.control, "nothing", print_nothing, NULL);
	control_add(fixture.control, "failure", print_failure, NULL);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	control_free(fixture->control);
	return 0;
}

static struct control_snapshot look(struct fixture *fixture, const char *name)
{
	struct control_snapshot snapshot;

	assert_int_equal(control_look(fixture->control, name, 1000, &snapshot), 0);
	return snapshot;
}

static void test_each_look_is_a_snapshot_of_its_own(void **state)
{
	struct control_snapshot first = look(*state, "count");
	struct control_snapshot second = look(*state, "count");

	assert_string_equal(first.data, "1\n");
	assert_string_equal(second.data, "2\n");
	assert_int_equal(first.length, 2);
	assert_int_equal(first.taken_ms, 1000);
	assert_int_not_equal(first.generation, second.generation);
}

static void test_a_snapshot_stays_what_it_was(void **state)
{
	struct fixture *fixture = *state;
	struct control_snapshot first = look(fixture, "count");
	struct control_snapshot again;

	for (int i = 1; i < CONTROL_SNAPSHOTS; i++)
		look(fixture, "count");
	assert_int_equal(control_recall(fixture->control, first.file, first.generation, &again), 0);
	assert_string_equal(again.data, "1\n");
}

static void test_a_snapshot_that_was_pushed_out_is_stale(void **state)
{
	struct fixture *fixture = *state;
	struct control_snapshot first = look(fixture, "count");
	struct control_snapshot again;

	for (int i = 0; i < CONTROL_SNAPSHOTS; i++)
		look(fixture, "count");
	assert_int_equal(control_recall(fixture->control, first.file, first.generation, &again),
	                 -ESTALE);
}

static void test_what_was_never_taken_is_stale(void **state)
{
	struct fixture *fixture = *state;
	struct control_snapshot snapshot;

	assert_int_equal(control_recall(fixture->control, 0, 0, &snapshot), -ESTALE);
	assert_int_equal(control_recall(fixture->control, 3, 0, &snapshot), -ESTALE);
}

static void test_an_empty_file_is_a_file(void **state)
{
	struct fixture *fixture = *state;
	struct control_snapshot snapshot = look(fixture, "nothing");

	assert_int_equal(snapshot.length, 0);
	assert_int_equal(control_recall(fixture->control, snapshot.file, snapshot.generation,
	                                &snapshot),
	                 0);
}

static void test_other_names_are_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct control_snapshot snapshot;

	assert_int_equal(control_look(fixture->control, "counts", 0, &snapshot), -ENOENT);
}

static void test_failure_to_print_is_passed_on(void **state)
{
	struct fixture *fixture = *state;
	struct control_snapshot snapshot;

	assert_int_equal(control_look(fixture->control, "failure", 0, &snapshot), -ENOMEM);
	assert_int_equal(control_recall(fixture->control, 2, 0, &snapshot), -ESTALE);
}

static void test_names_are_listed_in_order(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(control_name(fixture->control, 0), "count");
	assert_string_equal(control_name(fixture->control, 2), "failure");
	assert_null(control_name(fixture->control, 3));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_look_is_a_snapshot_of_its_own),
		TEST(test_a_snapshot_stays_what_it_was),
		TEST(test_a_snapshot_that_was_pushed_out_is_stale),
		TEST(test_what_was_never_taken_is_stale),
		TEST(test_an_empty_file_is_a_file),
		TEST(test_other_names_are_not_there),
		TEST(test_failure_to_print_is_passed_on),
		TEST(test_names_are_listed_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
