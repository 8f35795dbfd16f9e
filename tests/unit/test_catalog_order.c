/* SPDX-License-Identifier: MIT */
/* What a catalog does when it is told to: ask again, and forget. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "catalog_orders.h"

/* Asking again */

static void test_what_is_fresh_is_asked_for_all_the_same(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_PHONE, "555");
	struct waiter waiter;
	struct told told;

	(void)state;
	want(fixture, &key, &waiter);
	answer_customer(fixture, "42", "Asha");
	listen_to(fixture, &told);
	renew(fixture, &key, false, &waiter);
	assert_int_equal(fixture->script.started, 2);
	assert_int_equal(fixture->script.hurry, SOURCE_IN_A_HURRY);
	answer_customer(fixture, "42", "Usha");
	assert_int_equal(waiter.calls, 1);
	assert_int_equal(waiter.result.error, 0);
	assert_true(told.at_once);
	assert_int_equal(told.key_count, 2);
	assert_true(is_named(fixture, &key, "Usha"));
	end(fixture);
}

static void test_keys_are_told_even_if_nothing_changed(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_PHONE, "555");
	struct waiter waiter;
	struct told told;

	(void)state;
	want(fixture, &key, &waiter);
	answer_customer(fixture, "42", "Asha");
	listen_to(fixture, &told);
	renew(fixture, &key, false, &waiter);
	answer_customer(fixture, "42", "Asha");
	assert_true(told.at_once);
	assert_true(told.has_previous);
	assert_int_equal(told.key_count, 2);
	end(fixture);
}

static void test_an_ordinary_answer_is_in_no_hurry(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct waiter waiter;
	struct told told;

	(void)state;
	listen_to(fixture, &told);
	want(fixture, &key, &waiter);
	answer_customer(fixture, "42", "Asha");
	assert_false(told.at_once);
	renew(fixture, &key, true, &waiter);
	assert_int_equal(fixture->script.hurry, SOURCE_CAN_WAIT);
	answer_customer(fixture, "42", "Usha");
	assert_false(told.at_once);
	assert_int_equal(told.count, 2);
	end(fixture);
}

static void test_a_request_that_has_not_gone_out_is_joined(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct waiter early;
	struct waiter late;
	struct told told;

	(void)state;
	listen_to(fixture, &told);
	fixture->script.is_asked = false;
	want(fixture, &key, &early);
	renew(fixture, &key, false, &late);
	assert_int_equal(fixture->script.started, 1);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(early.calls + late.calls, 2);
	assert_true(told.at_once);
	end(fixture);
}

static void test_who_can_wait_joins_whatever_is_under_way(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct waiter early;
	struct waiter late;

	(void)state;
	want(fixture, &key, &early);
	renew(fixture, &key, true, &late);
	assert_int_equal(fixture->script.started, 1);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(late.calls, 1);
	end(fixture);
}

static void test_a_renewal_that_fails_leaves_the_old_answer_in_doubt(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_question question;
	struct waiter waiter;

	(void)state;
	want(fixture, &key, &waiter);
	answer_customer(fixture, "42", "Asha");
	renew(fixture, &key, false, &waiter);
	fixture->script.done(fixture->script.userdata,
	                     &(struct source_answer){ .error = -EIO, .may_pass = true });
	assert_int_equal(waiter.result.error, -EIO);
	/* For want of a better one it is served, but not as fresh; and is left alone. */
	question = ask(fixture);
	assert_true(is_stale(fixture, &key, &question));
	fixture->script.epoch++;
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	end(fixture);
}

static void test_nobody_is_asked_offline(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };
	struct fixture *fixture;

	(void)state;
	settings.offline = true;
	fixture = begin(&settings);
	assert_int_equal(catalog_renew(fixture->catalog, &key, 0, false, waiter_called, &waiter,
	                               &ticket),
	                 -ENETDOWN);
	assert_int_equal(fixture->script.started, 0);
	end(fixture);
}

static void test_looking_tells_what_is_known_however_old(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct key absent = make_key(KEY_ID, "43");
	struct cache_key known;
	struct waiter waiter;

	(void)state;
	assert_int_equal(catalog_peek(fixture->catalog, &key, &known), CATALOG_MISSING);
	want(fixture, &key, &waiter);
	answer_customer(fixture, "42", "Asha");
	want(fixture, &absent, &waiter);
	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .error = 0 });
	fixture->now_ms += INT64_C(1) << 40;
	assert_int_equal(catalog_peek(fixture->catalog, &key, &known), 0);
	assert_int_equal(fixture->now_ms - known.fetched_ms, INT64_C(1) << 40);
	assert_int_equal(catalog_peek(fixture->catalog, &absent, &known), CATALOG_ABSENT);
	assert_int_equal(fixture->now_ms - known.fetched_ms, INT64_C(1) << 40);
	end(fixture);
}

/* Forgetting */

static void test_a_customer_is_forgotten_under_every_key(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct catalog_question question;
	struct waiter waiter;
	struct told told;

	(void)state;
	want(fixture, &phone, &waiter);
	answer_customer(fixture, "42", "Asha");
	listen_to(fixture, &told);
	assert_int_equal(catalog_forget(fixture->catalog, &id), 0);
	assert_int_equal(told.count, 1);
	assert_true(told.at_once);
	assert_true(told.has_previous);
	assert_false(told.has_record);
	assert_int_equal(told.key_count, 2);
	question = ask(fixture);
	assert_int_equal(find(fixture, &phone, &question), CATALOG_MISSING);
	assert_int_equal(find(fixture, &id, &question), CATALOG_MISSING);
	assert_int_equal(catalog_forget(fixture->catalog, &id), CATALOG_MISSING);
	assert_int_equal(told.count, 1);
	end(fixture);
}

static void test_an_absence_is_forgotten(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key id = make_key(KEY_ID, "42");
	struct catalog_question question;
	struct waiter waiter;

	(void)state;
	want(fixture, &id, &waiter);
	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .error = 0 });
	question = ask(fixture);
	assert_int_equal(find(fixture, &id, &question), CATALOG_ABSENT);
	assert_int_equal(catalog_forget(fixture->catalog, &id), 0);
	assert_int_equal(find(fixture, &id, &question), CATALOG_MISSING);
	end(fixture);
}

static void test_what_is_under_way_for_the_forgotten_comes_to_nothing(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct key other = make_key(KEY_ID, "43");
	struct waiter waiters[3];

	(void)state;
	want(fixture, &phone, &waiters[0]);
	answer_customer(fixture, "42", "Asha");
	renew(fixture, &phone, false, &waiters[0]);
	renew(fixture, &id, false, &waiters[1]);
	want(fixture, &other, &waiters[2]);
	assert_int_equal(catalog_forget(fixture->catalog, &id), 0);

	/* Who waited asks again; the source is asked for nobody but the other. */
	assert_int_equal(waiters[0].result.error, -ESTALE);
	assert_int_equal(waiters[1].result.error, -ESTALE);
	assert_int_equal(waiters[2].calls, 0);
	assert_int_equal(fixture->script.started - fixture->script.freed, 1);
	answer_customer(fixture, "43", "Bela");
	assert_int_equal(waiters[2].result.error, 0);
	end(fixture);
}

static void test_a_first_question_about_the_forgotten_comes_to_nothing(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key id = make_key(KEY_ID, "42");
	struct waiter waiter;

	(void)state;
	want(fixture, &id, &waiter);
	assert_int_equal(catalog_forget(fixture->catalog, &id), CATALOG_MISSING);
	assert_int_equal(waiter.result.error, -ESTALE);
	assert_int_equal(fixture->script.started, fixture->script.freed);
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_fresh_is_asked_for_all_the_same),
		cmocka_unit_test(test_keys_are_told_even_if_nothing_changed),
		cmocka_unit_test(test_an_ordinary_answer_is_in_no_hurry),
		cmocka_unit_test(test_a_request_that_has_not_gone_out_is_joined),
		cmocka_unit_test(test_who_can_wait_joins_whatever_is_under_way),
		cmocka_unit_test(test_a_renewal_that_fails_leaves_the_old_answer_in_doubt),
		cmocka_unit_test(test_nobody_is_asked_offline),
		cmocka_unit_test(test_looking_tells_what_is_known_however_old),
		cmocka_unit_test(test_a_customer_is_forgotten_under_every_key),
		cmocka_unit_test(test_an_absence_is_forgotten),
		cmocka_unit_test(test_what_is_under_way_for_the_forgotten_comes_to_nothing),
		cmocka_unit_test(test_a_first_question_about_the_forgotten_comes_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
