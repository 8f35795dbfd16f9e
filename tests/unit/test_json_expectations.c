/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "json_expectations.h"
#include "kapturefs/base/base.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/payload.h"

static char *write_text(const struct json_expectation *row, size_t *ret_length)
{
	size_t length = row->length * row->repeated;
	size_t ends = row->end ? row->repeated : 0;
	char *text = malloc(length + ends + 1);

	assert_non_null(text);
	for (size_t i = 0; i < row->repeated; i++)
		memcpy(text + i * row->length, row->text, row->length);
	memset(text + length, row->end, ends);
	*ret_length = length + ends;
	return text;
}

static bool is_accepted(const struct json_expectation *row)
{
	struct json_scan scan;
	size_t offset;
	size_t length;
	char *text = write_text(row, &length);
	int r = json_scan(text, length, &scan, &offset);

	if (!r)
		json_scan_fini(&scan);
	free(text);
	return !r;
}

/* What the gate lets through, the parser behind it must be able to read: it is not asked twice. */
static bool is_read(const struct json_expectation *row)
{
	struct payload payload;
	size_t length;
	char *text = write_text(row, &length);
	int r = payload_read(text, length, NULL, &payload);

	assert_int_equal(payload.verdict, PAYLOAD_MALFORMED);
	payload_fini(&payload);
	free(text);
	return !r;
}

static void assert_all(const struct json_expectation *rows, size_t count, bool expected)
{
	for (size_t i = 0; i < count; i++) {
		if (is_accepted(&rows[i]) != expected || !is_read(&rows[i]))
			fail_msg("row %zu: %.*s", i, (int)rows[i].length, rows[i].text);
	}
}

static void test_all_95_that_must_be_accepted_are(void **state)
{
	(void)state;
	assert_int_equal(array_length(json_must_accept), 95);
	assert_all(json_must_accept, array_length(json_must_accept), true);
}

static void test_none_of_the_188_that_must_be_refused_is_accepted(void **state)
{
	(void)state;
	assert_int_equal(array_length(json_must_refuse), 188);
	assert_all(json_must_refuse, array_length(json_must_refuse), false);
}

static void test_the_35_open_ones_are_decided(void **state)
{
	(void)state;
	assert_int_equal(array_length(json_do_accept) + array_length(json_do_refuse), 35);
	assert_all(json_do_accept, array_length(json_do_accept), true);
	assert_all(json_do_refuse, array_length(json_do_refuse), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_95_that_must_be_accepted_are),
		cmocka_unit_test(test_none_of_the_188_that_must_be_refused_is_accepted),
		cmocka_unit_test(test_the_35_open_ones_are_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
