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
		.verdict = PAYLOAD_MALFORMED, .complaint = "wrong"                                 \
	}
#define TOO_LARGE                                                                                  \
	{                                                                                          \
		.verdict = PAYLOAD_TOO_LARGE, .complaint = "too many values"                       \
	}
#define PAGE                                                                                       \
	{                                                                                          \
		.verdict = PAYLOAD_MALFORMED, .complaint = "not JSON", .is_page = true             \
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
	{ 403, ABSENT, 0, STAYS },
	{ 302, ABSENT, 0, STAYS },
	/* But not where the code says that the API did not look. */
	{ 401, ABSENT, -EACCES, STAYS },
	{ 429, ABSENT, -EBUSY, PASSES | RETRY },
	{ 500, ABSENT, -EIO, PASSES | RETRY },
	{ 503, ABSENT, -EIO, PASSES | RETRY },
	{ 600, ABSENT, -EIO, PASSES },
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
	{ 200, TOO_LARGE, -EFBIG, PASSES },
	{ 401, TOO_LARGE, -EACCES, STAYS },
	{ 500, TOO_LARGE, -EIO, PASSES | RETRY },
	{ 429, TOO_LARGE, -EBUSY, PASSES | RETRY },
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

/* Only what the whole API has done opens the breaker or closes the door. */
static void test_what_a_reply_says_of_the_api(void **state)
{
	static const struct {
		long status;
		struct payload payload;
		enum kapture_blame blame;
	} table[] = {
		{ 500, MALFORMED, KAPTURE_BLAME_API },
		{ 503, PAGE, KAPTURE_BLAME_API },
		{ 500, FAILED, KAPTURE_BLAME_API },
		{ 502, ABSENT, KAPTURE_BLAME_API },
		{ 200, PAGE, KAPTURE_BLAME_API },
		{ 204, PAGE, KAPTURE_BLAME_API },
		{ 404, PAGE, KAPTURE_BLAME_API },
		{ 302, PAGE, KAPTURE_BLAME_API },
		{ 418, PAGE, KAPTURE_BLAME_API },
		{ 200, MALFORMED, KAPTURE_BLAME_NOTHING },
		{ 200, TOO_LARGE, KAPTURE_BLAME_NOTHING },
		{ 200, FAILED, KAPTURE_BLAME_NOTHING },
		{ 404, FAILED, KAPTURE_BLAME_NOTHING },
		{ 404, MALFORMED, KAPTURE_BLAME_NOTHING },
		{ 302, MALFORMED, KAPTURE_BLAME_NOTHING },
		{ 400, PAGE, KAPTURE_BLAME_NOTHING },
		{ 400, FAILED, KAPTURE_BLAME_NOTHING },
		{ 429, PAGE, KAPTURE_BLAME_NOTHING },
		{ 429, MALFORMED, KAPTURE_BLAME_NOTHING },
		{ 403, PAGE, KAPTURE_BLAME_ACCESS },
		{ 403, FAILED, KAPTURE_BLAME_ACCESS },
		{ 401, PAGE, KAPTURE_BLAME_TOKEN },
		{ 403, REFUSED, KAPTURE_BLAME_TOKEN },
	};
	const struct key key = make_key(KEY_ID, "7");

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		const struct http_reply reply = { .status = table[i].status };
		struct kapture_verdict verdict = kapture_judge(&key, &reply, &table[i].payload);

		if (verdict.blame != table[i].blame)
			fail_msg("row %zu: %d", i, verdict.blame);
	}
}

static void test_what_a_lost_transfer_says_of_the_api(void **state)
{
	static const struct {
		int error;
		long status;
		enum kapture_blame blame;
	} table[] = {
		{ -EHOSTUNREACH, 0, KAPTURE_BLAME_API },
		{ -ETIMEDOUT, 0, KAPTURE_BLAME_API },
		{ -ETIMEDOUT, 200, KAPTURE_BLAME_API },
		{ -EIO, 0, KAPTURE_BLAME_API },
		{ -EPROTO, 0, KAPTURE_BLAME_API }, /* TLS */
		/* Cut short, too large, or our own fault. */
		{ -EPROTO, 200, KAPTURE_BLAME_NOTHING },
		{ -EFBIG, 200, KAPTURE_BLAME_NOTHING },
		{ -ENOMEM, 0, KAPTURE_BLAME_NOTHING },
	};
	const struct key key = make_key(KEY_ID, "7");
	const struct payload none = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(table); i++) {
		const struct http_reply reply = { .error = table[i].error,
			                          .status = table[i].status };
		struct kapture_verdict verdict = kapture_judge(&key, &reply, &none);

		assert_int_equal(verdict.blame, table[i].blame);
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
		cmocka_unit_test(test_what_a_reply_says_of_the_api),
		cmocka_unit_test(test_what_a_lost_transfer_says_of_the_api),
		cmocka_unit_test(test_transfers_without_a_reply),
		cmocka_unit_test(test_a_customer_is_the_answer_with_any_code_but_401),
		cmocka_unit_test(test_another_customer_than_asked_for_by_id_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
