/* SPDX-License-Identifier: MIT */
/* What header_file and body_file may not say, since kapturefs says it itself. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "secret_files.h"

static void test_members_of_a_question_are_named_by_their_line(void **state)
{
	static const struct {
		const char *content;
		const char *why;
	} bodies[] = {
		{ "{\"phone\": \"secret\"}", "line 1 has the member phone" },
		{ "{\"a\": 1,\n\n \"kapture_customer_id\":\n 1}",
		  "line 3 has the member kapture_customer_id" },
		{ "{\"a\": {\"phone\": \"\\\"\"}, \"Email_ID\": []}",
		  "line 1 has the member email_id" },
		{ "{\"ph\\u006Fne\" : 1}", "line 1 has the member phone" },
		{ "{\"\\u0050HONE\" : 1}", "line 1 has the member phone" },
		{ "{\"cm_id\": 1}", "line 1 has the member cm_id" },
		{ "{\"createStartDate\": 1}", "line 1 has the member createStartDate" },
		{ "{\"CREATEENDDATE\": 1}", "line 1 has the member createEndDate" },
		{ "{\r\n\"limit\": 1}", "line 2 has the member limit" },
		{ "\xef\xbb\xbf{\n\"offset\": 1}", "line 2 has the member offset" },
	};
	char file[PATH_MAX];
	char why[128];

	for (size_t i = 0; i < array_length(bodies); i++) {
		struct config config = { .body_file = file };

		strcpy(file, scratch_write(*state, "body", 0600, bodies[i].content));
		snprintf(why, sizeof(why), "%s, with which kapturefs itself asks; leave it out",
		         bodies[i].why);
		assert_refused(*state, &config, "body_file", file, why);
	}
}

static void test_members_that_only_look_like_a_questions_are_taken(void **state)
{
	char file[PATH_MAX];
	struct config config = { .body_file = file };
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint = { .text = "" };

	strcpy(file, scratch_write(*state, "body", 0600,
	                           "{\"phones\": 1, \"phon\": \"phone\", \"x\": {\"phone\": 1},"
	                           " \"\\\"phone\": 1, \"\": \"limit\"}"));
	if (read_secrets(*state, &config, &secrets, &complaint))
		fail_msg("%s", complaint.text);
	config_secrets_fini(&secrets);
}

static void test_headers_that_are_http_s_own_are_named_by_their_line(void **state)
{
	static const char *const names[] = {
		"Authorization",
		"Connection",
		"Content-Encoding",
		"Content-Length",
		"Content-Type",
		"Expect",
		"Host",
		"HTTP2-Settings",
		"Keep-Alive",
		"TE",
		"Proxy-Authorization",
		"Proxy-Authenticate",
		"Trailer",
		"Proxy-Connection",
		"Transfer-Encoding",
		"Upgrade",
	};
	static const char *const forms[][2] = { { "", ": secret" }, { "", ":" }, { "'", ":x'" } };
	char file[PATH_MAX];
	char content[96];
	char why[128];

	for (size_t i = 0; i < array_length(names) * array_length(forms); i++) {
		const char *name = names[i % array_length(names)];
		const char *const *form = forms[i / array_length(names)];
		struct config config = { .header_file = file };
		char lower[32] = "";

		for (size_t at = 0; name[at]; at++)
			lower[at] = (char)tolower((unsigned char)name[at]);
		snprintf(content, sizeof(content), "x-api-key: b\n\n%s%s%s\n", form[0],
		         i % 2 ? name : lower, form[1]);
		strcpy(file, scratch_write(*state, "headers", 0600, content));
		snprintf(why, sizeof(why),
		         "line 3 is a header %s, which kapturefs itself sends or never does; leave "
		         "it out",
		         name);
		assert_refused(*state, &config, "header_file", file, why);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_members_of_a_question_are_named_by_their_line),
		TEST(test_members_that_only_look_like_a_questions_are_taken),
		TEST(test_headers_that_are_http_s_own_are_named_by_their_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
