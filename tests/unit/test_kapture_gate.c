/* SPDX-License-Identifier: MIT */
/* When the API is better not asked: it fails, or refuses the token. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scripted_http.h"

/* The breaker */

static void answer_one(struct fixture *fixture, const char *id, const struct http_reply *reply,
                       int error)
{
	struct asking *asking = ask_for(fixture, id, SOURCE_IN_A_HURRY);

	wait_for_requests(fixture, started + 1);
	finish(reply);
	wait_for_answer(fixture, asking);
	assert_int_equal(asking->error, error);
}

static void fail_one(struct fixture *fixture, const char *id, long status, int error)
{
	answer_one(fixture, id, &(struct http_reply){ .status = status, .body = "" }, error);
}

static void test_after_three_keys_have_failed_the_api_is_left_alone(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	fail_one(fixture, "1", 500, -EIO);
	fail_one(fixture, "2", 500, -EIO);
	fail_one(fixture, "3", 500, -EIO);
	for (int i = 0; i < 20; i++)
		assert_held_back(fixture, -EIO);
	assert_true(fixture->askings[20].may_pass);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 2\n"));
	assert_true(metrics_say(fixture, "\nkapturefs_api_held_back_total 20\n"));
	end(fixture);
}

static void test_one_key_that_fails_locks_out_no_other(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	for (int i = 0; i < 20; i++)
		fail_one(fixture, i % 2 ? "1" : "2", 503, -EIO);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

/* Replies that are one question's matter, for any number of keys. */
static void test_what_is_the_questions_own_fault_never_counts(void **state)
{
	static const struct {
		struct http_reply reply;
		int error;
	} table[] = {
		{ { .status = 400, .body = "" }, -EINVAL },
		{ { .status = 429, .body = "" }, -EBUSY },
		{ { .status = 200, .body = "{}", .body_length = 2 }, -EPROTO },
		{ { .status = 404, .body = "{}", .body_length = 2 }, -EIO },
		{ { .status = 200, .body = FAILED, .body_length = sizeof(FAILED) - 1 }, -EIO },
		{ { .status = 200, .body = FOUND, .body_length = sizeof(FOUND) - 1 }, -EPROTO },
		{ { .status = 200, .body = FOUND, .body_length = 30 }, -EPROTO },
		{ { .status = 200, .error = -EFBIG, .complaint = "" }, -EFBIG },
		{ { .status = 200, .error = -EPROTO, .complaint = "" }, -EPROTO },
	};
	static const char *const ids[] = { "1", "2", "3", "4", "5" };

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		struct fixture *fixture = begin(&usual);

		for (size_t j = 0; j < array_length(ids); j++)
			answer_one(fixture, ids[j], &table[i].reply, table[i].error);
		assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
		end(fixture);
	}
}

static void test_a_page_for_three_keys_opens_the_breaker(void **state)
{
	static const long statuses[] = { 200, 404, 302 };

	(void)state;
	for (size_t i = 0; i < array_length(statuses); i++) {
		const struct http_reply page = { .status = statuses[i],
			                         .body = "<html>",
			                         .body_length = 6 };
		struct fixture *fixture = begin(&usual);
		int error = statuses[i] == 404 ? -EIO : -EPROTO;

		answer_one(fixture, "1", &page, error);
		answer_one(fixture, "2", &page, error);
		assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
		answer_one(fixture, "3", &page, error);
		assert_held_back(fixture, error);
		end(fixture);
	}
}

static void test_an_answer_in_between_begins_the_row_anew(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *asking;

	(void)state;
	for (int i = 0; i < 4; i++) {
		fail_one(fixture, "1", 500, -EIO);
		fail_one(fixture, "2", 500, -EIO);
		asking = ask(fixture);
		wait_for_requests(fixture, started + 1);
		reply_with(i % 2 ? FOUND : ABSENT);
		wait_for_answer(fixture, asking);
	}
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

/* What counts is the order of the answers, not of the questions. */
static void test_answers_that_overlap_count_in_their_order(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *found;

	(void)state;
	ask_for(fixture, "1", SOURCE_IN_A_HURRY);
	ask_for(fixture, "2", SOURCE_IN_A_HURRY);
	found = ask(fixture);
	ask_for(fixture, "3", SOURCE_IN_A_HURRY);
	wait_for_requests(fixture, 4);
	reply_with_status(500, NULL);
	reply_with_status(500, NULL);
	reply_with(FOUND);
	wait_for_answer(fixture, found);
	reply_with_status(500, NULL);
	wait_for_answer(fixture, &fixture->askings[3]);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

static void test_those_who_wait_when_it_opens_fail_at_once(void **state)
{
	static const char *const ids[] = { "1", "2", "3", "4", "5", "6", "7", "8" };
	struct kapture_settings settings = usual;
	struct fixture *fixture;

	(void)state;
	settings.http.concurrency_max = 3;
	fixture = begin(&settings);
	for (size_t i = 0; i < array_length(ids); i++)
		ask_for(fixture, ids[i], SOURCE_IN_A_HURRY);
	wait_for_requests(fixture, 3);
	for (int i = 0; i < 3; i++)
		reply_with_error(-EHOSTUNREACH);
	for (size_t i = 0; i < array_length(ids); i++)
		assert_answered(fixture, &fixture->askings[i], -EHOSTUNREACH);
	assert_int_equal(started, 3);
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

static void test_access_denied_to_one_key_is_that_keys_alone(void **state)
{
	struct fixture *fixture = begin(&usual);

	(void)state;
	for (int i = 0; i < 20; i++)
		fail_one(fixture, i % 2 ? "1" : "2", 403, -EACCES);
	assert_true(fixture->askings[0].may_pass);
	assert_int_equal(state_of(fixture), SOURCE_READY);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

static void test_access_denied_to_three_keys_in_a_row_closes_the_door(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct asking *asking;

	(void)state;
	for (int i = 0; i < 2; i++) {
		fail_one(fixture, "1", 403, -EACCES);
		fail_one(fixture, "2", 403, -EACCES);
		/* An answer in between, and the token is good. */
		asking = ask(fixture);
		wait_for_requests(fixture, started + 1);
		reply_with(i ? FOUND : ABSENT);
		wait_for_answer(fixture, asking);
		assert_int_equal(state_of(fixture), SOURCE_READY);
	}
	fail_one(fixture, "3", 403, -EACCES);
	fail_one(fixture, "1", 403, -EACCES);
	/* What is no answer does not come between them. */
	fail_one(fixture, "4", 500, -EIO);
	fail_one(fixture, "2", 403, -EACCES);
	assert_int_equal(state_of(fixture), SOURCE_REFUSED);
	assert_held_back(fixture, -EACCES);
	assert_false(fixture->askings[fixture->asking_count - 1].may_pass);
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
	kapture_set_keeper(fixture->kapture, (struct kapture_keeper){ look, NULL, fixture });
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
	kapture_set_keeper(fixture->kapture, (struct kapture_keeper){ look, NULL, fixture });
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
	fail_one(fixture, "1", 500, -EIO);
	fail_one(fixture, "2", 500, -EIO);
	refuse(fixture);
	kapture_open_doors(fixture->kapture);
	fail_one(fixture, "3", 500, -EIO);
	assert_true(metrics_say(fixture, "\nkapturefs_api_breaker_state 0\n"));
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_three_keys_have_failed_the_api_is_left_alone),
		cmocka_unit_test(test_one_key_that_fails_locks_out_no_other),
		cmocka_unit_test(test_what_is_the_questions_own_fault_never_counts),
		cmocka_unit_test(test_a_page_for_three_keys_opens_the_breaker),
		cmocka_unit_test(test_an_answer_in_between_begins_the_row_anew),
		cmocka_unit_test(test_answers_that_overlap_count_in_their_order),
		cmocka_unit_test(test_those_who_wait_when_it_opens_fail_at_once),
		cmocka_unit_test(test_a_refused_token_closes_the_door),
		cmocka_unit_test(test_access_denied_to_one_key_is_that_keys_alone),
		cmocka_unit_test(test_access_denied_to_three_keys_in_a_row_closes_the_door),
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
