/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/store/share.h"
#include "scripted_http.h"

enum { RATE = 10000, BURST = 20 };

#define CALLER(user, session) ((uint64_t)(user) << 32 | (session))
/* Of different users. */
#define ASHA CALLER(7, 70)
#define USHA CALLER(8, 80)
/* Sessions of one user. */
#define ASHAS_OTHER CALLER(7, 71)

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
		struct share_place place = shares_queue(&shares, ASHA, 0);

		assert_true(place.of_user > last && place.of_session > last);
		last = place.of_user;
	}
}

static void test_whoever_comes_late_comes_before_the_second_question_of_a_crowd(void **state)
{
	struct shares shares = begin_shares();
	struct share_place crowd[100];
	struct share_place late;

	(void)state;
	for (int i = 0; i < 100; i++)
		crowd[i] = shares_queue(&shares, ASHA, 0);
	shares_ask(&shares, ASHA, crowd[0], 0);
	assert_int_equal(shares_next_place(&shares, USHA).of_user, shares.place + 1);
	late = shares_queue(&shares, USHA, 0);
	assert_true(late.of_user <= crowd[1].of_user);
	/* And has turns as often as the crowd from then on. */
	assert_true(shares_queue(&shares, USHA, 0).of_user <= crowd[2].of_user);
	assert_int_equal(shares_next_place(&shares, USHA).of_user, late.of_user + 2);
}

static void test_who_was_away_has_not_saved_up_turns(void **state)
{
	struct shares shares = begin_shares();

	(void)state;
	shares_ask(&shares, USHA, shares_queue(&shares, USHA, 0), 0);
	for (int i = 0; i < 50; i++)
		shares_ask(&shares, ASHA, shares_queue(&shares, ASHA, 0), 0);
	assert_int_equal(shares_queue(&shares, USHA, 0).of_user, shares.place + 1);
}

static void test_who_had_more_than_half_leaves_a_quarter_alone(void **state)
{
	struct shares shares = begin_shares();

	(void)state;
	for (int i = 0; i < BURST / 2; i++) {
		assert_int_equal(shares_reserve(&shares, ASHA, 0), 0);
		shares_ask(&shares, ASHA, shares_queue(&shares, ASHA, 0), 0);
	}
	assert_int_equal(shares_reserve(&shares, ASHA, 0), BURST / 4);
	assert_int_equal(shares_reserve(&shares, USHA, 0), 0);
	/* Half of ten a second is one in 200 ms. */
	assert_int_equal(shares_reserve(&shares, ASHA, 199), BURST / 4);
	assert_int_equal(shares_reserve(&shares, ASHA, 200), 0);
}

static void test_sessions_of_one_user_have_the_turns_of_one(void **state)
{
	struct shares shares = begin_shares();
	struct share_place place = { 0 };

	(void)state;
	for (uint32_t session = 1; session <= 1000; session++) {
		place = shares_queue(&shares, CALLER(7, session), 0);
		assert_int_equal(place.of_user, session);
		assert_int_equal(place.of_session, 1);
	}
	assert_int_equal(shares_queue(&shares, USHA, 0).of_user, 1);
	assert_int_equal(shares_queue(&shares, USHA, 0).of_user, 2);
}

static void test_sessions_of_one_user_do_not_use_up_what_is_left_alone(void **state)
{
	struct shares shares = begin_shares();
	uint32_t session = 1;

	(void)state;
	for (; session <= BURST / 2; session++) {
		uint64_t caller = CALLER(7, session);

		assert_int_equal(shares_reserve(&shares, caller, 0), 0);
		shares_ask(&shares, caller, shares_queue(&shares, caller, 0), 0);
	}
	/* Half of the quarter is for other users, and half for other sessions of the same. */
	assert_int_equal(shares_reserve(&shares, CALLER(7, session), 0), (BURST / 4 + 1) / 2);
	assert_int_equal(shares_reserve(&shares, USHA, 0), 0);
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
		struct share_place place = shares_queue(&shares, CALLER(caller, 1), 0);

		assert_true(place.of_user >= last);
		shares_ask(&shares, CALLER(caller, 1), place, 0);
		last = place.of_user;
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

static void late_caller_is_next(uint64_t late)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	for (int i = 0; i < 10; i++)
		ask_as(fixture, ASHA, "70");
	wait_for_requests(fixture, 1);
	ask_as(fixture, late, "81");
	ask_as(fixture, late, "82");
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

static void test_a_late_caller_is_next_while_a_crowd_waits(void **state)
{
	(void)state;
	late_caller_is_next(USHA);
	late_caller_is_next(ASHAS_OTHER);
}

/* Who makes a session for each question, which cost nothing, takes from himself alone. */
static void test_a_late_user_is_next_while_a_crowd_of_sessions_waits(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	for (uint32_t session = 1; session <= 10; session++)
		ask_as(fixture, CALLER(7, session), "70");
	wait_for_requests(fixture, 1);
	for (int i = 0; i < 4; i++)
		ask_as(fixture, USHA, "80");
	/* From then on every other turn is hers, and at least one of any two. */
	for (unsigned i = 0, hers = 0; hers < 4; i++) {
		reply_with(ABSENT);
		wait_for_requests(fixture, started + 1);
		hers += strstr(first_transfer()->body, "80") != NULL;
		assert_true(hers >= i / 2);
	}
	while (started < 14) {
		reply_with(ABSENT);
		wait_for_requests(fixture, started + 1);
	}
	reply_with(ABSENT);
	end(fixture);
}

static void test_who_joins_a_question_of_a_crowd_does_not_wait_for_the_crowd(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	for (int i = 0; i < 10; i++)
		ask_as(fixture, ASHA, "70");
	ask_as(fixture, ASHA, "81");
	wait_for_requests(fixture, 1);
	fixture->source->operations->join(fixture->askings[10].fetch, USHA);
	reply_with(ABSENT);
	wait_for_requests(fixture, 2);
	if (strstr(first_transfer()->body, "70")) {
		reply_with(ABSENT);
		wait_for_requests(fixture, 3);
	}
	assert_asks_for("81");
	while (started < 11) {
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
		ask_as(fixture, ASHA, "70");
	wait_for_requests(fixture, BURST - BURST / 4);
	assert_int_equal(state_for(fixture, ASHA), SOURCE_BUSY);
	assert_int_equal(state_for(fixture, USHA), SOURCE_READY);
	assert_int_equal(started, BURST - BURST / 4);
	ask_as(fixture, USHA, "81");
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
		ask_as(fixture, ASHA, "70");
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
		cmocka_unit_test(test_sessions_of_one_user_have_the_turns_of_one),
		cmocka_unit_test(test_sessions_of_one_user_do_not_use_up_what_is_left_alone),
		cmocka_unit_test(test_nobody_in_particular_leaves_nothing_alone),
		cmocka_unit_test(test_who_asks_most_is_listed_first_for_a_minute),
		cmocka_unit_test(test_more_callers_than_shares_are_still_served_in_turn),
		cmocka_unit_test(test_a_late_caller_is_next_while_a_crowd_waits),
		cmocka_unit_test(test_a_late_user_is_next_while_a_crowd_of_sessions_waits),
		cmocka_unit_test(test_who_joins_a_question_of_a_crowd_does_not_wait_for_the_crowd),
		cmocka_unit_test(test_a_crowd_leaves_a_quarter_of_the_burst_to_others),
		cmocka_unit_test(test_who_asks_alone_gets_all_of_the_rate),
	};

	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
