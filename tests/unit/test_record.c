/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/node.h"
#include "records.h"

/* A customer whose answers come one after the other. */
struct history {
	struct record *record;
	int64_t now_ms;
	bool changed; /* by the last answer */
};

static void answer(struct history *history, const char *json)
{
	struct record *fresh = make_record(json);

	history->now_ms += 1000;
	assert_int_equal(record_settle(fresh, history->record,
	                               &(struct record_moment){ .now_ms = history->now_ms },
	                               &history->changed),
	                 0);
	assert_sound(fresh);
	record_unref(history->record);
	history->record = fresh;
}

static struct history begin(const char *json)
{
	struct history history = { 0 };

	answer(&history, json);
	return history;
}

static void end(struct history *history)
{
	record_unref(history->record);
}

static uint32_t ordinal_of(const struct history *history, const char *path)
{
	return get_member(history->record, path)->ordinal;
}

/* The members at the paths have changed with the last answer, and no others. */
static void assert_changed(const struct history *history, const char *const *paths, size_t count)
{
	size_t found = 0;
	const struct member *member;

	assert_int_equal(history->changed, count > 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(get_member(history->record, paths[i])->changed_ms,
		                 history->now_ms);
	for (uint32_t i = 0; (member = record_member(history->record, i)); i++)
		found += member->changed_ms == history->now_ms;
	assert_int_equal(found, count);
}

#define assert_only_changed(history, ...)                                                          \
	do {                                                                                       \
		static const char *const paths_[] = { __VA_ARGS__ };                               \
		assert_changed(history, paths_, array_length(paths_));                             \
	} while (0)

static void assert_nothing_changed(const struct history *history)
{
	assert_changed(history, NULL, 0);
}

/* Reading */

static void test_a_fresh_record_is_in_the_order_of_the_answer(void **state)
{
	static const char *const names[] = { "", "z", "id", "a", "c", "y", "x", "0", "1", "w" };
	struct record *record =
	        make_record("{\"z\":{\"y\":1,\"x\":2},\"id\":7,\"a\":[[],{\"w\":0}],\"c\":3}");

	(void)state;
	assert_int_equal(record_member_count(record), array_length(names));
	for (uint32_t i = 0; i < array_length(names); i++) {
		assert_string_equal(record_member(record, i)->name, names[i]);
		assert_int_equal(record_member(record, i)->ordinal, i);
		assert_int_equal(record_member(record, i)->changed_ms, 0);
	}
	assert_int_equal(record_next_ordinal(record), array_length(names));
	assert_sound(record);
	record_unref(record);
}

static void test_a_child_is_found_by_its_whole_name_only(void **state)
{
	struct record *record = make_record("{\"id\":7,\"name\":1,\"nam\":2,\"o\":{\"x\":3}}");
	const struct member *root = record_member(record, 0);

	(void)state;
	assert_string_equal(record_child(record, root, "name", 4)->value, "1\n");
	assert_string_equal(record_child(record, root, "name", 3)->value, "2\n");
	assert_null(record_child(record, root, "name", 2));
	assert_null(record_child(record, root, "Name", 4));
	assert_null(record_child(record, root, "x", 1));
	assert_null(record_child(record, root, "", 0));
	assert_null(record_child(record, get_member(record, "name"), "x", 1));
	record_unref(record);
}

static void test_a_directory_is_listed_from_any_ordinal_on(void **state)
{
	struct record *record = make_record("{\"id\":7,\"a\":1,\"b\":[],\"c\":{\"d\":2}}");
	const struct member *root = record_member(record, 0);

	(void)state;
	assert_string_equal(record_child_after(record, root, 0)->name, "id");
	assert_string_equal(record_child_after(record, root, 2)->name, "b");
	assert_null(record_child_after(record, root, 4));
	assert_null(record_child_after(record, root, UINT32_MAX));
	assert_null(record_child_after(record, get_member(record, "b"), 0));
	assert_string_equal(record_child_after(record, get_member(record, "c"), 4)->name, "d");
	assert_string_equal(record_sibling(record, get_member(record, "id"))->name, "a");
	assert_null(record_sibling(record, get_member(record, "c")));
	record_unref(record);
}

static void test_a_record_lives_as_long_as_its_last_reference(void **state)
{
	struct record *record = make_record("{\"id\":7}");
	struct record *reference = record_ref(record);

	(void)state;
	record_unref(record);
	assert_string_equal(record_id(reference), "7");
	record_unref(reference);
	record_unref(NULL);
}

static void test_the_footprint_counts_all_text(void **state)
{
	struct record *small = make_record("{\"id\":7}");
	struct record *large = make_record("{\"id\":7,\"a\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}");

	(void)state;
	/* One more member, and its value twice: as it is, and in the JSON. */
	assert_true(record_footprint(large) >=
	            record_footprint(small) + sizeof(struct member) + 2 * strlen("x") * 32);
	record_unref(small);
	record_unref(large);
}

static void assert_primary(const char *contacts, const char *expected)
{
	struct record *record;
	char json[512];

	snprintf(json, sizeof(json), "{\"id\":7,\"contacts\":%s}", contacts);
	record = make_record(json);
	if (expected)
		assert_string_equal(record_primary_contact(record)->name, expected);
	else
		assert_null(record_primary_contact(record));
	record_unref(record);
}

static void test_the_primary_contact_is_the_first_that_says_true(void **state)
{
	(void)state;
	assert_primary("[{\"id\":1,\"isPrimaryContact\":false},"
	               "{\"id\":3,\"isPrimaryContact\":true},{\"id\":2,\"isPrimaryContact\":true}]",
	               "3");
	assert_primary("[{\"isPrimaryContact\":true}]", "0");
	assert_primary("[1,{\"id\":1,\"isPrimaryContact\":true}]", "1");
	assert_primary("[{\"id\":1,\"isPrimaryContact\":true,\"isPrimaryContact\":false}]", NULL);
	assert_primary(
	        "[{\"id\":1,\"isPrimaryContact\":\"true\"},{\"id\":2,\"isprimarycontact\":true},"
	        "{\"id\":3,\"isPrimaryContact\":1},{\"id\":4,\"isPrimaryContact\":[true]}]",
	        NULL);
	assert_primary("[]", NULL);
	assert_primary("null", NULL);
	assert_primary("{\"a\":{\"isPrimaryContact\":true}}", NULL);
}

static void test_contacts_are_an_array(void **state)
{
	struct record *with = make_record("{\"a\":1,\"id\":7,\"contacts\":[]}");
	struct record *without = make_record("{\"id\":7,\"contacts\":{}}");

	(void)state;
	assert_ptr_equal(record_contacts(with), get_member(with, "contacts"));
	assert_null(record_contacts(without));
	record_unref(with);
	record_unref(without);
}

/* Settling */

static void test_a_customer_never_seen_has_changed_now(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":{\"b\":1},\"c\":[]}");

	(void)state;
	assert_only_changed(&history, "", "id", "a", "a/b", "c");
	assert_int_equal(ordinal_of(&history, "a/b"), 4);
	assert_int_equal(record_next_ordinal(history.record), 5);
	end(&history);
}

static void test_an_answer_that_says_the_same_changes_nothing(void **state)
{
	static const char json[] =
	        "{\"id\":7,\"a\":{\"b\":1,\"c\":\"x\"},\"d\":[{\"id\":1},{\"id\":2}]}";
	struct history history = begin(json);

	(void)state;
	answer(&history, json);
	assert_nothing_changed(&history);
	answer(&history,
	       " {\"d\":[{\"id\":1},{\"id\":2}],\"a\":{\"c\":\"\\u0078\",\"b\":1},\"id\":7}");
	assert_nothing_changed(&history);
	assert_int_equal(ordinal_of(&history, "id"), 1);
	assert_int_equal(ordinal_of(&history, "a"), 2);
	assert_int_equal(ordinal_of(&history, "d"), 3);
	assert_int_equal(record_next_ordinal(history.record), 10);
	end(&history);
}

static void test_a_changed_value_changes_its_time_and_those_above(void **state)
{
	struct history history =
	        begin("{\"id\":7,\"a\":{\"b\":{\"c\":1,\"d\":2}},\"e\":{\"c\":1}}");
	uint32_t ordinal = ordinal_of(&history, "a/b/c");

	(void)state;
	answer(&history, "{\"id\":7,\"a\":{\"b\":{\"c\":9,\"d\":2}},\"e\":{\"c\":1}}");
	assert_only_changed(&history, "", "a", "a/b", "a/b/c");
	assert_int_equal(ordinal_of(&history, "a/b/c"), ordinal);
	answer(&history, "{\"id\":7,\"a\":{\"b\":{\"c\":\"9\",\"d\":2}},\"e\":{\"c\":1}}");
	/* Another type, in the same bytes. */
	assert_only_changed(&history, "", "a", "a/b");
	assert_int_equal(ordinal_of(&history, "a/b/c"), ordinal);
	answer(&history, "{\"id\":7,\"a\":{\"b\":{\"c\":\"9\",\"d\":2.0}},\"e\":{\"c\":1}}");
	assert_only_changed(&history, "", "a", "a/b", "a/b/d");
	end(&history);
}

static void test_another_type_in_the_same_bytes_is_the_same_file_and_another_customer(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":\"\",\"b\":true,\"c\":null}");
	uint32_t changes = get_member(history.record, "a")->changes;

	(void)state;
	answer(&history, "{\"id\":7,\"a\":null,\"b\":\"true\",\"c\":null}");
	assert_only_changed(&history, "");
	assert_int_equal(get_member(history.record, "a")->changes, changes);
	end(&history);
}

static void test_elements_with_ids_that_come_in_another_order_change_their_array(void **state)
{
	struct history history = begin("{\"id\":7,\"d\":[{\"id\":1},{\"id\":2},{\"id\":3}]}");

	(void)state;
	answer(&history, "{\"d\":[{\"id\":2},{\"id\":1},{\"id\":3}],\"id\":7}");
	assert_only_changed(&history, "", "d");
	answer(&history, "{\"d\":[{\"id\":2},{\"id\":1},{\"id\":3}],\"id\":7}");
	assert_nothing_changed(&history);
	end(&history);
}

/* The clock of a fast API, or one that was set back. */
static void test_a_change_is_another_version_and_later_whatever_the_clock_says(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":0}");
	uint16_t version = member_version(get_member(history.record, "a"));
	int64_t changed_ms = get_member(history.record, "a")->changed_ms;

	(void)state;
	for (uint32_t i = 1; i <= 3 * (NODE_VERSION_MAX + 1); i++) {
		char json[64];

		snprintf(json, sizeof(json), "{\"id\":7,\"a\":%u}", i);
		history.now_ms -= i % 3 ? 1000 : 5000;
		answer(&history, json);
		assert_int_not_equal(member_version(get_member(history.record, "a")), version);
		assert_true(get_member(history.record, "a")->changed_ms > changed_ms);
		version = member_version(get_member(history.record, "a"));
		changed_ms = get_member(history.record, "a")->changed_ms;
		assert_int_equal(member_generation(get_member(history.record, "a")),
		                 i / (NODE_VERSION_MAX + 1));
	}
	end(&history);
}

static bool is_low(void *userdata, uint32_t ordinal, uint16_t version)
{
	const uint32_t *shown = userdata;

	return ordinal == *shown && version < 100;
}

static void test_a_version_that_is_still_shown_is_passed_over(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":0,\"b\":0}");
	uint32_t shown = ordinal_of(&history, "a");
	const struct record_moment moment = { 9000, is_low, &shown };
	struct record *fresh = make_record("{\"id\":7,\"a\":1,\"b\":1}");
	bool changed;

	(void)state;
	assert_int_equal(record_settle(fresh, history.record, &moment, &changed), 0);
	assert_int_equal(member_version(get_member(fresh, "a")), 100);
	assert_int_equal(member_version(get_member(fresh, "b")), 1);
	record_unref(fresh);
	end(&history);
}

static void test_nothing_is_older_than_the_key_that_came(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":{\"b\":0}}");

	(void)state;
	record_raise(history.record, history.now_ms - 1);
	assert_int_equal(get_member(history.record, "a/b")->changed_ms, history.now_ms);
	record_raise(history.record, history.now_ms + 1);
	assert_int_equal(get_member(history.record, "")->changed_ms, history.now_ms + 1);
	assert_int_equal(get_member(history.record, "a/b")->changed_ms, history.now_ms + 1);
	assert_int_equal(get_member(history.record, "a/b")->changes, 0);
	end(&history);
}

static void test_a_new_member_gets_a_new_ordinal_and_an_old_one_does_not_come_back(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":1,\"b\":2}");

	(void)state;
	answer(&history, "{\"new\":0,\"id\":7,\"a\":1,\"b\":2}");
	assert_only_changed(&history, "", "new");
	assert_int_equal(ordinal_of(&history, "new"), 4);
	answer(&history, "{\"id\":7,\"b\":2}");
	assert_only_changed(&history, "");
	assert_int_equal(ordinal_of(&history, "b"), 3);
	assert_null(record_by_ordinal(history.record, 2));
	assert_null(record_by_ordinal(history.record, 4));
	answer(&history, "{\"a\":1,\"id\":7,\"b\":2,\"new\":0}");
	assert_only_changed(&history, "", "a", "new");
	assert_int_equal(ordinal_of(&history, "a"), 5);
	assert_int_equal(ordinal_of(&history, "new"), 6);
	assert_int_equal(record_next_ordinal(history.record), 7);
	end(&history);
}

static void test_a_member_that_becomes_a_directory_or_a_file_is_another(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":1,\"b\":{\"c\":2}}");

	(void)state;
	answer(&history, "{\"id\":7,\"a\":{\"d\":1},\"b\":2}");
	assert_only_changed(&history, "", "a", "a/d", "b");
	assert_int_equal(ordinal_of(&history, "a"), 5);
	assert_int_equal(ordinal_of(&history, "b"), 6);
	assert_int_equal(ordinal_of(&history, "a/d"), 7);
	answer(&history, "{\"id\":7,\"a\":1,\"b\":{\"c\":2}}");
	assert_int_equal(ordinal_of(&history, "a"), 8);
	assert_int_equal(ordinal_of(&history, "b"), 9);
	assert_int_equal(ordinal_of(&history, "b/c"), 10);
	end(&history);
}

static void test_an_object_that_becomes_an_array_is_the_same_directory(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":{\"0\":1}}");

	(void)state;
	answer(&history, "{\"id\":7,\"a\":[1]}");
	assert_only_changed(&history, "");
	assert_int_equal(ordinal_of(&history, "a/0"), 3);
	end(&history);
}

static void test_contacts_keep_their_ordinals_wherever_they_stand(void **state)
{
	struct history history =
	        begin("{\"id\":7,\"contacts\":[{\"id\":1,\"p\":\"a\"},{\"id\":2}]}");
	uint32_t first = ordinal_of(&history, "contacts/1");
	uint32_t phone = ordinal_of(&history, "contacts/1/p");

	(void)state;
	answer(&history,
	       "{\"x\":1,\"id\":7,\"contacts\":[{\"id\":3,\"isPrimaryContact\":true},{\"id\":2},"
	       "{\"id\":1,\"p\":\"a\",\"isPrimaryContact\":true}]}");
	assert_int_equal(ordinal_of(&history, "contacts/1"), first);
	assert_int_equal(ordinal_of(&history, "contacts/1/p"), phone);
	assert_only_changed(&history, "", "x", "contacts", "contacts/3", "contacts/3/id",
	                    "contacts/3/isPrimaryContact", "contacts/1",
	                    "contacts/1/isPrimaryContact");
	assert_string_equal(record_primary_contact(history.record)->name, "3");
	assert_ptr_equal(record_contacts(history.record), get_member(history.record, "contacts"));
	end(&history);
}

static void test_settling_again_begins_with_the_answer(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":1}");
	struct record *record = make_record("{\"b\":2,\"a\":1,\"id\":7}");
	bool changed;

	(void)state;
	assert_int_equal(record_settle(record, history.record,
	                               &(struct record_moment){ .now_ms = 2000 }, &changed),
	                 0);
	assert_int_equal(get_member(record, "b")->ordinal, 3);
	assert_int_equal(record_settle(record, NULL, &(struct record_moment){ .now_ms = 3000 },
	                               &changed),
	                 0);
	assert_int_equal(get_member(record, "b")->ordinal, 1);
	assert_int_equal(get_member(record, "a")->ordinal, 2);
	assert_int_equal(get_member(record, "id")->ordinal, 3);
	assert_sound(record);
	record_unref(record);
	end(&history);
}

static void test_an_array_that_shrinks_and_grows_keeps_what_stays(void **state)
{
	struct history history = begin("{\"id\":7,\"a\":[\"x\",\"y\",\"z\"]}");
	uint32_t first = ordinal_of(&history, "a/0");

	(void)state;
	answer(&history, "{\"id\":7,\"a\":[\"x\",\"y\"]}");
	assert_only_changed(&history, "", "a");
	answer(&history, "{\"id\":7,\"a\":[\"x\",\"w\",\"z\"]}");
	assert_only_changed(&history, "", "a", "a/1", "a/2");
	assert_int_equal(ordinal_of(&history, "a/0"), first);
	assert_int_equal(ordinal_of(&history, "a/1"), first + 1);
	assert_int_equal(ordinal_of(&history, "a/2"), first + 3);
	answer(&history, "{\"id\":7,\"a\":[]}");
	assert_only_changed(&history, "", "a");
	answer(&history, "{\"id\":7,\"a\":[]}");
	assert_nothing_changed(&history);
	end(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fresh_record_is_in_the_order_of_the_answer),
		cmocka_unit_test(test_a_child_is_found_by_its_whole_name_only),
		cmocka_unit_test(test_a_directory_is_listed_from_any_ordinal_on),
		cmocka_unit_test(test_a_record_lives_as_long_as_its_last_reference),
		cmocka_unit_test(test_the_footprint_counts_all_text),
		cmocka_unit_test(test_the_primary_contact_is_the_first_that_says_true),
		cmocka_unit_test(test_contacts_are_an_array),
		cmocka_unit_test(test_a_customer_never_seen_has_changed_now),
		cmocka_unit_test(test_an_answer_that_says_the_same_changes_nothing),
		cmocka_unit_test(test_a_changed_value_changes_its_time_and_those_above),
		cmocka_unit_test(
		        test_another_type_in_the_same_bytes_is_the_same_file_and_another_customer),
		cmocka_unit_test(
		        test_elements_with_ids_that_come_in_another_order_change_their_array),
		cmocka_unit_test(
		        test_a_change_is_another_version_and_later_whatever_the_clock_says),
		cmocka_unit_test(test_a_version_that_is_still_shown_is_passed_over),
		cmocka_unit_test(test_nothing_is_older_than_the_key_that_came),
		cmocka_unit_test(
		        test_a_new_member_gets_a_new_ordinal_and_an_old_one_does_not_come_back),
		cmocka_unit_test(test_a_member_that_becomes_a_directory_or_a_file_is_another),
		cmocka_unit_test(test_an_object_that_becomes_an_array_is_the_same_directory),
		cmocka_unit_test(test_contacts_keep_their_ordinals_wherever_they_stand),
		cmocka_unit_test(test_settling_again_begins_with_the_answer),
		cmocka_unit_test(test_an_array_that_shrinks_and_grows_keeps_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
