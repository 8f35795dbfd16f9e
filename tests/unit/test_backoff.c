/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "customers.h"
#include "kapturefs/store/backoff.h"

static const struct backoff_failure fault = { .error = -EIO, .may_pass = true };

static struct backoff *begin(void)
{
	struct backoff *backoff;

	assert_int_equal(backoff_new(&backoff), 0);
	return backoff;
}

/* How long the subject is left alone after it has failed at @now_ms. */
static uint64_t alone_ms(struct backoff *backoff, struct backoff_subject subject,
                         const struct backoff_failure *failure, uint64_t now_ms)
{
	uint64_t most_ms = 1000000;
	uint64_t least_ms = 0;

	backoff_fail(backoff, subject, failure, now_ms);
	while (most_ms - least_ms > 1) {
		uint64_t middle_ms = (least_ms + most_ms) / 2;

		if (backoff_find(backoff, subject, now_ms + middle_ms))
			least_ms = middle_ms;
		else
			most_ms = middle_ms;
	}
	return most_ms;
}

static void test_it_doubles_with_each_failure_in_a_row_up_to_half_a_minute(void **state)
{
	static const uint64_t expected_s[] = { 1, 2, 4, 8, 16, 30, 30, 30 };
	struct backoff *backoff = begin();
	struct backoff_subject subject = { 42, NULL };
	uint64_t now_ms = 5;

	(void)state;
	for (size_t i = 0; i < array_length(expected_s); i++) {
		assert_int_equal(alone_ms(backoff, subject, &fault, now_ms), expected_s[i] * 1000);
		now_ms += 100000;
	}
	backoff_end(backoff, subject);
	assert_null(backoff_find(backoff, subject, now_ms - 99999));
	assert_int_equal(alone_ms(backoff, subject, &fault, now_ms), 1000);
	backoff_free(backoff);
}

static void test_what_the_api_asks_for_counts_if_it_is_longer(void **state)
{
	struct backoff *backoff = begin();
	struct backoff_subject subject = { 42, NULL };
	struct backoff_failure asked = fault;

	(void)state;
	asked.retry_after_ms = 300000;
	assert_int_equal(alone_ms(backoff, subject, &asked, 0), 300000);
	asked.retry_after_ms = 1500;
	assert_int_equal(alone_ms(backoff, subject, &asked, 0), 2000);
	backoff_free(backoff);
}

static void test_cause_is_known_until_there_is_an_answer(void **state)
{
	char cause[] = "the API reports a fault of its own";
	struct backoff *backoff = begin();
	struct backoff_subject subject = { 42, NULL };
	struct backoff_failure told = fault;

	(void)state;
	assert_null(backoff_last(backoff, subject));
	told.cause = cause;
	told.status = 503;
	backoff_fail(backoff, subject, &told, 0);
	memset(cause, 'x', strlen(cause));
	assert_string_equal(backoff_find(backoff, subject, 999)->cause,
	                    "the API reports a fault of its own");
	assert_null(backoff_find(backoff, subject, 1000));
	assert_int_equal(backoff_last(backoff, subject)->status, 503);
	backoff_end(backoff, subject);
	assert_null(backoff_last(backoff, subject));
	backoff_free(backoff);
}

static void test_what_counts_for_nothing_leaves_nobody_alone(void **state)
{
	struct backoff *backoff = begin();
	struct backoff_subject subject = { 42, NULL };
	struct backoff_failure late = { .error = -ETIMEDOUT, .cause = "late", .epoch = 1 };

	(void)state;
	backoff_note(backoff, subject, &late, 0);
	assert_null(backoff_find(backoff, subject, 0));
	assert_string_equal(backoff_last(backoff, subject)->cause, "late");
	/* Nor does it hide why somebody is, or change for how long the next time. */
	backoff_fail(backoff, subject, &fault, 0);
	backoff_note(backoff, subject, &late, 10);
	assert_int_equal(backoff_find(backoff, subject, 10)->error, -EIO);
	backoff_note(backoff, subject, &late, 1000);
	assert_null(backoff_find(backoff, subject, 1000));
	assert_int_equal(backoff_last(backoff, subject)->error, -ETIMEDOUT);
	assert_int_equal(alone_ms(backoff, subject, &fault, 1000), 2000);
	backoff_free(backoff);
}

static void test_another_epoch_begins_another_row(void **state)
{
	struct backoff *backoff = begin();
	struct backoff_subject subject = { 42, NULL };
	struct backoff_failure later = { .error = -EPROTO, .epoch = 1 };

	(void)state;
	backoff_fail(backoff, subject, &fault, 0);
	backoff_fail(backoff, subject, &fault, 0);
	assert_int_equal(alone_ms(backoff, subject, &later, 0), 1000);
	assert_int_equal(backoff_find(backoff, subject, 0)->error, -EPROTO);
	assert_int_equal(backoff_find(backoff, subject, 0)->epoch, 1);
	backoff_free(backoff);
}

static void test_customers_and_keys_are_kept_apart(void **state)
{
	struct backoff *backoff = begin();
	struct key phone = make_key(KEY_PHONE, "42");
	struct key id = make_key(KEY_ID, "42");

	(void)state;
	backoff_fail(backoff, (struct backoff_subject){ 0, &phone }, &fault, 0);
	assert_non_null(backoff_find(backoff, (struct backoff_subject){ 0, &phone }, 0));
	assert_null(backoff_find(backoff, (struct backoff_subject){ 0, &id }, 0));
	assert_null(backoff_find(backoff, (struct backoff_subject){ 42, &phone }, 0));
	/* A customer is one, whatever it is called by. */
	backoff_fail(backoff, (struct backoff_subject){ 42, &phone }, &fault, 0);
	assert_non_null(backoff_find(backoff, (struct backoff_subject){ 42, &id }, 0));
	backoff_free(backoff);
}

static void test_of_many_that_fail_most_are_known_and_all_that_can_be(void **state)
{
	struct backoff *backoff = begin();
	unsigned known = 0;

	(void)state;
	for (uint32_t i = 1; i <= 100000; i++)
		backoff_fail(backoff, (struct backoff_subject){ i, NULL }, &fault, i / 1000);
	for (uint32_t i = 1; i <= 100000; i++)
		known += backoff_find(backoff, (struct backoff_subject){ i, NULL }, 100) != NULL;
	assert_true(known > 3500 && known <= 4096);
	/* The last ones are. */
	assert_non_null(backoff_find(backoff, (struct backoff_subject){ 100000, NULL }, 100));
	backoff_free(backoff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_doubles_with_each_failure_in_a_row_up_to_half_a_minute),
		cmocka_unit_test(test_what_the_api_asks_for_counts_if_it_is_longer),
		cmocka_unit_test(test_cause_is_known_until_there_is_an_answer),
		cmocka_unit_test(test_what_counts_for_nothing_leaves_nobody_alone),
		cmocka_unit_test(test_another_epoch_begins_another_row),
		cmocka_unit_test(test_customers_and_keys_are_kept_apart),
		cmocka_unit_test(test_of_many_that_fail_most_are_known_and_all_that_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
