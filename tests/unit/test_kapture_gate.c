/* SPDX-License-Identifier: MIT */
/* When the API is better not asked: it fails, or refuses the token. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scripted_http.h"

/* The breaker */

static void fail_one(struct fixture *fixture, long status, int error)
{
	struct asking *asking = ask(fixture);

	wait_for_requests(fixture, started + 1);
	reply_with_status(status, NULL);
	wait_for_answer(fixture, asking);
	assert_int_equal(asking->error, error);
}

static void test_after_five_failures_the_api_is_left_alone(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	for (int i = 0; i < 5; i++)
		fail_one(fixture, 500, -EIO);
	for (int i = 0; i < 20; i++)
		assert_held_back(fixture, -EIO);
	assert_true(fixture->askings[20].may_pass);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 2\n"));
	assert_true(metrics_say(fixture, "\nkapturefs_api_held_back_total 20\n"));
	end(fixture);
}

static void test_what_is_the_questions_own_fault_does_not_open_the_breaker(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	for (int i = 0; i < 4; i++) {
		fail_one(fixture, 500, -EIO);
		fail_one(fixture, 500, -EIO);
		fail_one(fixture, 400, -EINVAL);
	}
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

static void test_those_who_wait_when_it_opens_fail_at_once(void **state)
{
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 5;
	fixture = begin(&settings);
	for (int i = 0; i < 10; i++)
		ask(fixture);
	wait_for_requests(fixture, 5);
	for (int i = 0; i < 5; i++)
		reply_with_error(-EHOSTUNREACH);
	for (int i = 0; i < 10; i++)
		assert_answered(fixture, &fixture->askings[i], -EHOSTUNREACH);
	assert_int_equal(started, 5);
	end(fixture);
}

/* The door */

static void refuse(struct fixture *fixture)
{
	struct asking *asking = ask(fixture);

	wait_for_requests(fixture, started + 1);
	reply_with(REFUSED);
	assert_answered(fixture, asking, -EACCES);
	assert_false(asking->may_pass);
}

static void test_a_refused_token_closes_the_door(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	refuse(fixture);
	assert_int_equal(state_of(fixture), SOURCE_REFUSED);
	for (int i = 0; i < 20; i++)
		assert_held_back(fixture, -EACCES);
	end(fixture);
}

static void test_another_token_opens_the_door(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *asking;

	(void)state;
	refuse(fixture);
	assert_int_equal(kapture_set_token(fixture->kapture, "second"), 0);
	assert_int_equal(state_of(fixture), SOURCE_READY);
	asking = ask(fixture);
	wait_for_requests(fixture, 2);
	assert_string_equal(first_transfer()->token, "second");
	reply_with(FOUND);
	assert_answered(fixture, asking, 0);
	end(fixture);
}

static void test_the_door_can_be_opened_for_the_same_token(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	refuse(fixture);
	kapture_open_doors(fixture->kapture);
	refuse(fixture);
	assert_int_equal(started, 2);
	assert_held_back(fixture, -EACCES);
	end(fixture);
}

static void look(void *userdata)
{
	struct fixture *fixture = userdata;
	const char *token = steal(&fixture->kept_token);

	fixture->looks++;
	if (token)
		assert_int_equal(kapture_set_token(fixture->kapture, token), 0);
}

static void test_a_token_rotated_before_the_refusal_is_used_at_once(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *asking;

	(void)state;
	kapture_set_keeper(fixture->kapture, (struct kapture_keeper){ look, fixture });
	fixture->kept_token = "second";
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	assert_int_equal(fixture->looks, 0);
	reply_with(REFUSED);
	wait_for_requests(fixture, 2);
	assert_string_equal(first_transfer()->token, "second");
	reply_with(FOUND);
	assert_answered(fixture, asking, 0);
	end(fixture);
}

static void test_a_token_rotated_after_the_refusal_is_used_for_the_next_question(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *asking;

	(void)state;
	kapture_set_keeper(fixture->kapture, (struct kapture_keeper){ look, fixture });
	refuse(fixture);
	assert_held_back(fixture, -EACCES);
	fixture->kept_token = "second";
	asking = ask(fixture);
	wait_for_requests(fixture, 2);
	reply_with(FOUND);
	assert_answered(fixture, asking, 0);
	assert_int_equal(state_of(fixture), SOURCE_READY);
	end(fixture);
}

static void test_the_refusal_of_an_old_token_does_not_close_the_door_for_the_new(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *asking;

	(void)state;
	asking = ask(fixture);
	wait_for_requests(fixture, 1);
	assert_int_equal(kapture_set_token(fixture->kapture, "second"), 0);
	reply_with(REFUSED);
	assert_int_equal(state_of(fixture), SOURCE_READY);
	wait_for_requests(fixture, 2);
	assert_string_equal(first_transfer()->token, "second");
	reply_with(FOUND);
	assert_answered(fixture, asking, 0);
	end(fixture);
}

static void test_a_refusal_says_that_the_api_is_there(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	for (int i = 0; i < 4; i++)
		fail_one(fixture, 500, -EIO);
	refuse(fixture);
	kapture_open_doors(fixture->kapture);
	fail_one(fixture, 500, -EIO);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_five_failures_the_api_is_left_alone),
		cmocka_unit_test(test_what_is_the_questions_own_fault_does_not_open_the_breaker),
		cmocka_unit_test(test_those_who_wait_when_it_opens_fail_at_once),
		cmocka_unit_test(test_a_refused_token_closes_the_door),
		cmocka_unit_test(test_another_token_opens_the_door),
		cmocka_unit_test(test_the_door_can_be_opened_for_the_same_token),
		cmocka_unit_test(test_a_token_rotated_before_the_refusal_is_used_at_once),
		cmocka_unit_test(
		        test_a_token_rotated_after_the_refusal_is_used_for_the_next_question),
		cmocka_unit_test(
		        test_the_refusal_of_an_old_token_does_not_close_the_door_for_the_new),
		cmocka_unit_test(test_a_refusal_says_that_the_api_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
