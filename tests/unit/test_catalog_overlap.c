/* SPDX-License-Identifier: MIT */
/* What a catalog makes of answers that come late; see answer_order.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "catalog_orders.h"

static void test_a_request_that_has_gone_out_is_overtaken_and_has_not_the_last_word(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct waiter early;
	struct waiter late;
	struct waiter joined;
	struct first first;

	(void)state;
	want(fixture, &key, &early);
	first = first_of(fixture);
	renew(fixture, &key, false, &late);
	assert_int_equal(fixture->script.started, 2);
	want(fixture, &key, &joined);
	assert_int_equal(fixture->script.started, 2);

	answer_customer(fixture, "42", "Usha");
	assert_int_equal(late.calls, 1);
	assert_int_equal(joined.calls, 1);
	assert_int_equal(early.calls, 0);
	answer_first(&first, "42", "Asha");
	assert_int_equal(early.calls, 1);
	assert_int_equal(early.result.error, 0);
	assert_true(is_named(fixture, &key, "Usha"));
	end(fixture);
}

static void test_who_insists_takes_no_earlier_answer_and_asks_once_more(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct waiter early;
	struct waiter late;
	struct first first;

	(void)state;
	want(fixture, &key, &early);
	first = first_of(fixture);
	renew(fixture, &key, false, &late);
	answer_first(&first, "42", "Asha");
	assert_int_equal(early.calls, 1);
	assert_int_equal(late.calls, 0);
	assert_true(is_named(fixture, &key, "Asha"));
	/* The API may have read this one before that; and that one, before the renewal came. */
	answer_customer(fixture, "42", "Maybe Usha");
	assert_int_equal(late.calls, 0);
	assert_true(is_named(fixture, &key, "Asha"));
	assert_int_equal(fixture->script.started, 3);
	answer_customer(fixture, "42", "Usha");
	assert_int_equal(late.calls, 1);
	assert_int_equal(late.result.error, 0);
	assert_true(is_named(fixture, &key, "Usha"));
	end(fixture);
}

static void test_who_insists_takes_an_answer_that_was_asked_for_later(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "555");
	struct waiter waiters[2];
	struct first first;
	struct told told;

	(void)state;
	renew(fixture, &id, false, &waiters[0]);
	first = first_of(fixture);
	want(fixture, &phone, &waiters[1]);
	answer_customer(fixture, "42", "Usha");
	listen_to(fixture, &told);
	answer_first(&first, "42", "Asha");
	assert_int_equal(waiters[0].calls, 1);
	assert_int_equal(waiters[0].result.error, 0);
	assert_int_equal(fixture->script.started, 2);
	assert_true(is_named(fixture, &id, "Usha"));
	/* Now at the latest it is seen by everybody. */
	assert_true(told.at_once);
	assert_int_equal(told.key_count, 2);
	end(fixture);
}

static void test_who_insists_asks_once_more_and_no_more_than_once(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct waiter waiters[3];
	struct first firsts[2];

	(void)state;
	want(fixture, &key, &waiters[0]);
	firsts[0] = first_of(fixture);
	renew(fixture, &key, true, &waiters[1]);
	renew(fixture, &key, false, &waiters[1]);
	firsts[1] = first_of(fixture);
	answer_first(&firsts[0], "42", "Asha");
	answer_first(&firsts[1], "42", "Bela");
	/* The question that is asked once more is overtaken, too. */
	firsts[0] = first_of(fixture);
	renew(fixture, &key, false, &waiters[2]);
	answer_customer(fixture, "42", "Usha");
	answer_first(&firsts[0], "42", "Cara");
	assert_int_equal(waiters[1].result.error, 0);
	assert_int_equal(waiters[2].calls, 1);
	assert_int_equal(fixture->script.started, 4);
	assert_true(is_named(fixture, &key, "Usha"));
	end(fixture);
}

static void test_a_look_up_whose_answer_is_late_takes_what_is_there(void **state)
{
	struct catalog_settings settings = usual;
	struct fixture *fixture;
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "555");
	struct catalog_question question;
	struct waiter waiters[2];
	struct first first;

	(void)state;
	settings.ttl_ms = 0;
	fixture = begin(&settings);
	want(fixture, &id, &waiters[0]);
	first = first_of(fixture);
	want(fixture, &phone, &waiters[1]);
	answer_customer(fixture, "42", "Usha");
	/* Who joins now looks at an answer that was there before. */
	fixture->now_ms++;
	question = ask(fixture);
	fixture->now_ms++;
	answer_first(&first, "42", "Asha");
	question = ask_again(&question, &waiters[0]);
	assert_int_equal(find(fixture, &id, &question), 0);
	assert_int_equal(fixture->script.started, 2);
	end(fixture);
}

/* What was asked for before comes too late, by a key that was not known then. */
static void test_the_forgotten_is_not_brought_back_by_an_unknown_key(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct catalog_question question = ask(fixture);
	struct waiter waiters[2];
	struct first first;

	(void)state;
	want(fixture, &id, &waiters[0]);
	answer_customer(fixture, "42", "Asha");
	want(fixture, &phone, &waiters[1]);
	first = first_of(fixture);
	assert_int_equal(catalog_forget(fixture->catalog, &id), 0);
	answer_first(&first, "42", "Asha");
	assert_int_equal(waiters[1].calls, 0);
	assert_int_equal(find(fixture, &id, &question), CATALOG_MISSING);
	assert_int_equal(find(fixture, &phone, &question), CATALOG_MISSING);
	/* It is asked once more for who waits, and that is after the forgetting. */
	assert_int_equal(fixture->script.started, 3);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(waiters[1].result.error, 0);
	assert_int_equal(find(fixture, &id, &question), 0);
	end(fixture);
}

static void test_nobody_waits_for_the_forgotten_and_it_stays_so(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct catalog_question question = ask(fixture);
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &phone, waiter_called, &waiter, &ticket),
	                 0);
	catalog_cancel(ticket);
	/* Nothing is known of it; that is no reason. */
	assert_int_equal(catalog_forget(fixture->catalog, &id), CATALOG_MISSING);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(find(fixture, &id, &question), CATALOG_MISSING);
	assert_int_equal(find(fixture, &phone, &question), CATALOG_MISSING);
	assert_int_equal(fixture->script.started, 1);
	end(fixture);
}

static void test_a_day_does_not_bring_back_the_forgotten(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key day = make_key(KEY_DATE, "2020-02-29");
	struct key id = make_key(KEY_ID, "42");
	struct roster roster = { 0 };
	struct catalog_question question = ask(fixture);
	struct catalog_day found;
	struct waiter waiter;

	(void)state;
	assert_int_equal(roster_add(&roster, "41"), 0);
	assert_int_equal(roster_add(&roster, "42"), 0);
	want(fixture, &day, &waiter);
	assert_int_equal(catalog_forget(fixture->catalog, &id), CATALOG_MISSING);
	fixture->script.done(fixture->script.userdata,
	                     &(struct source_answer){ .roster = &roster });
	assert_int_equal(waiter.calls, 0);
	assert_int_equal(catalog_find_day(fixture->catalog, &day, &question, &found),
	                 CATALOG_MISSING);
	assert_int_equal(fixture->script.started, 2);
	fixture->script.done(fixture->script.userdata,
	                     &(struct source_answer){ .roster = &roster });
	assert_int_equal(waiter.result.error, 0);
	assert_int_equal(catalog_find_day(fixture->catalog, &day, &question, &found), 0);
	roster_fini(&roster);
	end(fixture);
}

static void test_an_absence_that_is_late_removes_nothing(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	struct waiter waiters[2];
	struct first first;

	(void)state;
	want(fixture, &phone, &waiters[0]);
	first = first_of(fixture);
	want(fixture, &id, &waiters[1]);
	answer_first(&first, "42", "Asha");
	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .error = 0 });
	assert_int_equal(waiters[1].result.error, 0);
	assert_true(is_named(fixture, &id, "Asha"));
	assert_true(is_named(fixture, &phone, "Asha"));
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        test_a_request_that_has_gone_out_is_overtaken_and_has_not_the_last_word),
		cmocka_unit_test(test_who_insists_takes_no_earlier_answer_and_asks_once_more),
		cmocka_unit_test(test_who_insists_takes_an_answer_that_was_asked_for_later),
		cmocka_unit_test(test_who_insists_asks_once_more_and_no_more_than_once),
		cmocka_unit_test(test_a_look_up_whose_answer_is_late_takes_what_is_there),
		cmocka_unit_test(test_the_forgotten_is_not_brought_back_by_an_unknown_key),
		cmocka_unit_test(test_nobody_waits_for_the_forgotten_and_it_stays_so),
		cmocka_unit_test(test_a_day_does_not_bring_back_the_forgotten),
		cmocka_unit_test(test_an_absence_that_is_late_removes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
