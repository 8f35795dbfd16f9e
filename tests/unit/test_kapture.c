/* SPDX-License-Identifier: MIT */
/* Tries, pauses and turns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scripted_http.h"

/* Retries */

static void test_a_fault_that_passes_is_made_up_for_by_trying_again(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.retries = 3;
	fixture = begin(&settings);
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	reply_with_status(503, NULL);
	wait_for_requests(fixture, 2);
	reply_with_error(-EHOSTUNREACH);
	wait_for_requests(fixture, 3);
	reply_with(FOUND);
	assert_answered(fixture, asking, 0);
	assert_true(metrics_say(fixture, "\nkapturefs_api_retries_total 2\n"));
	end(fixture);
}

static void test_tries_end_with_the_last_error(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.retries = 1;
	fixture = begin(&settings);
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	reply_with_status(503, NULL);
	wait_for_requests(fixture, 2);
	reply_with_status(429, NULL);
	assert_answered(fixture, asking, -EBUSY);
	assert_true(asking->may_pass);
	end(fixture);
}

static void test_there_is_no_try_for_which_there_is_no_time(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.retries = 9;
	settings.timeout_ms = 50;
	fixture = begin(&settings);
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	reply_with_status(503, NULL);
	assert_answered(fixture, asking, -EIO);
	assert_int_equal(started, 1);
	end(fixture);
}

static void test_retry_after_is_waited_for_by_everybody(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *first;
	struct asking *second;
	uint64_t told_ms;

	(void)state;
	settings.retries = 1;
	fixture = begin(&settings);
	first = ask(fixture);
	wait_for_requests(fixture, 1);
	uv_update_time(&fixture->loop);
	told_ms = uv_now(&fixture->loop);
	reply_with_status(503, "1");
	second = ask(fixture);
	wait_for_requests(fixture, 2);
	assert_true(uv_now(&fixture->loop) - told_ms >= 1000);
	wait_for_requests(fixture, 3);
	reply_with(FOUND);
	reply_with(FOUND);
	assert_answered(fixture, first, 0);
	assert_answered(fixture, second, 0);
	end(fixture);
}

static void test_retry_after_beyond_the_deadline_fails_at_once(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.retries = 3;
	fixture = begin(&settings);
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	reply_with_status(429, "3600");
	assert_true(asking->is_answered);
	assert_answered(fixture, asking, -EBUSY);
	assert_held_back(fixture, -EBUSY);
	assert_int_equal(state_of(fixture), SOURCE_BUSY);
	end(fixture);
}

static void test_a_retry_after_that_makes_no_sense_is_passed_over(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.retries = 1;
	fixture = begin(&settings);
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	reply_with_status(503, "-1 \xff");
	wait_for_requests(fixture, 2);
	reply_with(FOUND);
	assert_answered(fixture, asking, 0);
	end(fixture);
}

/* The rate */

static void test_no_more_goes_out_than_the_burst_and_the_rate(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	uint64_t start_ms;

	(void)state;
	settings.rate = 50000;
	settings.burst = 3;
	fixture = begin(&settings);
	start_ms = uv_now(&fixture->loop);
	for (unsigned i = 0; i < 10; i++)
		ask(fixture);
	for (unsigned i = 1; i <= 10; i++) {
		wait_for_requests(fixture, i);
		reply_with(FOUND);
		assert_true(i <= 3 + (uv_now(&fixture->loop) - start_ms) / 20);
	}
	assert_true(uv_now(&fixture->loop) - start_ms >= 140);
	/* Whoever is not first in the queue when the budget comes has not been held up by it. */
	assert_false(metrics_say(fixture, "\nkapturefs_api_throttled_total 0\n"));
	end(fixture);
}

static void test_without_budget_the_source_is_busy(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.rate = 1;
	settings.burst = 2;
	fixture = begin(&settings);
	assert_int_equal(state_of(fixture), SOURCE_READY);
	ask(fixture);
	assert_int_equal(state_of(fixture), SOURCE_READY);
	/* What waits has a claim on the budget. */
	ask(fixture);
	assert_int_equal(state_of(fixture), SOURCE_BUSY);
	wait_for_requests(fixture, 2);
	assert_int_equal(state_of(fixture), SOURCE_BUSY);
	end(fixture);
}

static void test_whose_turn_never_comes_times_out_without_a_request(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.rate = 1;
	settings.burst = 1;
	settings.timeout_ms = 30;
	fixture = begin(&settings);
	ask(fixture);
	asking = ask(fixture);
	wait_for_answer(fixture, asking);
	assert_int_equal(asking->error, -ETIMEDOUT);
	assert_true(asking->may_pass);
	assert_int_equal(started, 1);
	assert_int_equal(fixture->source->operations->sent(asking->fetch), 0);
	assert_int_not_equal(fixture->source->operations->sent(fixture->askings[0].fetch), 0);
	end(fixture);
}

/* What is asked with the rest of its time only keeps the API from answering others. */
static void test_a_question_whose_turn_comes_too_late_is_not_asked(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *late;
	uint64_t began_ms;

	(void)state;
	settings.timeout_ms = 2000;
	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	began_ms = uv_now(&fixture->loop);
	ask_for(fixture, "7", false);
	late = ask_for(fixture, "8", false);
	wait_for_answer(fixture, late);
	assert_int_equal(late->error, -ETIMEDOUT);
	assert_in_range(uv_now(&fixture->loop) - began_ms, 0, 1999);
	assert_int_equal(started, 1);
	reply_with(FOUND);
	end(fixture);
}

static void test_a_question_that_had_little_time_left_says_nothing_of_the_api(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *late;
	uint64_t began_ms;

	(void)state;
	settings.timeout_ms = 400;
	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	began_ms = uv_now(&fixture->loop);
	ask_for(fixture, "7", false);
	late = ask_for(fixture, "8", false);
	while (uv_now(&fixture->loop) - began_ms < 250)
		uv_run(&fixture->loop, UV_RUN_NOWAIT);
	reply_with(FOUND);
	wait_for_requests(fixture, 2);
	reply_with_error(-ETIMEDOUT);
	wait_for_answer(fixture, late);
	assert_int_equal(late->error, -ETIMEDOUT);
	assert_true(late->is_unfair);
	assert_int_equal(kapture_stand(fixture->kapture).recent.all, 1);
	assert_int_equal(kapture_stand(fixture->kapture).recent.bad, 0);
	end(fixture);
}

static void test_no_more_requests_at_a_time_than_connections(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 2;
	fixture = begin(&settings);
	for (int i = 0; i < 5; i++)
		ask(fixture);
	wait_for_requests(fixture, 2);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	assert_int_equal(started, 2);
	reply_with(FOUND);
	wait_for_requests(fixture, 3);
	/* One that is given up makes room, too. */
	fixture->source->operations->free(steal(&fixture->askings[1].fetch));
	wait_for_requests(fixture, 4);
	end(fixture);
}

static void test_what_nobody_waits_for_comes_last(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 1;
	fixture = begin(&settings);
	ask_for(fixture, "1", SOURCE_UNWAITED);
	ask_for(fixture, "2", SOURCE_UNWAITED);
	ask_for(fixture, "3", SOURCE_IN_A_HURRY);
	wait_for_requests(fixture, 1);
	assert_string_equal(first_transfer()->body, "[{\"kapture_customer_id\":\"3\"}]");
	reply_with(ABSENT);
	wait_for_requests(fixture, 2);
	assert_string_equal(first_transfer()->body, "[{\"kapture_customer_id\":\"1\"}]");
	end(fixture);
}

static void test_what_nobody_waits_for_has_half_of_the_rate(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	uint64_t start_ms;

	(void)state;
	settings.rate = 100000;
	settings.burst = 4;
	fixture = begin(&settings);
	start_ms = uv_now(&fixture->loop);
	for (unsigned i = 0; i < 10; i++)
		ask_for(fixture, "1", SOURCE_UNWAITED);
	for (unsigned i = 1; i <= 10; i++) {
		wait_for_requests(fixture, i);
		reply_with(FOUND);
		assert_true(i <= 2 + (uv_now(&fixture->loop) - start_ms) / 20);
	}
	assert_true(uv_now(&fixture->loop) - start_ms >= 160);
	end(fixture);
}

static void test_who_comes_to_wait_for_it_need_not_wait_for_the_rest(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;
	struct asking *asking;

	(void)state;
	settings.rate = 1;
	settings.burst = 2;
	fixture = begin(&settings);
	ask_for(fixture, "1", SOURCE_UNWAITED);
	ask_for(fixture, "2", SOURCE_UNWAITED);
	asking = ask_for(fixture, "3", SOURCE_UNWAITED);
	/* Half of the burst is theirs. */
	wait_for_requests(fixture, 1);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	assert_int_equal(started, 1);
	fixture->source->operations->hurry(asking->fetch, SOURCE_IN_A_HURRY);
	reply_with(ABSENT);
	wait_for_requests(fixture, 2);
	assert_string_equal(first_transfer()->body, "[{\"kapture_customer_id\":\"3\"}]");
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fault_that_passes_is_made_up_for_by_trying_again),
		cmocka_unit_test(test_tries_end_with_the_last_error),
		cmocka_unit_test(test_there_is_no_try_for_which_there_is_no_time),
		cmocka_unit_test(test_retry_after_is_waited_for_by_everybody),
		cmocka_unit_test(test_retry_after_beyond_the_deadline_fails_at_once),
		cmocka_unit_test(test_a_retry_after_that_makes_no_sense_is_passed_over),
		cmocka_unit_test(test_no_more_goes_out_than_the_burst_and_the_rate),
		cmocka_unit_test(test_without_budget_the_source_is_busy),
		cmocka_unit_test(test_whose_turn_never_comes_times_out_without_a_request),
		cmocka_unit_test(test_a_question_whose_turn_comes_too_late_is_not_asked),
		cmocka_unit_test(test_a_question_that_had_little_time_left_says_nothing_of_the_api),
		cmocka_unit_test(test_no_more_requests_at_a_time_than_connections),
		cmocka_unit_test(test_what_nobody_waits_for_comes_last),
		cmocka_unit_test(test_what_nobody_waits_for_has_half_of_the_rate),
		cmocka_unit_test(test_who_comes_to_wait_for_it_need_not_wait_for_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
