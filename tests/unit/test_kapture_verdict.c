/* SPDX-License-Identifier: MIT */
/* Every row of the contract's table of errors that a reply can lead to. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "customers.h"
#include "kapturefs/store/kapture_verdict.h"

#define MALFORMED                                                                                  \
	{                                                                                          \
		.verdict = PAYLOAD_MALFORMED, .complaint = "not JSON"                              \
	}
#define FAILED                                                                                     \
	{                                                                                          \
		.verdict = PAYLOAD_FAILED                                                          \
	}
#define REFUSED                                                                                    \
	{                                                                                          \
		.verdict = PAYLOAD_REFUSED                                                         \
	}
#define ABSENT                                                                                     \
	{                                                                                          \
		.verdict = PAYLOAD_ABSENT                                                          \
	}

/* Whether an old answer may stand in, and whether to try again. */
enum { STAYS = 0, PASSES = 1, RETRY = 2 };

static const struct row {
	long status;
	struct payload payload;
	int error;
	int hope; /* PASSES, RETRY or both */
} rows[] = {
	/* The verdict is in the body before it is in the code. */
	{ 200, ABSENT, 0, STAYS },
	{ 404, ABSENT, 0, STAYS },
	{ 400, ABSENT, 0, STAYS },
	{ 500, ABSENT, 0, STAYS },
	{ 200, REFUSED, -EACCES, STAYS },
	{ 400, REFUSED, -EACCES, STAYS },
	{ 401, REFUSED, -EACCES, STAYS },
	{ 500, REFUSED, -EACCES, STAYS },
	/* Without the documented body, the code counts. */
	{ 401, MALFORMED, -EACCES, STAYS },
	{ 401, FAILED, -EACCES, STAYS },
	{ 403, MALFORMED, -EACCES, PASSES },
	{ 400, MALFORMED, -EINVAL, PASSES },
	{ 400, FAILED, -EINVAL, PASSES },
	{ 429, MALFORMED, -EBUSY, PASSES | RETRY },
	{ 429, FAILED, -EBUSY, PASSES | RETRY },
	{ 500, MALFORMED, -EIO, PASSES | RETRY },
	{ 500, FAILED, -EIO, PASSES | RETRY },
	{ 502, MALFORMED, -EIO, PASSES | RETRY },
	{ 503, MALFORMED, -EIO, PASSES | RETRY },
	{ 599, MALFORMED, -EIO, PASSES | RETRY },
	/* Never ENOENT. */
	{ 404, MALFORMED, -EIO, PASSES },
	{ 404, FAILED, -EIO, PASSES },
	{ 402, MALFORMED, -EIO, PASSES },
	{ 418, MALFORMED, -EIO, PASSES },
	{ 499, MALFORMED, -EIO, PASSES },
	{ 600, MALFORMED, -EIO, PASSES },
	{ 999, MALFORMED, -EIO, PASSES },
	{ 100, MALFORMED, -EIO, PASSES },
	{ 0, MALFORMED, -EIO, PASSES },
	{ 200, FAILED, -EIO, PASSES },
	/* Not what the API documents. */
	{ 300, MALFORMED, -EPROTO, PASSES },
	{ 302, FAILED, -EPROTO, PASSES },
	{ 399, MALFORMED, -EPROTO, PASSES },
	{ 200, MALFORMED, -EPROTO, PASSES },
	{ 204, MALFORMED, -EPROTO, PASSES },
	{ 299, MALFORMED, -EPROTO, PASSES },
};

static void assert_verdict(const struct kapture_verdict *verdict, int error, int hope)
{
	assert_int_equal(verdict->answer.error, error);
	assert_int_equal(verdict->answer.may_pass, (hope & PASSES) != 0);
	assert_int_equal(verdict->may_retry, (hope & RETRY) != 0);
	assert_null(verdict->answer.record);
	if (error)
		assert_non_null(verdict->cause);
}

static void test_replies_without_a_customer(void **state)
{
	const struct key key = make_key(KEY_ID, "7");

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		const struct http_reply reply = { .status = rows[i].status };
		struct kapture_verdict verdict = kapture_judge(&key, &reply, &rows[i].payload);

		assert_verdict(&verdict, rows[i].error, rows[i].hope);
	}
}

static void test_transfers_without_a_reply(void **state)
{
	static const struct {
		int error;
		int hope;
	} table[] = {
		{ -EHOSTUNREACH, PASSES | RETRY },
		{ -ETIMEDOUT, PASSES | RETRY },
		{ -EIO, PASSES | RETRY },
		{ -EPROTO, PASSES },
		{ -EFBIG, PASSES },
		{ -ENOMEM, PASSES },
	};
	const struct key key = make_key(KEY_ID, "7");
	const struct payload none = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		const struct http_reply reply = { .error = table[i].error, .complaint = "because" };
		struct kapture_verdict verdict = kapture_judge(&key, &reply, &none);

		assert_verdict(&verdict, table[i].error, table[i].hope);
		assert_string_equal(verdict.cause, "because");
	}
}

static struct kapture_verdict judge_customer(enum key_kind kind, const char *key_text, long status,
                                             struct record *record)
{
	const struct payload payload = { .verdict = PAYLOAD_FOUND, .record = record };
	const struct key key = make_key(kind, key_text);
	const struct http_reply reply = { .status = status };

	return kapture_judge(&key, &reply, &payload);
}

static void test_a_customer_is_the_answer_with_any_code_but_401(void **state)
{
	struct record *record = make_customer("7", "1", "Asha");

	(void)state;
	assert_ptr_equal(judge_customer(KEY_ID, "7", 200, record).answer.record, record);
	assert_ptr_equal(judge_customer(KEY_ID, "7", 500, record).answer.record, record);
	assert_ptr_equal(judge_customer(KEY_ID, "7", 429, record).answer.record, record);
	assert_ptr_equal(judge_customer(KEY_ID, "7", 403, record).answer.record, record);
	assert_ptr_equal(judge_customer(KEY_ID, "7", 302, record).answer.record, record);
	assert_ptr_equal(judge_customer(KEY_PHONE, "555", 200, record).answer.record, record);
	assert_ptr_equal(judge_customer(KEY_EMAIL, "a@b", 200, record).answer.record, record);
	assert_int_equal(judge_customer(KEY_ID, "7", 200, record).answer.error, 0);
	/* But for one: no customer shows that the token is good. */
	assert_int_equal(judge_customer(KEY_ID, "7", 401, record).answer.error, -EACCES);
	record_unref(record);
}

static void test_another_customer_than_asked_for_by_id_is_no_answer(void **state)
{
	struct record *record = make_customer("70", "1", "Asha");
	struct kapture_verdict verdict = judge_customer(KEY_ID, "7", 200, record);

	(void)state;
	assert_verdict(&verdict, -EPROTO, PASSES);
	record_unref(record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies_without_a_customer),
		cmocka_unit_test(test_transfers_without_a_reply),
		cmocka_unit_test(test_a_customer_is_the_answer_with_any_code_but_401),
		cmocka_unit_test(test_another_customer_than_asked_for_by_id_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
