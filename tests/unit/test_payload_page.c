/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/model/payload_page.h"

#define ACCOUNT   "1000298"
#define SUCCESS   ",\"status\":\"success\"}"
#define FAILED    ",\"status\":\"failed\"}"
#define TWO       "[{\"id\":7,\"name\":\"Asha\"},{\"id\":\"8\"}]"
#define CONTACTS  "\"contacts\":[{\"id\":500007,\"leadId\":7}]"
#define MALFORMED NULL, PAYLOAD_MALFORMED

#define OWN "[{\"id\":7,\"cmId\":1000298},{\"id\":8,\"cmId\":1000298}]"

static const struct payload_page_question first = { .account = ACCOUNT };

static struct payload_page read_page(const char *body, struct roster *roster)
{
	struct payload_page page;

	assert_int_equal(payload_read_page(body, strlen(body), &first, roster, &page), 0);
	assert_int_equal(page.verdict >= PAYLOAD_MALFORMED, page.complaint != NULL);
	return page;
}

/* Whom the page shows, as the text of a roster. */
static void assert_page(const char *body, const char *expected, enum payload_verdict verdict)
{
	struct roster roster = { 0 };
	struct payload_page page = read_page(body, &roster);
	struct buffer text;

	if (page.verdict != verdict)
		fail_msg("verdict %d, not %d: %s", page.verdict, verdict, body);
	buffer_init(&text, 1 << 20);
	assert_int_equal(roster_write(&roster, &text), 0);
	if (expected && strncmp(text.data, expected, text.length) != 0)
		fail_msg("%.*s: %s", (int)text.length, text.data, body);
	buffer_fini(&text);
	roster_fini(&roster);
}

static void test_customers_are_the_first_list_where_siblings_have_theirs(void **state)
{
	static const char *const bodies[] = {
		"{\"customers\":" TWO SUCCESS,
		"{\"message\":" TWO SUCCESS,
		"{\"Message\":" TWO ",\"Status\":\"SUCCESS\"}",
		"{\"message\":{\"count\":2,\"list\":" TWO "}" SUCCESS,
		"{\"message\":{\"errors\":[],\"list\":" TWO "}" SUCCESS,
		"{\"Customer Details\":" TWO SUCCESS,
		"{\"Customer Details\":{\"all\":" TWO "}" SUCCESS,
		"{\"warnings\":[],\"columns\":[\"id\"],\"data\":" TWO SUCCESS,
		"{\"message\":\"2 customers\",\"data\":" OWN SUCCESS,
		"{\"message\":\"2 customers\",\"Customers\":" TWO SUCCESS,
		/* What stands elsewhere describes it. */
		"{\"fields\":[{\"id\":99}],\"message\":" TWO SUCCESS,
		"{\"fields\":[{\"id\":99}],\"Customer Details\":{\"all\":" TWO "}" SUCCESS,
		"{\"message\":" TWO ",\"Customer Details\":[{\"id\":99}]" SUCCESS,
		"{\"message\":{\"fields\":[],\"list\":" TWO "},\"filters\":[{\"id\":99}]" SUCCESS,
		"{\"message\":{\"columns\":[{\"id\":99}],\"customers\":" TWO "}" SUCCESS,
		"{\"message\":{\"columns\":[{\"id\":99}],\"list\":" OWN "}" SUCCESS,
		"{\"message\":{\"list\":" OWN ",\"filters\":[{\"id\":99}]}" SUCCESS,
		"{\"columns\":[{\"id\":99}],\"filters\":[{\"id\":98}],\"data\":" OWN SUCCESS,
		"{\"columns\":[{\"id\":99}],\"customers\":" TWO SUCCESS,
		"{\"message\":[{\"contacts\":[{\"id\":9}],\"id\":7},{\"id\":8}]" SUCCESS,
		"{\"message\":[{\"id\":7,\"cmId\":1000298},{\"id\":8,\"cmId\":\"1000298\"}"
		"]" SUCCESS,
	};

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++)
		assert_page(bodies[i], "\n7\n8\n", PAYLOAD_FOUND);
}

static void test_an_id_that_is_empty_is_looked_for_under_the_next_name(void **state)
{
	static const char *const customers[] = {
		"{\"id\":7}",
		"{\"id\":\"007\"}",
		"{\"customer_id\":\"7\",\"leadId\":9}",
		"{\"id\":0,\"customer_id\":7}",
		"{\"id\":\"000\",\"customer_id\":7}",
		"{\"id\":\"\",\"customer_id\":\" \",\"kapture_customer_id\":7}",
		"{\"id\":null,\"kapture_customer_id\":\"0\",\"leadId\":7}",
		"{\"id\":8,\"id\":7}",
	};
	char body[256];

	(void)state;
	for (size_t i = 0; i < array_length(customers); i++) {
		snprintf(body, sizeof(body), "{\"message\":[%s]" SUCCESS, customers[i]);
		assert_page(body, "\n7\n", PAYLOAD_FOUND);
	}
}

static void test_list_with_somebody_who_cannot_be_shown_is_malformed(void **state)
{
	static const char *const customers[] = {
		"{}",
		"{\"name\":\"Asha\"}",
		"{\"id\":0}",
		"{\"id\":\"00\"}",
		"{\"id\":\"x\"}",
		"{\"id\":1.5}",
		"{\"id\":-7}",
		"{\"id\":7e3}",
		"{\"id\":true}",
		"{\"id\":[7]}",
		"{\"id\":{\"id\":7}}",
		"{\"id\":\"x\",\"leadId\":7}",
		"{\"id\":123456789012345678901}",
		"{\"Id\":7}",
		"{\"id\":7,\"cmId\":5}",
		"{\"id\":7,\"cmId\":[1000298]}",
	};
	char body[256];

	(void)state;
	for (size_t i = 0; i < array_length(customers); i++) {
		snprintf(body, sizeof(body), "{\"message\":[{\"id\":6},%s]" SUCCESS, customers[i]);
		assert_page(body, MALFORMED);
	}
}

static void test_a_list_that_cannot_be_told_from_others_is_nobodys(void **state)
{
	static const char *const bodies[] = {
		"{\"columns\":[{\"id\":99}],\"data\":" TWO SUCCESS,
		"{\"message\":{\"data\":" TWO ",\"columns\":[{\"id\":99}]}" SUCCESS,
		"{\"message\":{\"data\":" OWN ",\"others\":" OWN "}" SUCCESS,
		("{\"message\":\"No customers found\",\"columns\":[{\"id\":99}]" SUCCESS),
	};

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++)
		assert_page(bodies[i], MALFORMED);
}

static void test_nobody_is_there_only_if_the_answer_says_so(void **state)
{
	static const char *const bodies[] = {
		"{\"message\":[]" SUCCESS,
		"{\"message\":{\"list\":[]}" SUCCESS,
		"{\"Customer Details\":[]" SUCCESS,
		"{\"fields\":[{\"id\":99}],\"message\":[]" SUCCESS,
		"{\"fields\":[{\"id\":99}],\"message\":{\"list\":[]}" SUCCESS,
		"{\"customers\":[]" SUCCESS,
		"{\"message\":{\"columns\":[{\"id\":99}],\"customers\":[]}" SUCCESS,
	};
	static const char *const texts[] = {
		"{\"message\":\"No customers found\"" SUCCESS,
		"{\"message\":\"\"" SUCCESS,
		"{\"message\":\"Try again later\"" SUCCESS,
	};
	struct roster roster = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++)
		assert_page(bodies[i], "\n", PAYLOAD_ABSENT);
	/* A text may say anything, and is told apart. */
	for (size_t i = 0; i < array_length(texts); i++) {
		assert_page(texts[i], "\n", PAYLOAD_ABSENT);
		assert_true(read_page(texts[i], &roster).is_text);
	}
	assert_false(read_page(bodies[0], &roster).is_text);
	roster_fini(&roster);
}

static void test_a_later_page_has_its_list_where_the_first_had_it(void **state)
{
	static const struct payload_page_question later = { ACCOUNT, .is_documented = true };
	static const char body[] = "{\"fields\":[{\"id\":99}],\"message\":\"No more\"" SUCCESS;
	struct roster roster = { 0 };
	struct payload_page page;

	(void)state;
	assert_true(read_page("{\"message\":" TWO SUCCESS, &roster).is_documented);
	assert_int_equal(payload_read_page(body, strlen(body), &later, &roster, &page), 0);
	assert_int_equal(page.verdict, PAYLOAD_ABSENT);
	assert_true(page.is_text);
	assert_int_equal(roster.present, 2);
	assert_false(read_page("{\"data\":" TWO SUCCESS, &roster).is_documented);
	roster_fini(&roster);
}

static void test_a_total_may_be_stated(void **state)
{
	static const struct {
		const char *members;
		uint64_t total;
	} rows[] = {
		{ "\"totalCount\":120", 120 },     { "\"total_count\":\"120\"", 120 },
		{ "\"Total\":120", 120 },          { "\"total records\":120", 120 },
		{ "\"totalCount\":null", 0 },      { "\"totalCount\":1.5", 0 },
		{ "\"totalCount\":\"many\"", 0 },  { "\"count\":2", 0 },
		{ "\"totalNoOfEnquiries\":2", 0 }, { "\"x\":1", 0 },
	};
	struct roster roster = { 0 };
	char body[256];

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		snprintf(body, sizeof(body), "{%s,\"message\":" TWO SUCCESS, rows[i].members);
		assert_int_equal(read_page(body, &roster).total, rows[i].total);
		snprintf(body, sizeof(body), "{\"message\":{\"list\":" TWO ",%s}" SUCCESS,
		         rows[i].members);
		assert_int_equal(read_page(body, &roster).total, rows[i].total);
	}
	roster_fini(&roster);
}

static void test_nonsense_is_never_an_empty_day(void **state)
{
	static const char *const bodies[] = {
		"",
		"x",
		"[]",
		TWO,
		"7",
		"\"\"",
		"null",
		"{}",
		"{\"message\":" TWO "}",
		"{\"message\":" TWO ",\"status\":\"ok\"}",
		"{\"message\":" TWO ",\"status\":true}",
		"{\"message\":" TWO SUCCESS "x",
		"{\"message\":[{\"id\":7}" SUCCESS,
		"{\"status\":\"success\"}",
		"{\"message\":{}" SUCCESS,
		"{\"message\":null" SUCCESS,
		"{\"message\":7" SUCCESS,
		"{\"message\":true" SUCCESS,
		"{\"Customer Details\":\"does not exist\"" SUCCESS,
		"{\"message\":[7,8]" SUCCESS,
		"{\"message\":[{\"id\":7},8]" SUCCESS,
		"{\"message\":[[{\"id\":7}]]" SUCCESS,
		"{\"message\":{\"data\":{\"list\":" TWO "}}" SUCCESS,
		"{\"message\":\"\",\"data\":{\"list\":" TWO "}" SUCCESS,
		"{\"message\":{\"id\":7," CONTACTS "}" SUCCESS,
		"{\"list\":[],\"data\":{\"list\":" TWO "}" SUCCESS,
		"{\"Customer Details\":{\"id\":7," CONTACTS "}" SUCCESS,
	};

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++)
		assert_page(bodies[i], MALFORMED);
}

static void test_failures_are_told_apart(void **state)
{
	(void)state;
	assert_page("{\"message\":\"Invalid Auth Key\"" FAILED, NULL, PAYLOAD_REFUSED);
	assert_page("{\"Message\":\"invalid auth key\",\"Status\":\"Fail\"}", NULL,
	            PAYLOAD_REFUSED);
	assert_page("{\"message\":\"Invalid Auth Key\"" SUCCESS, NULL, PAYLOAD_REFUSED);
	assert_page("{\"Customer Details\":\"Invalid Auth Key\"" FAILED, NULL, PAYLOAD_REFUSED);
	assert_page("{\"message\":\"Date range is too large\"" FAILED, NULL, PAYLOAD_FAILED);
	assert_page("{\"message\":[]" FAILED, NULL, PAYLOAD_FAILED);
	/* Of one customer it would be an absence; a day's is told by a list. */
	assert_page("{\"Customer Details\":\"Information given by you does not exist in our "
	            "sytsem.\"" FAILED,
	            NULL, PAYLOAD_FAILED);
	assert_page("{\"message\":" TWO FAILED, NULL, PAYLOAD_FAILED);
	assert_page("{\"status\":\"failed\"}", NULL, PAYLOAD_FAILED);
}

static void test_pages_add_up_and_tell_whom_they_show_for_the_first_time(void **state)
{
	struct roster roster = { 0 };
	struct payload_page page = read_page("{\"message\":" TWO SUCCESS, &roster);

	(void)state;
	assert_int_equal(page.count, 2);
	assert_int_equal(page.count_new, 2);
	page = read_page("{\"message\":[{\"id\":8},{\"id\":9},{\"id\":9}]" SUCCESS, &roster);
	assert_int_equal(page.count, 3);
	assert_int_equal(page.count_new, 1);
	assert_int_equal(roster.present, 3);
	roster_fini(&roster);
}

/* Width */

/* A page of the ids from 1 to @count, each customer with @width more values of the kind @value. */
static void write_wide(struct buffer *body, uint32_t count, uint32_t width, const char *value)
{
	int r = buffer_append_text(body, "{\"message\":[");

	for (uint32_t i = 1; !r && i <= count; i++) {
		r = buffer_print(body, "%s{\"a\":[", i == 1 ? "" : ",");
		for (uint32_t j = 0; !r && j < width; j++)
			r = buffer_print(body, "%s%s", j ? "," : "", value);
		if (!r)
			r = buffer_print(body, "],\"id\":%" PRIu32 ",\"cmId\":" ACCOUNT "}", i);
	}
	assert_int_equal(r ? r : buffer_append_text(body, "]" SUCCESS), 0);
}

static struct payload_page read_wide(uint32_t count, uint32_t width, const char *value)
{
	struct roster roster = { 0 };
	struct payload_page page;
	struct buffer body;

	buffer_init(&body, SIZE_MAX);
	write_wide(&body, count, width, value);
	page = read_page(body.data, &roster);
	assert_int_equal(page.verdict == PAYLOAD_FOUND, roster.present == count);
	buffer_fini(&body);
	roster_fini(&roster);
	return page;
}

static void test_customers_of_a_page_may_have_any_number_of_values(void **state)
{
	static const char *const values[] = { "0", "{}", "[]", "{\"id\":9}", "[{\"id\":9}]" };

	(void)state;
	for (size_t i = 0; i < array_length(values); i++) {
		assert_int_equal(read_wide(2, 100000, values[i]).count, 2);
		assert_int_equal(read_wide(1000, 300, values[i]).count, 1000);
	}
}

static void test_a_page_of_more_ids_than_memory_is_for_is_too_large(void **state)
{
	(void)state;
	assert_int_equal(read_wide(20000, 1, "0").count, 20000);
	assert_int_equal(read_wide(70000, 1, "0").verdict, PAYLOAD_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_customers_are_the_first_list_where_siblings_have_theirs),
		cmocka_unit_test(test_an_id_that_is_empty_is_looked_for_under_the_next_name),
		cmocka_unit_test(test_list_with_somebody_who_cannot_be_shown_is_malformed),
		cmocka_unit_test(test_a_list_that_cannot_be_told_from_others_is_nobodys),
		cmocka_unit_test(test_nobody_is_there_only_if_the_answer_says_so),
		cmocka_unit_test(test_a_later_page_has_its_list_where_the_first_had_it),
		cmocka_unit_test(test_a_total_may_be_stated),
		cmocka_unit_test(test_nonsense_is_never_an_empty_day),
		cmocka_unit_test(test_failures_are_told_apart),
		cmocka_unit_test(test_pages_add_up_and_tell_whom_they_show_for_the_first_time),
		cmocka_unit_test(test_customers_of_a_page_may_have_any_number_of_values),
		cmocka_unit_test(test_a_page_of_more_ids_than_memory_is_for_is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
