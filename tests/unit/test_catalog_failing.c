/* SPDX-License-Identifier: MIT */
/* What a catalog asks, and does not ask, of a source that fails. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "catalog_orders.h"

static void fail_with(struct fixture *fixture, int error, bool may_pass)
{
	fixture->script.done(fixture->script.userdata,
	                     &(struct source_answer){ .error = error, .may_pass = may_pass });
}

static int look(struct fixture *fixture, const struct key *key)
{
	const struct catalog_question question = ask(fixture);

	return find(fixture, key, &question);
}

static void test_after_a_failure_the_old_answer_is_found_without_asking(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "555");
	struct fixture *fixture = begin_expired(&usual, &phone);
	const struct catalog_question question = ask(fixture);
	struct waiter waiter;

	(void)state;
	assert_int_equal(look(fixture, &phone), CATALOG_MISSING);
	want(fixture, &phone, &waiter);
	fail_with(fixture, -EIO, true);
	assert_true(is_stale(fixture, &phone, &question));
	/* It is the customer who is left alone. */
	assert_true(is_stale(fixture, &id, &question));
	end(fixture);
}

static void test_a_failure_of_nobody_who_is_known_is_told_again(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct key other = make_key(KEY_ID, "43");
	struct fixture *fixture = begin(&usual);
	struct waiter waiter;

	(void)state;
	want(fixture, &id, &waiter);
	fail_with(fixture, -EPROTO, true);
	assert_int_equal(look(fixture, &id), -EPROTO);
	assert_int_equal(look(fixture, &other), CATALOG_MISSING);
	end(fixture);
}

static void test_beyond_max_stale_the_failure_is_told_again(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct catalog_settings settings = usual;
	struct fixture *fixture;
	struct waiter waiter;

	(void)state;
	settings.max_stale_ms = 0;
	fixture = begin_expired(&settings, &id);
	want(fixture, &id, &waiter);
	fail_with(fixture, -EHOSTUNREACH, true);
	assert_int_equal(look(fixture, &id), -EHOSTUNREACH);
	end(fixture);
}

static void test_a_day_is_left_alone(void **state)
{
	struct key day = make_key(KEY_DATE, "2020-02-29");
	struct fixture *fixture = begin(&usual);
	struct catalog_question question = ask(fixture);
	struct catalog_day found;
	struct waiter waiter;

	(void)state;
	want(fixture, &day, &waiter);
	fail_with(fixture, -EIO, true);
	assert_int_equal(catalog_find_day(fixture->catalog, &day, &question, &found), -EIO);
	end(fixture);
}

/* Whatever this is, it does not say that the API should not be asked. */
static void assert_asks_after(int error, bool may_pass, bool is_asked)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin(&usual);
	struct waiter waiter;

	fixture->script.is_asked = is_asked;
	want(fixture, &id, &waiter);
	fail_with(fixture, error, may_pass);
	assert_int_equal(waiter.result.error, error);
	assert_int_equal(look(fixture, &id), CATALOG_MISSING);
	end(fixture);
}

static void test_what_is_definite_or_ours_leaves_nothing_alone(void **state)
{
	(void)state;
	assert_asks_after(-EACCES, false, true);
	assert_asks_after(-ENOMEM, true, true);
	assert_asks_after(-EMFILE, true, true);
	/* Its turn never came. */
	assert_asks_after(-ETIMEDOUT, true, false);
}

static void test_an_answer_ends_the_row_of_failures(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin(&usual);
	struct waiter waiters[2];

	(void)state;
	want(fixture, &id, &waiters[0]);
	fail_with(fixture, -EIO, true);
	renew(fixture, &id, true, &waiters[1]);
	answer_customer(fixture, "42", "Asha");
	fixture->now_ms += (int64_t)usual.ttl_ms;
	assert_int_equal(look(fixture, &id), CATALOG_MISSING);
	end(fixture);
}

static void test_who_insists_is_asked_for_and_so_is_who_comes_then(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin(&usual);
	struct waiter waiters[2];

	(void)state;
	want(fixture, &id, &waiters[0]);
	fail_with(fixture, -EIO, true);
	assert_int_equal(look(fixture, &id), -EIO);
	renew(fixture, &id, false, &waiters[1]);
	assert_int_equal(fixture->script.started, 2);
	assert_int_equal(look(fixture, &id), CATALOG_MISSING);
	fail_with(fixture, -EIO, true);
	end(fixture);
}

static void test_another_epoch_asks_again(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin(&usual);
	struct waiter waiter;

	(void)state;
	want(fixture, &id, &waiter);
	fail_with(fixture, -EIO, true);
	assert_int_equal(look(fixture, &id), -EIO);
	fixture->script.epoch++;
	assert_int_equal(look(fixture, &id), CATALOG_MISSING);
	end(fixture);
}

static void test_a_closed_door_serves_nothing_old_of_who_is_left_alone(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &id);
	struct waiter waiter;

	(void)state;
	want(fixture, &id, &waiter);
	fail_with(fixture, -EIO, true);
	fixture->script.state = SOURCE_REFUSED;
	assert_int_equal(look(fixture, &id), -EACCES);
	end(fixture);
}

static void test_one_wait_is_enough_while_something_is_asked_about_a_customer(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "555");
	struct fixture *fixture = begin_expired(&usual, &phone);
	const struct catalog_question question = ask(fixture);
	struct waiter waiter;

	(void)state;
	want(fixture, &phone, &waiter);
	assert_true(is_stale(fixture, &phone, &question));
	assert_true(is_stale(fixture, &id, &question));
	answer_customer(fixture, "42", "Usha");
	assert_true(is_named(fixture, &phone, "Usha"));
	/* But who cannot be served waits for the same answer. */
	fixture->now_ms += (int64_t)(usual.ttl_ms + usual.max_stale_ms);
	want(fixture, &phone, &waiter);
	assert_int_equal(look(fixture, &id), CATALOG_MISSING);
	answer_customer(fixture, "42", "Asha");
	end(fixture);
}

/* Hurry */

static void test_nobody_waits_any_more_when_the_last_has_gone(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin(&usual);
	struct catalog_ticket *tickets[2];
	struct waiter waiter = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(tickets); i++)
		assert_int_equal(catalog_want(fixture->catalog, &id, waiter_called, &waiter,
		                              &tickets[i]),
		                 0);
	catalog_cancel(tickets[0]);
	assert_int_equal(fixture->script.hurry, SOURCE_IN_A_HURRY);
	catalog_cancel(tickets[1]);
	assert_int_equal(fixture->script.hurry, SOURCE_UNWAITED);
	/* Until somebody does again. */
	assert_int_equal(catalog_renew(fixture->catalog, &id, 0, true, waiter_called, &waiter,
	                               &tickets[0]),
	                 0);
	assert_int_equal(fixture->script.hurry, SOURCE_CAN_WAIT);
	want(fixture, &id, &waiter);
	assert_int_equal(fixture->script.hurry, SOURCE_IN_A_HURRY);
	assert_int_equal(fixture->script.started, 1);
	answer_customer(fixture, "42", "Asha");
	end(fixture);
}

static void test_nobody_waits_any_more_when_patience_is_over(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &id);
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &id, waiter_called, &waiter, &ticket), 0);
	assert_int_equal(fixture->script.hurry, SOURCE_IN_A_HURRY);
	wait_for(fixture, &waiter);
	assert_int_equal(fixture->script.hurry, SOURCE_UNWAITED);
	answer_customer(fixture, "42", "Asha");
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_a_failure_the_old_answer_is_found_without_asking),
		cmocka_unit_test(test_a_failure_of_nobody_who_is_known_is_told_again),
		cmocka_unit_test(test_beyond_max_stale_the_failure_is_told_again),
		cmocka_unit_test(test_a_day_is_left_alone),
		cmocka_unit_test(test_what_is_definite_or_ours_leaves_nothing_alone),
		cmocka_unit_test(test_an_answer_ends_the_row_of_failures),
		cmocka_unit_test(test_who_insists_is_asked_for_and_so_is_who_comes_then),
		cmocka_unit_test(test_another_epoch_asks_again),
		cmocka_unit_test(test_a_closed_door_serves_nothing_old_of_who_is_left_alone),
		cmocka_unit_test(test_one_wait_is_enough_while_something_is_asked_about_a_customer),
		cmocka_unit_test(test_nobody_waits_any_more_when_the_last_has_gone),
		cmocka_unit_test(test_nobody_waits_any_more_when_patience_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
