/* SPDX-License-Identifier: MIT */
/* What is read of a customer without a record is what a record has. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/command/export_parts.h"
#include "kapturefs/sandbox/generator.h"

/* All that was visited, as text. */
static struct buffer visited;

static void note(const char *text, size_t length)
{
	assert_int_equal(buffer_append(&visited, text, length), 0);
}

static void note_cell(const struct export_cell *cell)
{
	struct buffer decoded;

	buffer_init(&decoded, 1 << 20);
	if (cell->is_escaped)
		assert_int_equal(export_brief_decode(cell, &decoded), 0);
	note(cell->is_string && cell->length ? "s" : "=", 1);
	note(cell->is_escaped ? decoded.data : cell->text,
	     cell->is_escaped ? decoded.length : cell->length);
	buffer_fini(&decoded);
}

static int begin(struct export_csv *csv, const struct export_cell *customer)
{
	(void)csv;
	note("{", 1);
	if (customer)
		note_cell(customer);
	return 0;
}

static void take(struct export_csv *csv, size_t column, const struct export_cell *cell)
{
	note(string_set_at(&csv->columns.names, (uint32_t)column),
	     strlen(string_set_at(&csv->columns.names, (uint32_t)column)));
	note_cell(cell);
	note("\n", 1);
}

static int end(struct export_csv *csv)
{
	(void)csv;
	note("}", 1);
	return 0;
}

static const struct export_visitor visitor = { begin, take, end };

/* Both ways; returns what the brief one does. */
static int visit_both(struct export_csv *csv, const char *json)
{
	struct buffer brief;
	int r;

	buffer_init(&visited, 1 << 20);
	r = export_brief_walk(csv, &visitor, json, strlen(json));
	assert_true(r >= 0);
	brief = visited;
	buffer_init(&visited, 1 << 20);
	assert_int_equal(export_csv_visit_record(csv, &visitor, json, strlen(json)), 0);
	if (!r) {
		assert_int_equal(brief.length, visited.length);
		if (brief.length)
			assert_memory_equal(brief.data, visited.data, brief.length);
	}
	buffer_fini(&brief);
	buffer_fini(&visited);
	return r;
}

static void assert_visits(const char *const *customers, size_t count, int expected)
{
	for (int contacts = 0; contacts < 2; contacts++) {
		struct export_csv csv;

		export_csv_init(&csv);
		csv.with_contacts = contacts;
		for (size_t i = 0; i < count; i++) {
			if (visit_both(&csv, customers[i]) != expected)
				fail_msg("%s", customers[i]);
		}
		export_csv_fini(&csv);
	}
}

static void test_generated_customers_are_brief(void **state)
{
	static const struct generator generator = { .seed = 3, .customers = 1000 };
	struct export_csv csv[2];
	struct buffer json;

	(void)state;
	for (int contacts = 0; contacts < 2; contacts++) {
		export_csv_init(&csv[contacts]);
		csv[contacts].with_contacts = contacts;
	}
	for (uint32_t i = 0; i < 1000; i++) {
		buffer_init(&json, 1 << 20);
		assert_int_equal(generator_write(&generator, i, &json), 0);
		assert_int_equal(buffer_append(&json, "\n", 2), 0);
		assert_int_equal(visit_both(&csv[0], json.data), 0);
		assert_int_equal(visit_both(&csv[1], json.data), 0);
		buffer_fini(&json);
	}
	export_csv_fini(&csv[0]);
	export_csv_fini(&csv[1]);
}

static void test_unusual_customers_are_brief_and_read_alike(void **state)
{
	static const char *const customers[] = {
		"{\"id\":1}",
		" { \"id\" : \"7\" , \"a-b_C9\" : null,\"t\":true,\"f\":false,\"n\":-1.5e+3 } ",
		"{\"id\":1,\"s\":\"\\\\\",\"t\":\"\\\"\\\\\\\"\",\"u\":\"\\b\\f\\n\\r\\t\\/\"}",
		"{\"id\":1,\"u\":\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u0000x\\u0001\"}",
		"{\"id\":1,\"e\":\"\",\"o\":{},\"l\":[],\"d\":{\"x\":{\"y\":\"z\"}}}",
		"{\"id\":1,\"contacts\":[]}",
		"{\"id\":1,\"contacts\":{\"contacts\":3}}",
		"{\"id\":1,\"contacts\":\"none\"}",
		"{\"contacts\":[{\"id\":3,\"x\":\"]}\\\"\"},{},{\"contacts\":[]}],\"id\":2}",
		"{\"id\":1,\"contacts\":[{\"id\":2,\"s\":\"\\\\\"} , {\"d\":{\"id\":4}}]}",
		"{\"id\":1,\"x\":{\"id\":5,\"contacts\":7}}",
	};

	(void)state;
	assert_visits(customers, array_length(customers), 0);
}

static void test_what_is_otherwise_is_left_to_records(void **state)
{
	static const char *const customers[] = {
		"{\"id\":1,\"id\":2}",
		"{\"id\":1,\"a\":{\"b\":1},\"a\":2}",
		"{\"id\":1,\"a\":{\"b\":1,\"b\":2}}",
		"{\"id\":1,\"a/b\":2}",
		"{\"id\":1,\"\":2}",
		"{\"id\":1,\"\\u0061\":2}",
		"{\"id\":1,\"\xc3\xa9\":2}",
		"{\"id\":1,\"a\":[1]}",
		"{\"id\":1,\"contacts\":[],\"contacts\":[]}",
		"{\"id\":1,\"x\":{\"contacts\":[{\"id\":1}]}}",
	};
	static const char *const contacts[] = {
		"{\"id\":1,\"contacts\":[1]}",
		"{\"id\":1,\"contacts\":[[]]}",
		"{\"id\":1,\"contacts\":[{\"a\":[1]}]}",
		"{\"id\":1,\"contacts\":[{\"a\":1,\"a\":2}]}",
	};
	struct export_csv csv;

	(void)state;
	assert_visits(customers, array_length(customers), EXPORT_NOT_BRIEF);
	export_csv_init(&csv);
	csv.with_contacts = true;
	for (size_t i = 0; i < array_length(contacts); i++)
		assert_int_equal(visit_both(&csv, contacts[i]), EXPORT_NOT_BRIEF);
	export_csv_fini(&csv);
}

/* Cut anywhere, and with any byte for another, it is read within its bounds. */
static void test_damaged_text_does_no_harm(void **state)
{
	static const char json[] = "{\"id\":1,\"a\":\"\\u00e9\\ud83d\\ude00\\\\\",\"b\":{\"c\":-1},"
	                           "\"contacts\":[{\"d\":\"x\\\"\"},{\"e\":null}],\"f\":[]}";
	static const char bytes[] = "\"\\{}[]:,u0\xff";
	char *text;

	(void)state;
	for (size_t length = 0; length < sizeof(json); length++) {
		for (size_t place = 0; place < length * sizeof(bytes); place++) {
			struct export_csv csv;

			/* Exactly as long, for who watches what is read. */
			text = malloc(length);
			assert_non_null(text);
			memcpy(text, json, length);
			text[place / sizeof(bytes)] = bytes[place % sizeof(bytes)];
			export_csv_init(&csv);
			csv.with_contacts = place % 2;
			buffer_init(&visited, 1 << 20);
			assert_true(export_brief_walk(&csv, &visitor, text, length) >= 0);
			buffer_fini(&visited);
			export_csv_fini(&csv);
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_customers_are_brief),
		cmocka_unit_test(test_unusual_customers_are_brief_and_read_alike),
		cmocka_unit_test(test_what_is_otherwise_is_left_to_records),
		cmocka_unit_test(test_damaged_text_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
