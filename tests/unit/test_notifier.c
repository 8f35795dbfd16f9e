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
#include "kapturefs/fs/notifier_parts.h"
#include "kapturefs/fs/view.h"

#define DIRECTORY_NOW "{\"id\":7,\"cmId\":1,\"name\":{\"first\":\"Asha\"}}"

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
	static uint32_t keys[] = { KEY, KEY + 1 };
	bool changed;

	kernel.count = 0;
	kernel.knows_nobody = false;
	fixture.record = make_customer("7", "1", "Asha");
	fixture.successor = make_customer("7", "1", "Bela");
	assert_int_equal(record_settle(fixture.record, NULL,
	                               &(struct record_moment){ .now_ms = 1000 }, &changed),
	                 0);
	assert_int_equal(record_settle(fixture.successor, fixture.record,
	                               &(struct record_moment){ .now_ms = 2000 }, &changed),
	                 0);
	fixture.change = (struct cache_change){
		.values = true,
		.customer = { .record = fixture.successor, .slot = SLOT },
		.previous = fixture.record,
		.keys = keys,
		.key_count = array_length(keys),
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

static unsigned times_expired(uint64_t number)
{
	unsigned count = 0;

	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count; i++)
		count += kernel.calls[i].offset < 0 && kernel.calls[i].number == number;
	pthread_mutex_unlock(&kernel.lock);
	return count;
}

static bool is_expired(uint64_t number)
{
	return times_expired(number) > 0;
}

static uint64_t directory_number(uint32_t key)
{
	return node_pack(node_of(NODE_DIRECTORY, key, 0));
}

/* Before it returns, and even while the threads wait for a page. */
static void test_a_change_expires_what_changed_under_every_key_and_nothing_else(void **state)
{
	struct fixture *fixture = *state;
	const struct member *root = record_member(fixture->record, 0);
	const struct member *id = record_child(fixture->record, root, "id", 2);

	hold(true);
	notifier_answer_changed(fixture->notifier, &fixture->change);
	assert_true(is_expired(name_number(fixture->record)));
	assert_true(is_expired(node_pack(view_json_node(SLOT, fixture->record))));
	assert_true(is_expired(directory_number(KEY)));
	assert_true(is_expired(directory_number(KEY + 1)));
	assert_true(is_expired(node_pack(node_of(NODE_META, KEY + 1, 0))));
	assert_false(is_expired(node_pack(view_field_node(SLOT, id))));
	assert_true(notifier_has_told(fixture->notifier, notifier_last(fixture->notifier)));
}

/* It may be about to know it, by a reply that is on its way. */
static void test_what_the_kernel_does_not_know_is_expired_once_more(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = name_number(fixture->record);

	kernel.knows_nobody = true;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	assert_int_equal(times_expired(number), 1);
	while (times_expired(number) < 2 || times_expired(directory_number(KEY + 1)) < 2)
		wait_a_moment();
}

static void test_what_it_does_not_know_has_its_links_counted_once(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = name_number(fixture->record);

	kernel.knows_nobody = true;
	fixture->change.values = false;
	fixture->change.links = true;
	fixture->change.customer.record = fixture->record;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	notifier_expire_later(fixture->notifier, 1);
	while (times_expired(1) < 1)
		wait_a_moment();
	assert_int_equal(times_expired(number), 1);
}

static void test_no_more_is_to_be_expired_once_more_than_there_is_room_for(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = name_number(fixture->record);

	kernel.knows_nobody = true;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	for (uint64_t other = 1; other <= UNKNOWN_MAX; other++)
		notifier_expire_later(fixture->notifier, other);
	while (times_expired(UNKNOWN_MAX) < 1)
		wait_a_moment();
	assert_int_equal(times_expired(number), 1);
}

static void test_who_is_new_is_told_of_in_listings_alone(void **state)
{
	struct fixture *fixture = *state;

	fixture->change.previous = NULL;
	fixture->change.values = false;
	fixture->change.listing[KEY_ID] = true;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	assert_true(is_expired(node_pack(node_of(NODE_KEYS, KEY_ID + 1, 0))));
	assert_false(is_expired(node_pack(node_of(NODE_META, KEY, 0))));
	assert_false(is_expired(directory_number(KEY)));
}

static void test_another_number_of_links_expires_all_values(void **state)
{
	struct fixture *fixture = *state;
	const struct member *member;

	fixture->change.values = false;
	fixture->change.links = true;
	fixture->change.customer.record = fixture->record;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	for (uint32_t i = 1; (member = record_member(fixture->record, i)); i++) {
		if (!member_is_directory(member))
			assert_true(is_expired(node_pack(view_field_node(SLOT, member))));
	}
	assert_false(is_expired(directory_number(KEY)));
}

static void test_other_times_expire_all_there_is(void **state)
{
	struct fixture *fixture = *state;
	const struct member *root = record_member(fixture->successor, 0);

	fixture->change.values = false;
	fixture->change.times = true;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	assert_true(is_expired(
	        node_pack(view_field_node(SLOT, record_child(fixture->successor, root, "id", 2)))));
	assert_true(is_expired(directory_number(KEY + 1)));
}

static void test_who_loses_a_key_is_expired_too(void **state)
{
	struct fixture *fixture = *state;
	const struct member *root = record_member(fixture->successor, 0);
	const struct member *name = record_child(fixture->successor, root, "name", 4);

	fixture->change.values = false;
	fixture->change.other =
	        (struct cache_customer){ .record = fixture->successor, .slot = SLOT + 1 };
	notifier_answer_changed(fixture->notifier, &fixture->change);
	assert_true(is_expired(node_pack(view_field_node(SLOT + 1, name))));
	assert_true(is_expired(directory_number(KEY)));
}

static void test_other_rules_expire_all_there_is(void **state)
{
	struct fixture *fixture = *state;
	const struct member *member;

	fixture->change.values = false;
	fixture->change.rules = true;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	for (uint32_t i = 1; (member = record_member(fixture->successor, i)); i++) {
		if (!member_is_directory(member))
			assert_true(is_expired(node_pack(view_field_node(SLOT, member))));
	}
	assert_true(is_expired(directory_number(KEY + 1)));
	assert_true(is_expired(node_pack(node_of(NODE_META, KEY, 0))));
}

static void wait_until_told(struct fixture *fixture)
{
	while (!notifier_has_told(fixture->notifier, notifier_last(fixture->notifier)))
		wait_a_moment();
}

static void forget(struct fixture *fixture)
{
	fixture->change.is_forgotten = true;
	fixture->change.customer.record = NULL;
	notifier_answer_changed(fixture->notifier, &fixture->change);
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

	/* A forgotten customer finds room all the same. */
	forget(fixture);
	assert_int_equal(counter(fixture, "kapturefs_dropped_changes_total "), 0);
}

/* Of a file in the middle of a path the kernel asks nothing. */
static void test_the_name_of_a_file_that_became_a_directory_is_dropped_under_every_key(void **state)
{
	struct fixture *fixture = *state;
	struct record *successor;
	bool changed;

	assert_int_equal(payload_read_customer(DIRECTORY_NOW, strlen(DIRECTORY_NOW), &successor),
	                 0);
	assert_int_equal(record_settle(successor, fixture->record,
	                               &(struct record_moment){ .now_ms = 3000 }, &changed),
	                 0);
	fixture->change.customer.record = successor;
	notifier_answer_changed(fixture->notifier, &fixture->change);
	wait_until_told(fixture);
	assert_int_equal(names_dropped(directory_number(KEY), "name"), 1);
	assert_int_equal(names_dropped(directory_number(KEY + 1), "name"), 1);
	assert_int_equal(names_dropped(directory_number(KEY), "id"), 0);
	record_unref(successor);
}

static void test_other_changes_drop_no_names_and_no_pages(void **state)
{
	struct fixture *fixture = *state;

	notifier_answer_changed(fixture->notifier, &fixture->change);
	wait_until_told(fixture);
	assert_int_equal(names_dropped(directory_number(KEY), "name"), 0);
	assert_int_equal(drop_of(name_number(fixture->record)), -1);
}

static void test_of_the_forgotten_everything_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	const struct member *member;

	forget(fixture);
	wait_until_told(fixture);
	for (uint32_t i = 1; (member = record_member(fixture->record, i)); i++) {
		if (!member_is_directory(member))
			assert_int_not_equal(drop_of(node_pack(view_field_node(SLOT, member))), -1);
	}
	assert_int_not_equal(drop_of(node_pack(node_of(NODE_META, KEY, 0))), -1);
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
	forget(fixture);
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
			forget(fixture);
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
		TEST(test_a_change_expires_what_changed_under_every_key_and_nothing_else),
		TEST(test_what_the_kernel_does_not_know_is_expired_once_more),
		TEST(test_what_it_does_not_know_has_its_links_counted_once),
		TEST(test_no_more_is_to_be_expired_once_more_than_there_is_room_for),
		TEST(test_who_is_new_is_told_of_in_listings_alone),
		TEST(test_another_number_of_links_expires_all_values),
		TEST(test_other_times_expire_all_there_is),
		TEST(test_who_loses_a_key_is_expired_too),
		TEST(test_other_rules_expire_all_there_is),
		TEST(test_at_the_limit_pushes_are_dropped_and_nobody_waits),
		TEST(test_the_name_of_a_file_that_became_a_directory_is_dropped_under_every_key),
		TEST(test_other_changes_drop_no_names_and_no_pages),
		TEST(test_of_the_forgotten_everything_is_dropped),
		TEST(test_it_is_told_only_when_it_is_done_and_goes_before_all_others),
		TEST(test_both_threads_at_full_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
