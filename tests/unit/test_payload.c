/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "records.h"

/* The verdict on a reply, with all that must go with it. */
static enum payload_verdict judge_bytes(const char *body, size_t length)
{
	struct payload payload;
	enum payload_verdict verdict;

	assert_int_equal(payload_read(body, length, NULL, &payload), 0);
	verdict = payload.verdict;
	assert_int_equal(verdict == PAYLOAD_FOUND, payload.record != NULL);
	assert_int_equal(verdict == PAYLOAD_MALFORMED, payload.complaint != NULL);
	assert_true(verdict == PAYLOAD_MALFORMED || !payload.is_page);
	assert_true(verdict == PAYLOAD_FAILED || !payload.sentence);
	payload_fini(&payload);
	assert_null(payload.record);
	return verdict;
}

static void assert_verdict(enum payload_verdict expected, const char *body)
{
	enum payload_verdict verdict = judge_bytes(body, strlen(body));

	if (verdict != expected)
		fail_msg("verdict %d, not %d: %s", verdict, expected, body);
}

static void assert_value(const struct record *record, const char *path, const char *expected,
                         size_t length)
{
	const struct member *member = get_member(record, path);

	assert_false(member_is_directory(member));
	assert_int_equal(member->value_length, length);
	assert_memory_equal(member->value, expected, length + 1);
}

/* The file of a member whose value is sent as @sent holds exactly @expected. */
static void assert_shown(const char *sent, const char *expected, size_t length)
{
	struct record *record;
	char json[256];

	snprintf(json, sizeof(json), "{\"id\":7,\"value\":%s}", sent);
	record = make_record(json);
	assert_value(record, "value", expected, length);
	record_unref(record);
}

/* Verdicts */

static void assert_verdicts(enum payload_verdict expected, const char *details,
                            const char *const *statuses, size_t count)
{
	char body[256];

	for (size_t i = 0; i < count; i++) {
		snprintf(body, sizeof(body), "{%s\"status\":%s}", details, statuses[i]);
		assert_verdict(expected, body);
		snprintf(body, sizeof(body), "{\"Status\":%s,%s\"x\":1}", statuses[i], details);
		assert_verdict(expected, body);
	}
}

static void test_the_verdict_is_the_status_and_the_type_of_the_details(void **state)
{
	static const struct {
		const char *details;
		enum payload_verdict success;
		enum payload_verdict failed;
	} rows[] = {
		{ "\"Customer Details\":{\"id\":7},", PAYLOAD_FOUND, PAYLOAD_FAILED },
		{ "\"Customer Details\":\"Information given by you does not exist in our "
		  "sytsem.\",",
		  PAYLOAD_MALFORMED, PAYLOAD_ABSENT },
		{ "\"Customer Details\":\"does not exist\",", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":\"\",", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":{},", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":[],", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":[{\"id\":7}],", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":null,", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":7,", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "\"Customer Details\":true,", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
		{ "", PAYLOAD_MALFORMED, PAYLOAD_FAILED },
	};
	static const char *const success[] = { "\"success\"", "\"Success\"", "\"SUCCESS\"" };
	static const char *const failed[] = { "\"failed\"", "\"Failed\"", "\"fail\"", "\"Fail\"" };
	static const char *const unknown[] = {
		"\"ok\"",     "\"\"",        "0",      "1",  "null", "true",
		"\"succes\"", "\"failed \"", "\"n1\"", "[]", "{}",   "\"success\\u0000\"",
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		const char *details = rows[i].details;
		char body[256];

		assert_verdicts(rows[i].success, details, success, array_length(success));
		assert_verdicts(rows[i].failed, details, failed, array_length(failed));
		assert_verdicts(PAYLOAD_MALFORMED, details, unknown, array_length(unknown));
		snprintf(body, sizeof(body), "{%s\"state\":\"success\"}", details);
		assert_verdict(PAYLOAD_MALFORMED, body);
	}
}

static void test_an_invalid_key_is_a_refusal(void **state)
{
	(void)state;
	assert_verdict(PAYLOAD_REFUSED, "{\"message\":\"Invalid Auth Key\",\"status\":\"failed\"}");
	assert_verdict(PAYLOAD_REFUSED, "{\"Message\":\"INVALID auth key\",\"Status\":\"Fail\"}");
	assert_verdict(PAYLOAD_REFUSED, "{\"message\":\"Invalid Auth Key\",\"status\":\"failed\","
	                                "\"Customer Details\":\"Information given by you does not "
	                                "exist.\"}");
	assert_verdict(PAYLOAD_REFUSED,
	               "{\"Customer Details\":\"Invalid Auth Key\",\"status\":\"failed\"}");
	assert_verdict(PAYLOAD_FAILED, "{\"message\":\"Invalid Auth Keys\",\"status\":\"failed\"}");
	assert_verdict(PAYLOAD_FAILED, "{\"message\":\"Server Failure\",\"status\":\"failed\"}");
	assert_verdict(PAYLOAD_FAILED, "{\"message\":[],\"status\":\"failed\"}");
	assert_verdict(PAYLOAD_FAILED, "{\"status\":\"failed\"}");
	assert_verdict(PAYLOAD_MALFORMED, "{\"message\":\"Invalid Auth Key\"}");
	assert_verdict(PAYLOAD_FOUND, "{\"message\":\"Invalid Auth Key\",\"status\":\"success\","
	                              "\"Customer Details\":{\"id\":7}}");
}

/* By its letters in lower case: the beginning of the documented one, or the configured one. */
static void test_one_sentence_says_that_there_is_nobody_and_no_other(void **state)
{
	static const struct {
		const char *sentence;
		enum payload_verdict verdict;
	} rows[] = {
		{ "Information given by you does not exist in our sytsem.", PAYLOAD_ABSENT },
		{ "Information given by you does not exist in our system", PAYLOAD_ABSENT },
		{ "INFORMATION GIVEN BY YOU DOES NOT EXIST", PAYLOAD_ABSENT },
		{ " \\tInformation, given by you,\\u00a0does not exist!", PAYLOAD_ABSENT },
		{ "Information given by you does not exis", PAYLOAD_FAILED },
		{ "Sorry. Information given by you does not exist", PAYLOAD_FAILED },
		{ "Internal Server Error", PAYLOAD_FAILED },
		{ "", PAYLOAD_FAILED },
		/* The configured one, of which not only the beginning counts. */
		{ "No such customer, sorry", PAYLOAD_ABSENT },
		{ "no such customer \\u2013 sorry.", PAYLOAD_ABSENT },
		{ "No such customer, sorry about that", PAYLOAD_FAILED },
		{ "No such customer", PAYLOAD_FAILED },
	};
	struct payload payload;
	char body[256];

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		snprintf(body, sizeof(body), "{\"Customer Details\":\"%s\",\"status\":\"failed\"}",
		         rows[i].sentence);
		assert_int_equal(payload_read(body, strlen(body), "No such customer: sorry!",
		                              &payload),
		                 0);
		if (payload.verdict != rows[i].verdict)
			fail_msg("verdict %d: %s", payload.verdict, body);
		payload_fini(&payload);
	}
	/* Only there where the documented one stands. */
	assert_verdict(PAYLOAD_FAILED, "{\"message\":\"Information given by you does not exist\","
	                               "\"status\":\"failed\"}");
}

static void assert_sentence(const char *body, const char *expected)
{
	struct payload payload;

	assert_int_equal(payload_read(body, strlen(body), NULL, &payload), 0);
	assert_int_equal(payload.verdict, PAYLOAD_FAILED);
	if (expected)
		assert_string_equal(payload.sentence, expected);
	else
		assert_null(payload.sentence);
	payload_fini(&payload);
}

static void test_an_unknown_failure_comes_with_its_words(void **state)
{
	(void)state;
	assert_sentence("{\"Customer Details\":\"Busy\",\"status\":\"failed\"}", "Busy");
	assert_sentence("{\"message\":\"Busy\",\"status\":\"failed\"}", "Busy");
	assert_sentence("{\"message\":\"x\",\"Customer Details\":\"Busy\",\"status\":\"failed\"}",
	                "Busy");
	assert_sentence("{\"message\":[],\"status\":\"failed\"}", NULL);
	assert_sentence("{\"message\":7,\"status\":\"failed\"}", NULL);
	assert_sentence("{\"status\":\"failed\"}", NULL);
}

static void test_what_does_not_begin_as_json_is_a_page(void **state)
{
	static const char *const pages[] = {
		"",    " \r\n",   "<html></html>", "\xef\xbb\xbf<!DOCTYPE html>", "Try again later",
		"try", "\x1f\x8b"
	};
	static const char *const others[] = { "{", "[]", " {}", "\xef\xbb\xbf {\"a\":", "{]" };
	struct payload payload;

	(void)state;
	for (size_t i = 0; i < array_length(pages); i++) {
		assert_int_equal(payload_read(pages[i], strlen(pages[i]), NULL, &payload), 0);
		assert_true(payload.is_page);
	}
	for (size_t i = 0; i < array_length(others); i++) {
		assert_int_equal(payload_read(others[i], strlen(others[i]), NULL, &payload), 0);
		assert_false(payload.is_page);
	}
}

static void test_names_of_the_wrapper_have_no_case_and_the_last_one_counts(void **state)
{
	(void)state;
	assert_verdict(PAYLOAD_FOUND, "{\"STATUS\":\"success\",\"customer details\":{\"id\":7}}");
	assert_verdict(PAYLOAD_FAILED, "{\"status\":\"success\",\"Customer Details\":{\"id\":7},"
	                               "\"Status\":\"failed\",\"customer Details\":\"gone\"}");
	assert_verdict(PAYLOAD_FOUND, "{\"status\":\"failed\",\"Customer Details\":\"gone\","
	                              "\"status\":\"success\",\"Customer Details\":{\"id\":7}}");
	assert_verdict(PAYLOAD_MALFORMED, "{\"status\":\"success\",\"Customer Details\":{\"id\":7},"
	                                  "\"status\":null}");
	assert_verdict(PAYLOAD_MALFORMED,
	               "{\"status\":\"success\",\"CustomerDetails\":{\"id\":7}}");
}

static void test_what_is_not_a_json_object_is_malformed(void **state)
{
	static const char reply[] =
	        "{\"Customer Details\":{\"id\":7,\"n\":[1,{\"a\":\"\\u00e4\"}]},"
	        "\"status\":\"success\"}";
	static const char *const bodies[] = { "",     " ",    "[]",
		                              "null", "7",    "\"x\"",
		                              "{}",   "{}{}", "<html></html>",
		                              "\xff", "{]",   "[{\"status\":\"success\"}]" };

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++)
		assert_verdict(PAYLOAD_MALFORMED, bodies[i]);
	for (size_t length = 0; length < strlen(reply); length++)
		assert_int_equal(judge_bytes(reply, length), PAYLOAD_MALFORMED);
	assert_int_equal(judge_bytes(reply, strlen(reply)), PAYLOAD_FOUND);
	assert_int_equal(judge_bytes(reply, sizeof(reply)), PAYLOAD_MALFORMED);
	assert_int_equal(judge_bytes(NULL, 0), PAYLOAD_MALFORMED);
}

static void test_an_id_is_a_number_whatever_zeros_it_begins_with(void **state)
{
	static const char *const usable[][2] = {
		{ "{\"id\":7}", "7" },
		{ "{\"id\":\"7\"}", "7" },
		{ "{\"id\":9007199254740993}", "9007199254740993" },
		{ "{\"id\":12345678901234567890}", "12345678901234567890" },
		{ "{\"id\":\"\\u0037\"}", "7" },
		{ "{\"id\":\"0007\"}", "7" },
		{ "{\"id\":\"00000000000000000007\"}", "7" },
		{ "{\"id\":8,\"Id\":9,\"id\":7,\"ID\":10}", "7" },
	};
	static const char *const unusable[] = {
		"{}",
		"{\"id\":0}",
		"{\"id\":\"0\"}",
		"{\"id\":\"000\"}",
		"{\"id\":7.0}",
		"{\"id\":1e3}",
		"{\"id\":-7}",
		"{\"id\":\"\"}",
		"{\"id\":\"x\"}",
		"{\"id\":\" 7\"}",
		"{\"id\":true}",
		"{\"id\":null}",
		"{\"id\":[7]}",
		"{\"id\":{\"id\":7}}",
		"{\"Id\":7}",
		"{\"id\":7,\"id\":null}",
		"{\"id\":\"7\\u0000\"}",
		"{\"id\":123456789012345678901}",
		"[{\"id\":7}]",
		"7",
		"",
		"{\"id\":7}x",
	};
	struct record *record = NULL;

	(void)state;
	for (size_t i = 0; i < array_length(usable); i++) {
		record = make_record(usable[i][0]);
		assert_string_equal(record_id(record), usable[i][1]);
		record_unref(steal(&record));
	}
	for (size_t i = 0; i < array_length(unusable); i++) {
		if (payload_read_customer(unusable[i], strlen(unusable[i]), &record) != -EPROTO)
			fail_msg("accepted: %s", unusable[i]);
		assert_null(record);
	}
}

static void test_the_account_is_text_or_nothing(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"id\":7,\"cmId\":1000298}", "1000298" },
		{ "{\"id\":7,\"cmId\":\"1000298\"}", "1000298" },
		{ "{\"id\":7,\"cmId\":1,\"cmId\":2}", "2" },
		{ "{\"id\":7,\"cmId\":null}", "" },
		{ "{\"id\":7,\"cmId\":[1]}", "" },
		{ "{\"id\":7,\"cmid\":1}", "" },
		{ "{\"id\":7}", "" },
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		struct record *record = make_record(rows[i][0]);

		assert_string_equal(record_account(record), rows[i][1]);
		record_unref(record);
	}
}

/* Text */

static void assert_json(const struct record *record, const char *object)
{
	size_t length;
	const char *json = record_json(record, &length);

	assert_int_equal(length, strlen(object) + 1);
	assert_memory_equal(json, object, strlen(object));
	assert_string_equal(json + strlen(object), "\n");
}

static void test_the_json_is_the_object_as_sent_and_a_newline(void **state)
{
	static const char *const frames[][2] = {
		{ "{\"Customer Details\":", ",\"status\":\"success\"}" },
		{ "\xef\xbb\xbf {\"x\":[1,{}],\"customer details\":{},\r\n\"Customer Details\" : ",
		  " ,\"status\":\"success\"}\n" },
	};
	static const char object[] = "{ \"id\" :\t7,\"a\":\"\\u0041\\/\", \"id\":7 , \"b\":1E400 }";
	struct payload payload;
	char body[256];

	(void)state;
	for (size_t i = 0; i < array_length(frames); i++) {
		snprintf(body, sizeof(body), "%s%s%s", frames[i][0], object, frames[i][1]);
		assert_int_equal(payload_read(body, strlen(body), NULL, &payload), 0);
		assert_json(payload.record, object);
		payload_fini(&payload);
	}
}

static void test_a_records_json_makes_the_same_record(void **state)
{
	struct record *record = make_record(" \n{\"id\":7,\"a\":[{}]}\r\n");
	struct record *again = NULL;
	size_t length;
	const char *json = record_json(record, &length);

	(void)state;
	assert_int_equal(payload_read_customer(json, length, &again), 0);
	assert_json(record, "{\"id\":7,\"a\":[{}]}");
	assert_json(again, "{\"id\":7,\"a\":[{}]}");
	assert_int_equal(record_member_count(again), record_member_count(record));
	record_unref(record);
	record_unref(again);
}

static void test_values_are_exactly_as_sent(void **state)
{
	static const char *const numbers[] = { "0",
		                               "-0",
		                               "0.0",
		                               "1e400",
		                               "-1E-400",
		                               "1.10",
		                               "1e+5",
		                               "1234567",
		                               "-0.0",
		                               "0.1e001",
		                               "9223372036854775807",
		                               "12345678901234567890123",
		                               "9007199254740993" };

	(void)state;
	for (size_t i = 0; i < array_length(numbers); i++) {
		char shown[64];

		snprintf(shown, sizeof(shown), "%s\n", numbers[i]);
		assert_shown(numbers[i], shown, strlen(shown));
	}
	assert_shown("true", "true\n", 5);
	assert_shown("false", "false\n", 6);
	assert_shown("null", "", 0);
	assert_shown("\"\"", "", 0);
	assert_shown("\" \"", " \n", 2);
	assert_shown("\"\\n\"", "\n\n", 2);
	assert_shown("\"a\\n\"", "a\n\n", 3);
	assert_shown("\"n7\"", "n7\n", 3);
	assert_shown("\"s\"", "s\n", 2);
}

static void test_strings_are_their_utf8_bytes(void **state)
{
	(void)state;
	assert_shown("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t\n", 9);
	assert_shown("\"\\u00e4\\u20AC\"", "\xc3\xa4\xe2\x82\xac\n", 6);
	assert_shown("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80\n", 5);
	/* Half of it names no character. */
	assert_shown("\"Jos\\ud83d\"", "Jos\xef\xbf\xbd\n", 7);
	assert_shown("\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd\n", 7);
	assert_shown("\"\xc3\xa4\xf0\x9f\x98\x80\"", "\xc3\xa4\xf0\x9f\x98\x80\n", 7);
	assert_shown("\"\\u0000\"", "\0\n", 2);
	assert_shown("\"a\\u0000b\\u0001c\\u00010\"", "a\0b\1c\0010\n", 8);
	assert_shown("\"\\u001b[31m\"", "\033[31m\n", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_verdict_is_the_status_and_the_type_of_the_details),
		cmocka_unit_test(test_an_invalid_key_is_a_refusal),
		cmocka_unit_test(test_one_sentence_says_that_there_is_nobody_and_no_other),
		cmocka_unit_test(test_an_unknown_failure_comes_with_its_words),
		cmocka_unit_test(test_what_does_not_begin_as_json_is_a_page),
		cmocka_unit_test(test_names_of_the_wrapper_have_no_case_and_the_last_one_counts),
		cmocka_unit_test(test_what_is_not_a_json_object_is_malformed),
		cmocka_unit_test(test_an_id_is_a_number_whatever_zeros_it_begins_with),
		cmocka_unit_test(test_the_account_is_text_or_nothing),
		cmocka_unit_test(test_the_json_is_the_object_as_sent_and_a_newline),
		cmocka_unit_test(test_a_records_json_makes_the_same_record),
		cmocka_unit_test(test_values_are_exactly_as_sent),
		cmocka_unit_test(test_strings_are_their_utf8_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
