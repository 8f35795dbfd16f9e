/* SPDX-License-Identifier: MIT */
/* Who waits, for how long, and what it costs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "scripted_source.h"
#include "kapturefs/io/turns.h"

/* Waiting */

static void test_patience_ends_the_wait_for_an_expired_customer(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);
	struct catalog_question question = ask(fixture);
	struct catalog_question again;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	wait_for(fixture, &waiter);
	assert_int_equal(waiter.result.error, -ETIMEDOUT);
	again = ask_again(&question, &waiter);
	assert_true(is_stale(fixture, &key, &again));
	/* The fetch has gone on. */
	assert_int_equal(fixture->script.started - fixture->script.freed, 1);
	assert_int_equal(fixture->script.hurry, SOURCE_UNWAITED);
	answer_customer(fixture, "42", "Usha");
	assert_false(is_stale(fixture, &key, &again));
	end(fixture);
}

static void test_without_an_old_answer_the_wait_is_for_the_timeout(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };
	uint64_t start_ms;

	(void)state;
	settings.timeout_ms = 40;
	fixture = begin(&settings);
	start_ms = uv_now(&fixture->loop);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	wait_for(fixture, &waiter);
	assert_int_equal(waiter.result.error, -ETIMEDOUT);
	assert_true(uv_now(&fixture->loop) - start_ms >= settings.timeout_ms);
	end(fixture);
}

static void test_an_answer_that_is_too_old_to_serve_is_waited_for_like_none(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };
	uint64_t start_ms;

	(void)state;
	settings.max_stale_ms = 0;
	settings.timeout_ms = 40;
	fixture = begin_expired(&settings, &key);
	fixture->script.state = SOURCE_BUSY;
	start_ms = uv_now(&fixture->loop);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	assert_int_equal(fixture->script.hurry, SOURCE_IN_A_HURRY);
	wait_for(fixture, &waiter);
	assert_true(uv_now(&fixture->loop) - start_ms >= settings.timeout_ms);
	end(fixture);
}

/* An expired answer while the source has no budget: served at once, renewed in the background. */
static void test_without_budget_the_old_answer_is_served_at_once_and_renewed(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture;
	struct catalog_question question;
	struct catalog_question again;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	settings.patience_ms = 3600000;
	fixture = begin_expired(&settings, &key);
	question = ask(fixture);
	fixture->script.state = SOURCE_BUSY;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	assert_int_equal(waiter.calls, 0);
	wait_for(fixture, &waiter);
	assert_int_equal(waiter.result.error, -EBUSY);
	again = ask_again(&question, &waiter);
	assert_true(is_stale(fixture, &key, &again));

	assert_int_equal(fixture->script.hurry, SOURCE_UNWAITED);
	assert_int_equal(fixture->script.started - fixture->script.freed, 1);
	answer_customer(fixture, "42", "Usha");
	assert_false(is_stale(fixture, &key, &again));
	end(fixture);
}

static void test_without_budget_an_unknown_customer_waits_its_turn(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	fixture->script.state = SOURCE_BUSY;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	assert_int_equal(waiter.calls, 0);
	assert_int_equal(fixture->script.hurry, SOURCE_IN_A_HURRY);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(waiter.result.error, 0);
	end(fixture);
}

static void test_followers_do_not_suffer_when_the_leader_is_gone_before_it_was_asked(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_ticket *leader;
	struct catalog_ticket *follower;
	struct waiter waiters[2] = { 0 };

	(void)state;
	fixture->script.is_asked = false;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[0], &leader),
	                 0);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[1],
	                              &follower),
	                 0);
	catalog_cancel(leader);
	assert_int_equal(fixture->script.freed, 0);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(waiters[1].calls, 1);
	assert_int_equal(waiters[1].result.error, 0);
	assert_int_equal(fixture->script.started, 1);
	end(fixture);
}

static void fail_with(struct fixture *fixture, int error)
{
	fixture->script.done(fixture->script.userdata,
	                     &(struct source_answer){ .error = error, .may_pass = true });
}

/* Time goes by on the loop's clock. */
static void let_pass(struct fixture *fixture, uint64_t time_ms)
{
	uint64_t end_ms = uv_now(&fixture->loop) + time_ms;

	while (uv_now(&fixture->loop) < end_ms)
		uv_update_time(&fixture->loop);
}

static void test_who_joins_a_fetch_that_runs_out_of_time_still_has_his_own(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture;
	struct catalog_ticket *ticket;
	struct waiter waiters[2] = { 0 };

	(void)state;
	settings.timeout_ms = 50;
	fixture = begin(&settings);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[0], &ticket),
	                 0);
	let_pass(fixture, settings.timeout_ms);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[1], &ticket),
	                 0);
	assert_int_equal(fixture->script.started, 1);
	fail_with(fixture, -ETIMEDOUT);
	assert_int_equal(waiters[0].result.error, -ETIMEDOUT);
	assert_int_equal(waiters[1].calls, 0);
	assert_int_equal(fixture->script.started, 2);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(waiters[1].calls, 1);
	assert_int_equal(waiters[1].result.error, 0);
	end(fixture);
}

static void test_a_connection_that_times_out_early_fails_for_everybody(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_ticket *ticket;
	struct waiter waiters[2] = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(waiters); i++)
		assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[i],
		                              &ticket),
		                 0);
	fail_with(fixture, -ETIMEDOUT);
	for (size_t i = 0; i < array_length(waiters); i++)
		assert_int_equal(waiters[i].result.error, -ETIMEDOUT);
	assert_int_equal(fixture->script.started, 1);
	end(fixture);
}

static void test_what_nobody_wants_and_was_not_asked_yet_is_dropped(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	fixture->script.is_asked = false;
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter,
		                              &ticket),
		                 0);
		assert_int_equal(fixture->script.started, i);
		catalog_cancel(ticket);
		assert_int_equal(fixture->script.freed, i);
	}
	assert_int_equal(waiter.calls, 0);
	end(fixture);
}

enum { CROWD = 40, TELLING_MS = 1, TOLD_A_TURN_MAX = TURN_SHARE_NS / (TELLING_MS * 1000000) };

/* Those who wait, each of whom takes a while over what it is told. */
struct crowd {
	struct catalog_ticket *tickets[CROWD];
	struct told {
		struct crowd *crowd;
		unsigned number;
	} told[CROWD];
	unsigned count;
	unsigned next; /* who is to be told next */
	int error;     /* with which */
};

static void told_slowly(void *userdata, const struct catalog_result *result)
{
	const struct told *told = userdata;
	uint64_t end_ns = uv_hrtime() + TELLING_MS * 1000000;

	assert_int_equal(result->error, told->crowd->error);
	assert_int_equal(told->number, told->crowd->next++);
	while (uv_hrtime() < end_ns)
		;
}

static void crowd_wants(struct fixture *fixture, struct crowd *crowd, const char *only)
{
	for (; crowd->count < CROWD; crowd->count++) {
		struct told *told = &crowd->told[crowd->count];
		struct key key;
		char text[8];

		snprintf(text, sizeof(text), "%u", 100 + crowd->count);
		key = make_key(KEY_ID, only ? only : text);
		*told = (struct told){ crowd, crowd->count };
		assert_int_equal(catalog_want(fixture->catalog, &key, told_slowly, told,
		                              &crowd->tickets[crowd->count]),
		                 0);
	}
}

/* Everybody is told in the end, a few in each turn of the loop. */
static void expect_steps(struct fixture *fixture, struct crowd *crowd)
{
	unsigned turns = 0;

	while (crowd->next < CROWD) {
		unsigned before = crowd->next;

		uv_run(&fixture->loop, UV_RUN_NOWAIT);
		assert_true(crowd->next - before <= TOLD_A_TURN_MAX);
		turns += crowd->next > before;
	}
	assert_true(turns >= CROWD / TOLD_A_TURN_MAX / 2);
}

static void test_deadlines_that_end_at_once_are_told_in_steps(void **state)
{
	struct catalog_settings settings = usual;
	struct crowd crowd = { .error = -ETIMEDOUT };
	struct fixture *fixture;

	(void)state;
	settings.timeout_ms = 20;
	fixture = begin(&settings);
	crowd_wants(fixture, &crowd, NULL);
	expect_steps(fixture, &crowd);
	end(fixture);
}

static void test_patience_that_ends_at_once_is_told_in_steps(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct crowd crowd = { .error = -ETIMEDOUT };
	struct fixture *fixture;

	(void)state;
	settings.patience_ms = 20;
	fixture = begin_expired(&settings, &key);
	crowd_wants(fixture, &crowd, "42");
	expect_steps(fixture, &crowd);
	end(fixture);
}

static void test_an_answer_that_many_wait_for_is_told_in_steps(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct crowd crowd = { .error = 0 };

	(void)state;
	crowd_wants(fixture, &crowd, "42");
	uv_update_time(&fixture->loop);
	answer_customer(fixture, "42", "Asha");
	assert_in_range(crowd.next, 1, TOLD_A_TURN_MAX);
	assert_int_equal(fixture->script.freed, 1);
	expect_steps(fixture, &crowd);
	end(fixture);
}

static void test_tickets_may_be_cancelled_while_they_come_back(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct crowd crowd = { .error = 0 };

	(void)state;
	crowd_wants(fixture, &crowd, "42");
	uv_update_time(&fixture->loop);
	answer_customer(fixture, "42", "Asha");
	assert_true(catalog_is_returning(crowd.tickets[CROWD - 1]));
	for (unsigned i = crowd.next; i < CROWD; i++)
		catalog_cancel(crowd.tickets[i]);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	assert_in_range(crowd.next, 1, TOLD_A_TURN_MAX);
	end(fixture);
}

/* One who comes back cancels the other, as a shutdown would. */
static void cancel_other(void *userdata, const struct catalog_result *result)
{
	struct catalog_ticket **other = userdata;

	(void)result;
	catalog_cancel(steal(other));
}

static void test_tickets_may_be_cancelled_while_their_fetch_is_being_answered(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_ticket *first;
	struct catalog_ticket *second;
	struct waiter waiter = { 0 };

	(void)state;
	fixture->script.is_asked = false;
	assert_int_equal(catalog_want(fixture->catalog, &key, cancel_other, &second, &first), 0);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &second), 0);
	answer_customer(fixture, "42", "Asha");
	assert_null(second);
	assert_int_equal(waiter.calls, 0);
	assert_int_equal(fixture->script.freed, 1);
	end(fixture);
}

static void test_when_too_many_wait_the_next_is_turned_away(void **state)
{
	struct catalog_settings settings = usual;
	struct key keys[] = { make_key(KEY_ID, "1"), make_key(KEY_ID, "2"), make_key(KEY_ID, "3") };
	struct fixture *fixture;
	struct catalog_ticket *tickets[3];
	struct waiter waiter = { 0 };

	(void)state;
	settings.waiting_max = 2;
	fixture = begin(&settings);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(catalog_want(fixture->catalog, &keys[i], waiter_called, &waiter,
		                              &tickets[i]),
		                 0);
	assert_int_equal(catalog_want(fixture->catalog, &keys[2], waiter_called, &waiter,
	                              &tickets[2]),
	                 -EBUSY);
	/* Also for a key that others wait for already. */
	assert_int_equal(catalog_want(fixture->catalog, &keys[0], waiter_called, &waiter,
	                              &tickets[2]),
	                 -EBUSY);
	catalog_cancel(tickets[0]);
	assert_int_equal(catalog_want(fixture->catalog, &keys[2], waiter_called, &waiter,
	                              &tickets[2]),
	                 0);
	catalog_cancel(tickets[1]);
	catalog_cancel(tickets[2]);
	end(fixture);
}

static void test_renewals_are_bounded_like_those_who_wait(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct key other = make_key(KEY_ID, "43");
	struct fixture *fixture;
	struct catalog_ticket *ticket;
	struct waiter waiters[2] = { 0 };

	(void)state;
	settings.waiting_max = 2;
	fixture = begin_expired(&settings, &key);
	for (int i = 0; i < 2; i++) {
		other.text[1] = (char)('3' + i);
		assert_int_equal(catalog_want(fixture->catalog, &other, waiter_called, &waiters[0],
		                              &ticket),
		                 0);
		catalog_cancel(ticket);
	}
	assert_int_equal(fixture->script.started, 2);
	fixture->script.state = SOURCE_BUSY;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[1], &ticket),
	                 0);
	wait_for(fixture, &waiters[1]);
	assert_int_equal(waiters[1].result.error, -EBUSY);
	assert_int_equal(find_after(fixture, &key, -EBUSY, true), 0);
	assert_int_equal(fixture->script.started, 2);
	end(fixture);
}

static void test_thousands_of_keys_are_fetched_side_by_side(void **state)
{
	static struct catalog_ticket *tickets[2][5000];
	struct catalog_settings settings = usual;
	struct fixture *fixture;
	struct waiter waiter = { 0 };

	(void)state;
	settings.waiting_max = 2 * array_length(tickets[0]);
	fixture = begin(&settings);
	for (size_t i = 0; i < settings.waiting_max; i++) {
		size_t number = i % array_length(tickets[0]);
		struct key key;
		char text[16];

		snprintf(text, sizeof(text), "%zu", 1000 + number);
		key = make_key(KEY_ID, text);
		assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter,
		                              &tickets[i / array_length(tickets[0])][number]),
		                 0);
	}
	/* The second round has joined the fetches of the first. */
	assert_int_equal(fixture->script.started, array_length(tickets[0]));
	for (size_t i = 0; i < array_length(tickets[0]); i++) {
		catalog_cancel(tickets[0][i]);
		catalog_cancel(tickets[1][i]);
	}
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patience_ends_the_wait_for_an_expired_customer),
		cmocka_unit_test(test_without_an_old_answer_the_wait_is_for_the_timeout),
		cmocka_unit_test(test_an_answer_that_is_too_old_to_serve_is_waited_for_like_none),
		cmocka_unit_test(test_without_budget_the_old_answer_is_served_at_once_and_renewed),
		cmocka_unit_test(test_without_budget_an_unknown_customer_waits_its_turn),
		cmocka_unit_test(
		        test_followers_do_not_suffer_when_the_leader_is_gone_before_it_was_asked),
		cmocka_unit_test(test_who_joins_a_fetch_that_runs_out_of_time_still_has_his_own),
		cmocka_unit_test(test_a_connection_that_times_out_early_fails_for_everybody),
		cmocka_unit_test(test_what_nobody_wants_and_was_not_asked_yet_is_dropped),
		cmocka_unit_test(test_deadlines_that_end_at_once_are_told_in_steps),
		cmocka_unit_test(test_patience_that_ends_at_once_is_told_in_steps),
		cmocka_unit_test(test_an_answer_that_many_wait_for_is_told_in_steps),
		cmocka_unit_test(test_tickets_may_be_cancelled_while_they_come_back),
		cmocka_unit_test(test_tickets_may_be_cancelled_while_their_fetch_is_being_answered),
		cmocka_unit_test(test_when_too_many_wait_the_next_is_turned_away),
		cmocka_unit_test(test_renewals_are_bounded_like_those_who_wait),
		cmocka_unit_test(test_thousands_of_keys_are_fetched_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
