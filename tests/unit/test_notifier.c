/* SPDX-License-Identifier: MIT */
/*
 * The notifier between a reactor and a kernel that are both the test's: libfuse's notifications are
 * wrapped by the linker. The kernel is slow, so that the two threads overlap; with PLANTED_RACE it
 * also counts without a lock, which the thread sanitizer must find.
 */

#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "customers.h"
#include "told_kernel.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/view.h"

enum { SLOT = 7, KEY = 11, QUEUE_MAX = 1024 };

struct fixture {
	struct notifier *notifier;
	struct metrics metrics;
	struct record *record;
	struct record *successor;
	struct cache_change change;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	bool changed;

	kernel.count = 0;
	fixture.record = make_customer("7", "1", "Asha");
	fixture.successor = make_customer("7", "1", "Bela");
	assert_int_equal(record_settle(fixture.record, NULL, 1000, &changed), 0);
	assert_int_equal(record_settle(fixture.successor, fixture.record, 2000, &changed), 0);
	fixture.change = (struct cache_change){
		.values = true,
		.customer = { .record = fixture.successor, .slot = SLOT },
		.previous = fixture.record,
	};
	metrics_init(&fixture.metrics);
	assert_int_equal(notifier_new(&fixture.notifier), 0);
	notifier_add_metrics(fixture.notifier, &fixture.metrics);
	assert_int_equal(notifier_start(fixture.notifier, NULL), 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	hold(false);
	notifier_stop(fixture->notifier);
	while (!notifier_has_ended(fixture->notifier))
		wait_a_moment();
	notifier_free(fixture->notifier);
	record_unref(fixture->record);
	record_unref(fixture->successor);
	return 0;
}

static uint64_t name_number(const struct record *record)
{
	return node_pack(
	        view_field_node(SLOT, record_child(record, record_member(record, 0), "name", 4)));
}

static uint64_t counter(struct fixture *fixture, const char *name)
{
	cleanup(buffer_fini) struct buffer text;
	char *place;

	buffer_init(&text, 1 << 20);
	assert_int_equal(metrics_print(&fixture->metrics, &text), 0);
	place = strstr(text.data, name);
	assert_non_null(place);
	place = strstr(strstr(strchr(place, '\n') + 1, "\n"), name);
	return strtoull(place + strlen(name), NULL, 10);
}

static void test_a_push_stores_each_value_of_the_directory(void **state)
{
	struct fixture *fixture = *state;

	notifier_push(fixture->notifier, SLOT, fixture->record, 0);
	while (counter(fixture, "kapturefs_pushed_pages_total ") < 4)
		wait_a_moment();
	assert_int_equal(stores_of(name_number(fixture->record)), 1);
	assert_int_equal(counter(fixture, "kapturefs_pushed_pages_total "), 4);
}

static void test_a_change_expires_attributes_at_once_and_drops_pages_later(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = name_number(fixture->record);
	bool is_expired = false;

	hold(true);
	notifier_answer_changed(fixture->notifier, &fixture->change);
	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count; i++)
		is_expired |= kernel.calls[i].offset < 0 && kernel.calls[i].number == number;
	pthread_mutex_unlock(&kernel.lock);
	assert_true(is_expired);
	assert_int_equal(drop_of(number), -1);
	hold(false);
	wait_for_drop(number);
}

static void test_only_what_changed_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	const struct member *root = record_member(fixture->record, 0);
	const struct member *id = record_child(fixture->record, root, "id", 2);
	uint64_t json = node_pack(view_json_node(SLOT, fixture->record));

	notifier_answer_changed(fixture->notifier, &fixture->change);
	wait_for_drop(json);
	assert_int_not_equal(drop_of(name_number(fixture->record)), -1);
	assert_int_equal(drop_of(node_pack(view_field_node(SLOT, id))), -1);
}

static void test_a_change_takes_waiting_pushes_back_and_has_the_last_word(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = name_number(fixture->record);

	hold(true);
	notifier_push(fixture->notifier, SLOT, fixture->record, 0);
	wait_until_held();
	for (int i = 0; i < 100; i++)
		notifier_push(fixture->notifier, SLOT, fixture->record, 0);
	notifier_answer_changed(fixture->notifier, &fixture->change);
	hold(false);
	wait_for_drop(number);

	/* The one that was under way could not be stopped; none of the others happened. */
	assert_int_equal(stores_of(number), 1);
	assert_true(first_store_of(number) < drop_of(number));
}

static void test_at_the_limit_pushes_are_dropped_and_nobody_waits(void **state)
{
	struct fixture *fixture = *state;

	hold(true);
	notifier_push(fixture->notifier, SLOT, fixture->record, 0);
	wait_until_held();
	for (int i = 0; i < 2 * QUEUE_MAX; i++)
		notifier_push(fixture->notifier, SLOT + 1, fixture->record, 0);
	assert_int_equal(counter(fixture, "kapturefs_dropped_pushes_total "), QUEUE_MAX);

	/* A change finds room all the same. */
	notifier_answer_changed(fixture->notifier, &fixture->change);
	assert_int_equal(counter(fixture, "kapturefs_dropped_changes_total "), 0);
}

static uint64_t directory_number(uint32_t key)
{
	return node_pack(node_of(NODE_DIRECTORY, key, 0));
}

static void tell_at_once(struct fixture *fixture)
{
	static uint32_t keys[] = { KEY, KEY + 1 };

	fixture->change.at_once = true;
	fixture->change.keys = keys;
	fixture->change.key_count = array_length(keys);
	notifier_answer_changed(fixture->notifier, &fixture->change);
}

static void wait_until_told(struct fixture *fixture)
{
	while (!notifier_has_told(fixture->notifier, notifier_last(fixture->notifier)))
		wait_a_moment();
}

static void test_what_is_to_be_seen_at_once_drops_names_under_every_key(void **state)
{
	struct fixture *fixture = *state;

	tell_at_once(fixture);
	wait_until_told(fixture);
	assert_int_equal(names_dropped(directory_number(KEY), "name"), 1);
	assert_int_equal(names_dropped(directory_number(KEY + 1), "name"), 1);
	assert_int_not_equal(drop_of(name_number(fixture->record)), -1);
	assert_int_not_equal(drop_of(node_pack(node_of(NODE_META, KEY, 0))), -1);
}

static void test_ordinary_changes_drop_no_names(void **state)
{
	struct fixture *fixture = *state;

	notifier_answer_changed(fixture->notifier, &fixture->change);
	wait_for_drop(node_pack(view_json_node(SLOT, fixture->record)));
	assert_int_equal(names_dropped(directory_number(KEY), "name"), 0);
}

static void test_of_the_forgotten_everything_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	const struct member *member;

	fixture->change.customer.record = NULL;
	tell_at_once(fixture);
	wait_until_told(fixture);
	for (uint32_t i = 1; (member = record_member(fixture->record, i)); i++) {
		if (member_is_directory(member))
			continue;
		assert_int_not_equal(drop_of(node_pack(view_field_node(SLOT, member))), -1);
		if (member->parent == 0)
			assert_int_equal(names_dropped(directory_number(KEY), member->name), 1);
	}
	for (uint32_t kind = 0; kind < KEY_KINDS; kind++)
		assert_int_not_equal(drop_of(node_pack(node_of(NODE_KEYS, kind + 1, 0))), -1);
}

static void test_it_is_told_only_when_it_is_done_and_goes_before_all_others(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = name_number(fixture->record);

	assert_true(notifier_has_told(fixture->notifier, notifier_last(fixture->notifier)));
	hold(true);
	notifier_push(fixture->notifier, SLOT + 1, fixture->record, 0);
	wait_until_held();
	notifier_push(fixture->notifier, SLOT, fixture->record, 0);
	for (int i = 0; i < 2 * QUEUE_MAX; i++)
		notifier_push(fixture->notifier, SLOT + 2, fixture->record, 0);
	tell_at_once(fixture);
	assert_false(notifier_has_told(fixture->notifier, notifier_last(fixture->notifier)));
	hold(false);
	wait_until_told(fixture);
	/* The queue was full, and this customer's push was taken back. */
	assert_int_equal(stores_of(number), 0);
	assert_int_equal(counter(fixture, "kapturefs_dropped_changes_total "), 0);
}

static void test_both_threads_at_full_speed(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 300; i++) {
		notifier_push(fixture->notifier, SLOT, fixture->record, 0);
		if (i % 3 == 0)
			notifier_answer_changed(fixture->notifier, &fixture->change);
		if (i % 7 == 0)
			tell_at_once(fixture);
		fixture->change.at_once = false;
		(void)notifier_has_told(fixture->notifier, notifier_last(fixture->notifier));
	}
	wait_until_told(fixture);
	wait_for_calls(100);
	wait_for_drop(name_number(fixture->record));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_push_stores_each_value_of_the_directory),
		TEST(test_a_change_expires_attributes_at_once_and_drops_pages_later),
		TEST(test_only_what_changed_is_dropped),
		TEST(test_a_change_takes_waiting_pushes_back_and_has_the_last_word),
		TEST(test_at_the_limit_pushes_are_dropped_and_nobody_waits),
		TEST(test_what_is_to_be_seen_at_once_drops_names_under_every_key),
		TEST(test_ordinary_changes_drop_no_names),
		TEST(test_of_the_forgotten_everything_is_dropped),
		TEST(test_it_is_told_only_when_it_is_done_and_goes_before_all_others),
		TEST(test_both_threads_at_full_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
