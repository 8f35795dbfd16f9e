/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/store/share.h"
#include "scripted_http.h"

enum { RATE = 10000, BURST = 20 };

static struct shares begin_shares(void)
{
	struct shares shares;

	shares_init(&shares, RATE, BURST);
	return shares;
}

static void test_the_questions_of_one_caller_keep_their_order(void **state)
{
	struct shares shares = begin_shares();
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t place = shares_queue(&shares, 7, 0);

		assert_true(place > last);
		last = place;
	}
}

static void test_whoever_comes_late_comes_before_the_second_question_of_a_crowd(void **state)
{
	struct shares shares = begin_shares();
	uint64_t crowd[100];
	uint64_t late;

	(void)state;
	for (int i = 0; i < 100; i++)
		crowd[i] = shares_queue(&shares, 7, 0);
	shares_ask(&shares, 7, crowd[0], 0);
	assert_int_equal(shares_next_place(&shares, 8), shares.place + 1);
	late = shares_queue(&shares, 8, 0);
	assert_true(late <= crowd[1]);
	/* And has turns as often as the crowd from then on. */
	assert_true(shares_queue(&shares, 8, 0) <= crowd[2]);
	assert_int_equal(shares_next_place(&shares, 8), late + 2);
}

static void test_who_was_away_has_not_saved_up_turns(void **state)
{
	struct shares shares = begin_shares();

	(void)state;
	shares_ask(&shares, 8, shares_queue(&shares, 8, 0), 0);
	for (int i = 0; i < 50; i++)
		shares_ask(&shares, 7, shares_queue(&shares, 7, 0), 0);
	assert_int_equal(shares_queue(&shares, 8, 0), shares.place + 1);
}

static void test_who_had_more_than_half_leaves_a_quarter_alone(void **state)
{
	struct shares shares = begin_shares();

	(void)state;
	for (int i = 0; i < BURST / 2; i++) {
		assert_int_equal(shares_reserve(&shares, 7, 0), 0);
		shares_ask(&shares, 7, shares_queue(&shares, 7, 0), 0);
	}
	assert_int_equal(shares_reserve(&shares, 7, 0), BURST / 4);
	assert_int_equal(shares_reserve(&shares, 8, 0), 0);
	/* Half of ten a second is one in 200 ms. */
	assert_int_equal(shares_reserve(&shares, 7, 199), BURST / 4);
	assert_int_equal(shares_reserve(&shares, 7, 200), 0);
}

static void test_nobody_in_particular_leaves_nothing_alone(void **state)
{
	struct shares shares = begin_shares();

	(void)state;
	for (int i = 0; i < 100; i++)
		shares_ask(&shares, 0, shares_queue(&shares, 0, 0), 0);
	assert_int_equal(shares_reserve(&shares, 0, 0), 0);
}

static void test_who_asks_most_is_listed_first_for_a_minute(void **state)
{
	struct shares shares = begin_shares();
	struct share_count list[2];

	(void)state;
	for (uint64_t caller = 1; caller <= 3; caller++) {
		for (uint64_t i = 0; i < caller; i++)
			shares_ask(&shares, caller, shares_queue(&shares, caller, 5), 5);
	}
	assert_int_equal(shares_list(&shares, 60004, list, 2), 2);
	assert_int_equal(list[0].caller, 3);
	assert_int_equal(list[0].asked, 3);
	assert_int_equal(list[1].caller, 2);
	assert_int_equal(shares_list(&shares, 60005, list, 2), 0);
}

static void test_more_callers_than_shares_are_still_served_in_turn(void **state)
{
	struct shares shares = begin_shares();
	uint64_t last = 0;

	(void)state;
	for (uint64_t caller = 1; caller <= 3 * SHARE_CALLERS; caller++) {
		uint64_t place = shares_queue(&shares, caller, 0);

		assert_true(place >= last);
		shares_ask(&shares, caller, place, 0);
		last = place;
	}
}

/* The same, with the requests that go out. */

static void ask_as(struct fixture *fixture, uint64_t caller, const char *id)
{
	struct asking *asking = &fixture->askings[fixture->asking_count++];
	const struct source_question question = { .key = make_key(KEY_ID, id), .caller = caller };

	asking->fixture = fixture;
	assert_int_equal(fixture->source->operations->start(fixture->source, &question, answered,
	                                                    asking, &asking->fetch),
	                 0);
}

static enum source_state state_for(struct fixture *fixture, uint64_t caller)
{
	return fixture->source->operations->state(fixture->source, KEY_ID, caller);
}

static void assert_asks_for(const char *id)
{
	assert_non_null(strstr(first_transfer()->body, id));
}

static void test_a_late_caller_is_next_while_a_crowd_waits(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	for (int i = 0; i < 10; i++)
		ask_as(fixture, 7, "70");
	wait_for_requests(fixture, 1);
	ask_as(fixture, 8, "81");
	ask_as(fixture, 8, "82");
	reply_with(ABSENT);
	wait_for_requests(fixture, 2);
	/* Both callers have had one turn, or none: who has had none may come first. */
	if (strstr(first_transfer()->body, "70")) {
		reply_with(ABSENT);
		wait_for_requests(fixture, 3);
	}
	assert_asks_for("81");
	reply_with(ABSENT);
	wait_for_requests(fixture, started + 1);
	assert_asks_for("70");
	reply_with(ABSENT);
	wait_for_requests(fixture, started + 1);
	assert_asks_for("82");
	while (started < 12) {
		reply_with(ABSENT);
		wait_for_requests(fixture, started + 1);
		assert_asks_for("70");
	}
	reply_with(ABSENT);
	end(fixture);
}

static void test_a_crowd_leaves_a_quarter_of_the_burst_to_others(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.rate = 1;
	settings.burst = BURST;
	settings.http.concurrency_max = 100;
	fixture = begin(&settings);
	for (int i = 0; i < 2 * BURST; i++)
		ask_as(fixture, 7, "70");
	wait_for_requests(fixture, BURST - BURST / 4);
	assert_int_equal(state_for(fixture, 7), SOURCE_BUSY);
	assert_int_equal(state_for(fixture, 8), SOURCE_READY);
	assert_int_equal(started, BURST - BURST / 4);
	ask_as(fixture, 8, "81");
	wait_for_requests(fixture, BURST - BURST / 4 + 1);
	assert_non_null(
	        strstr(container_of(transfers.previous, struct http_transfer, link)->body, "81"));
	while (!list_is_empty(&transfers))
		reply_with(ABSENT);
	end(fixture);
}

static void test_who_asks_alone_gets_all_of_the_rate(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.rate = 1000000;
	settings.burst = BURST;
	fixture = begin(&settings);
	for (int i = 0; i < 60; i++)
		ask_as(fixture, 7, "70");
	for (unsigned i = 1; i <= 60; i++) {
		wait_for_requests(fixture, i);
		reply_with(ABSENT);
	}
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_questions_of_one_caller_keep_their_order),
		cmocka_unit_test(
		        test_whoever_comes_late_comes_before_the_second_question_of_a_crowd),
		cmocka_unit_test(test_who_was_away_has_not_saved_up_turns),
		cmocka_unit_test(test_who_had_more_than_half_leaves_a_quarter_alone),
		cmocka_unit_test(test_nobody_in_particular_leaves_nothing_alone),
		cmocka_unit_test(test_who_asks_most_is_listed_first_for_a_minute),
		cmocka_unit_test(test_more_callers_than_shares_are_still_served_in_turn),
		cmocka_unit_test(test_a_late_caller_is_next_while_a_crowd_waits),
		cmocka_unit_test(test_a_crowd_leaves_a_quarter_of_the_burst_to_others),
		cmocka_unit_test(test_who_asks_alone_gets_all_of_the_rate),
	};

	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
