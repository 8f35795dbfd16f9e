/* SPDX-License-Identifier: MIT */

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "convert.h"
#include "json_cases.h"
#include "kapturefs/base/base.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/json_writer.h"

enum {
	RANDOM_ROUNDS = 50000,
	LONG_TEXT = 8 << 20,
	CONVERTED_MAX = 64,
	UNTOUCHED = 4711,
};

/* Scan a copy that ends where the text ends, so that a sanitizer sees a step beyond it. */
static int scan(const char *text, size_t length, struct json_scan *ret, size_t *ret_offset)
{
	char *copy = malloc(length + !length);
	int r;

	assert_non_null(copy);
	memcpy(copy, text, length);
	r = json_scan(copy, length, ret, ret_offset);
	free(copy);
	return r;
}

/* Which *@ret must then be ended. */
static void assert_accepted(const char *text, size_t length, struct json_scan *ret)
{
	size_t offset = UNTOUCHED;
	int r = scan(text, length, ret, &offset);

	if (r)
		fail_msg("%.*s: %d at %zu", (int)length, text, r, offset);
	assert_int_equal(offset, UNTOUCHED);
	assert_int_equal(strlen(ret->armoured.data), ret->armoured.length);
}

static void assert_refused(const char *text, size_t length, size_t expected)
{
	struct json_scan untouched = { .member_count = UNTOUCHED };
	size_t offset = UNTOUCHED;
	int r = scan(text, length, &untouched, &offset);

	if (r != -EPROTO || offset != expected)
		fail_msg("%.*s: %d at %zu, not at %zu", (int)length, text, r, offset, expected);
	assert_int_equal(untouched.member_count, UNTOUCHED);
	assert_null(untouched.members);
	assert_null(untouched.armoured.data);
}

static bool is_accepted(const char *text, size_t length)
{
	struct json_scan result;
	size_t offset;

	if (scan(text, length, &result, &offset))
		return false;
	json_scan_fini(&result);
	return true;
}

static void test_json_is_accepted_and_armoured(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(json_accepted); i++) {
		cleanup(json_scan_fini) struct json_scan result;

		assert_accepted(json_accepted[i].text, json_accepted[i].length, &result);
		assert_string_equal(result.armoured.data, json_accepted[i].armoured);
	}
}

static void test_what_is_not_json_is_refused_where_it_stops_being_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(json_refused); i++)
		assert_refused(json_refused[i].text, json_refused[i].length,
		               json_refused[i].offset);
}

static void test_an_answer_cut_short_anywhere_is_refused_at_its_end(void **state)
{
	size_t length = (size_t)(strrchr(json_answer, '}') - json_answer);

	(void)state;
	assert_true(is_accepted(json_answer, sizeof(json_answer) - 1));
	assert_true(is_accepted(json_answer, length + 1));
	for (; length > 0; length--) {
		/* A character without its last bytes is none from its first byte on. */
		bool is_within = (unsigned char)json_answer[length - 1] == 0xc3;

		assert_refused(json_answer, length, is_within ? length - 1 : length);
	}
}

/* Brackets of every kind that nest, with the innermost empty. */
static size_t nest(char *ret, size_t depth, unsigned kinds)
{
	size_t length = 0;

	for (size_t i = 0; i < depth; i++) {
		const char *opening = kinds >> i % 2 & 1 ? i + 1 < depth ? "{\"\":" : "{" : "[";

		memcpy(ret + length, opening, strlen(opening));
		length += strlen(opening);
	}
	for (size_t i = depth; i-- > 0;)
		ret[length++] = kinds >> i % 2 & 1 ? '}' : ']';
	return length;
}

static void test_nesting_is_accepted_to_64_and_refused_from_65_on(void **state)
{
	char text[JSON_DEPTH_MAX * 8];

	(void)state;
	for (unsigned kinds = 0; kinds < 4; kinds++) {
		size_t length = nest(text, JSON_DEPTH_MAX, kinds);

		assert_true(is_accepted(text, length));
		length = nest(text, JSON_DEPTH_MAX + 1, kinds);
		assert_false(is_accepted(text, length));
	}
	assert_refused(text, nest(text, JSON_DEPTH_MAX + 1, 0), JSON_DEPTH_MAX);
}

static void test_depth_counts_what_is_open_not_what_was(void **state)
{
	char text[JSON_DEPTH_MAX * 8] = "[";
	size_t length = 1;

	(void)state;
	length += nest(text + length, JSON_DEPTH_MAX - 1, 0);
	text[length++] = ',';
	length += nest(text + length, JSON_DEPTH_MAX - 1, 0);
	text[length++] = ']';
	assert_true(is_accepted(text, length));
}

/* A long text of nothing but @unit, and after it @end. */
static size_t repeat(char *text, const char *start, const char *unit, const char *end)
{
	size_t length = strlen(start);

	memcpy(text, start, length);
	for (; length + strlen(unit) + strlen(end) <= LONG_TEXT; length += strlen(unit))
		memcpy(text + length, unit, strlen(unit));
	memcpy(text + length, end, strlen(end));
	return length + strlen(end);
}

/* Work that grew with the square of the length would take hours here. */
static void test_hostile_texts_of_8_mib_cost_no_more_than_others(void **state)
{
	static const struct {
		const char *start, *unit, *end;
	} cases[] = { { "\"", "\\u0000", "\"" },
		      { "\"", "\\\"", "\"" },
		      { "\"", "\xc3\xab", "\"" },
		      { "[", "          ", "]" },
		      { "", "1", "" } };
	char *text = malloc(LONG_TEXT);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < array_length(cases); i++)
		assert_true(is_accepted(text,
		                        repeat(text, cases[i].start, cases[i].unit, cases[i].end)));
	assert_refused(text, repeat(text, "", "[", ""), JSON_DEPTH_MAX);
	assert_false(is_accepted(text, repeat(text, "", "{\"\":", "")));
	assert_refused(text, repeat(text, "\"", "a", ""), LONG_TEXT);
	free(text);
}

static void test_members_are_the_values_of_the_outer_object_as_sent(void **state)
{
	static const char text[] =
	        "\xef\xbb\xbf {\"a\" :\t1.50 , \"\\u0061\":{\"x\":[1, 2 ]}\n,\"\":\"}\\\"\","
	        "\"a\":[ {\"y\":0} ],\"n\": null}";
	static const char *const values[] = { "1.50", "{\"x\":[1, 2 ]}", "\"}\\\"\"",
		                              "[ {\"y\":0} ]", "null" };
	cleanup(json_scan_fini) struct json_scan result;

	(void)state;
	assert_accepted(text, sizeof(text) - 1, &result);
	assert_int_equal(result.member_count, array_length(values));
	for (size_t i = 0; i < array_length(values); i++) {
		assert_int_equal(result.members[i].length, strlen(values[i]));
		assert_memory_equal(text + result.members[i].start, values[i], strlen(values[i]));
	}
}

static void test_a_text_that_is_no_object_has_no_members(void **state)
{
	cleanup(json_scan_fini) struct json_scan result;

	(void)state;
	assert_accepted(JSON("[[{\"a\":1}],{\"b\":2}]"), &result);
	assert_int_equal(result.member_count, 0);
}

static void test_any_number_of_members_is_counted(void **state)
{
	(void)state;
	for (size_t count = 0; count < 200; count++) {
		cleanup(buffer_fini) struct buffer text;
		cleanup(json_scan_fini) struct json_scan result;

		buffer_init(&text, SIZE_MAX);
		assert_int_equal(buffer_append_text(&text, "{"), 0);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(buffer_print(&text, "%c\"m\":%zu", i ? ',' : ' ', i), 0);
		assert_int_equal(buffer_append_text(&text, "}"), 0);
		assert_accepted(text.data, text.length, &result);
		assert_int_equal(result.member_count, count);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(strtoul(text.data + result.members[i].start, NULL, 10), i);
	}
}

static void test_strings_are_accepted_just_when_they_are_utf8(void **state)
{
	/* The first and last of each class of bytes in the table of RFC 3629. */
	static const char edges[] =
	        "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee"
	        "\xef\xf0\xf1\xf3\xf4\xf5\xff";
	size_t count = strlen(edges);
	char converted[CONVERTED_MAX];
	size_t length;

	(void)state;
	for (size_t i = 0; i < count * count * count * count; i++) {
		char text[] = "\"1234\"";

		for (size_t k = 1, rest = i; k <= 4; k++, rest /= count)
			text[k] = edges[rest % count];
		length = convert("UTF-32LE", "UTF-8", text, 6, converted, sizeof(converted));
		if (is_accepted(text, 6) != (length != SIZE_MAX))
			fail_msg("%02x %02x %02x %02x", text[1] & 0xff, text[2] & 0xff,
			         text[3] & 0xff, text[4] & 0xff);
	}
}

/* What cJSON makes of the first string of an array, without prefix and armour. */
static size_t read_string(const char *armoured, char *ret)
{
	cJSON *root = cJSON_Parse(armoured);
	const char *string = cJSON_GetStringValue(cJSON_GetArrayItem(root, 0));
	size_t length;

	assert_non_null(string);
	assert_int_equal(string[0], 's');
	length = strlen(string + 1);
	memcpy(ret, string + 1, length);
	cJSON_Delete(root);
	return json_unarmour(ret, length);
}

/* Print @character as an escape, between characters that would confuse a careless armour. */
static void print_escape(struct buffer *buffer, uint32_t character)
{
	uint32_t high = 0xd800 + ((character - 0x10000) >> 10);
	uint32_t low = 0xdc00 + (character & 0x3ff);
	int r;

	if (character > 0xffff)
		r = buffer_print(buffer, "[\"0\\u%04x\\u%04X1\"]", high, low);
	else
		r = buffer_print(buffer, "[\"0\\u%04x1\"]", character);
	assert_int_equal(r, 0);
}

static void test_cjson_reads_every_character_out_of_the_armour(void **state)
{
	(void)state;
	for (uint32_t character = 0; character <= 0x10ffff; character++) {
		cleanup(json_scan_fini) struct json_scan result = { 0 };
		cleanup(buffer_fini) struct buffer text;
		bool is_half = character >= 0xd800 && character <= 0xdfff;
		uint32_t sent[] = { '0', is_half ? 0xfffd : character, '1' };
		char expected[CONVERTED_MAX];
		char string[CONVERTED_MAX];
		size_t length;

		buffer_init(&text, SIZE_MAX);
		print_escape(&text, character);
		length = convert("UTF-8", "UTF-32LE", sent, sizeof(sent), expected, CONVERTED_MAX);
		assert_accepted(text.data, text.length, &result);
		assert_int_equal(read_string(result.armoured.data, string), length);
		assert_memory_equal(string, expected, length);
		/* All of the first plane; of the others, samples. */
		character += character > 0xffff ? 60 : 0;
	}
}

static void test_unarmour_leaves_what_no_armour_writes(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *plain;
		size_t plain_length;
	} cases[] = {
		{ JSON(""), JSON("") },
		{ JSON("plain 01"), JSON("plain 01") },
		{ JSON("\0010"), JSON("\0") },
		{ JSON("\0011"), JSON("\001") },
		{ JSON("\00110\00101"), JSON("\0010\0001") },
		{ JSON("a\0010\0010b"), JSON("a\0\0b") },
		{ JSON("a\001"), JSON("a\001") },
		{ JSON("\0012\001\0010"), JSON("\0012\001\0") },
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		char *text = malloc(cases[i].length + !cases[i].length);

		assert_non_null(text);
		memcpy(text, cases[i].text, cases[i].length);
		assert_int_equal(json_unarmour(text, cases[i].length), cases[i].plain_length);
		assert_memory_equal(text, cases[i].plain, cases[i].plain_length);
		free(text);
	}
}

/* Accepted or not, nothing crashes; what is accepted is read by cJSON as it stands. */
static void check_random(const char *text, size_t length, size_t *accepted)
{
	struct json_scan result;
	size_t offset = UNTOUCHED;
	cJSON *root;

	if (scan(text, length, &result, &offset)) {
		assert_in_range(offset, 0, length);
		return;
	}
	root = cJSON_ParseWithLengthOpts(result.armoured.data, result.armoured.length + 1, NULL,
	                                 true);
	assert_non_null(root);
	if (cJSON_IsObject(root))
		assert_int_equal(cJSON_GetArraySize(root), result.member_count);
	for (size_t i = 0; i < result.member_count; i++)
		assert_true(is_accepted(text + result.members[i].start, result.members[i].length));
	cJSON_Delete(root);
	json_scan_fini(&result);
	++*accepted;
}

static void test_random_texts_never_crash(void **state)
{
	static const char alphabet[] =
	        "{}[]\"\":,,  0123.eE+-truefalsnl\\u00d8\\udc\x01\xc3\xab\xff";
	unsigned seed = 20240509;
	size_t accepted = 0;

	(void)state;
	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		size_t length = (size_t)rand_r(&seed) % 24;
		char text[24];

		for (size_t k = 0; k < length; k++)
			text[k] = i % 4 ? alphabet[(size_t)rand_r(&seed) % sizeof(alphabet)]
			                : (char)rand_r(&seed);
		check_random(text, length, &accepted);
	}
	assert_in_range(accepted, 100, RANDOM_ROUNDS / 2);
}

/* A byte changed or left out, a few times over. */
static void test_answers_with_random_faults_never_crash(void **state)
{
	unsigned seed = 20240510;
	size_t accepted = 0;

	(void)state;
	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		char text[sizeof(json_answer) + 4];
		size_t length = sizeof(json_answer) - 1;

		memcpy(text, json_answer, length);
		for (int faults = rand_r(&seed) % 4; faults >= 0; faults--) {
			size_t at = (size_t)rand_r(&seed) % length;
			size_t from = (size_t)rand_r(&seed) % length;

			if (rand_r(&seed) % 2)
				text[at] = text[from];
			else if (rand_r(&seed) % 2)
				text[at] = (char)rand_r(&seed);
			else
				memmove(text + at, text + at + 1, --length - at);
		}
		check_random(text, length, &accepted);
	}
	assert_in_range(accepted, 1000, RANDOM_ROUNDS - 1000);
}

static void test_strings_are_written_quoted_and_escaped(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 200);
	assert_int_equal(json_append_string(&buffer, "", 0), 0);
	assert_string_equal(buffer.data, "\"\"");
	assert_int_equal(json_append_string(&buffer, JSON("a\"b\\c/\xc3\xab\x7f")), 0);
	assert_string_equal(buffer.data, "\"\"\"a\\\"b\\\\c/\xc3\xab\x7f\"");
	buffer_clear(&buffer);
	assert_int_equal(json_append_string(&buffer, JSON("\0\x01\n\t\x1f\xf0\x9f\x98\x80")), 0);
	assert_string_equal(buffer.data, "\"\\u0000\\u0001\\u000a\\u0009\\u001f\xf0\x9f\x98\x80\"");
}

static void test_what_is_written_is_read_back_the_same(void **state)
{
	(void)state;
	for (int byte = 0; byte < 0x80; byte++) {
		cleanup(json_scan_fini) struct json_scan result = { 0 };
		cleanup(buffer_fini) struct buffer buffer;
		char text[] = { '0', (char)byte, '1' };
		char string[16];

		buffer_init(&buffer, 16);
		assert_int_equal(buffer_append_text(&buffer, "["), 0);
		assert_int_equal(json_append_string(&buffer, text, sizeof(text)), 0);
		assert_int_equal(buffer_append_text(&buffer, "]"), 0);
		assert_accepted(buffer.data, buffer.length, &result);
		assert_int_equal(read_string(result.armoured.data, string), sizeof(text));
		assert_memory_equal(string, text, sizeof(text));
	}
}

static void test_a_string_that_is_not_utf8_or_does_not_fit_is_not_written(void **state)
{
	static const char text[] = "a\"\n\xc3\xab";
	size_t length = strlen("\"a\\\"\\u000a\xc3\xab\"");

	(void)state;
	for (size_t room = 0; room <= length; room++) {
		cleanup(buffer_fini) struct buffer buffer;

		buffer_init(&buffer, 4 + room);
		assert_int_equal(json_append_string(&buffer, JSON("a\xff")), -EILSEQ);
		assert_int_equal(buffer.length, 0);
		assert_int_equal(buffer_append_text(&buffer, "kept"), 0);
		assert_int_equal(json_append_string(&buffer, text, sizeof(text) - 1),
		                 room < length ? -EFBIG : 0);
		assert_int_equal(buffer.length, 4 + (room < length ? 0 : length));
		assert_int_equal(buffer.data[buffer.length], '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_is_accepted_and_armoured),
		cmocka_unit_test(test_what_is_not_json_is_refused_where_it_stops_being_json),
		cmocka_unit_test(test_an_answer_cut_short_anywhere_is_refused_at_its_end),
		cmocka_unit_test(test_nesting_is_accepted_to_64_and_refused_from_65_on),
		cmocka_unit_test(test_depth_counts_what_is_open_not_what_was),
		cmocka_unit_test(test_hostile_texts_of_8_mib_cost_no_more_than_others),
		cmocka_unit_test(test_members_are_the_values_of_the_outer_object_as_sent),
		cmocka_unit_test(test_a_text_that_is_no_object_has_no_members),
		cmocka_unit_test(test_any_number_of_members_is_counted),
		cmocka_unit_test(test_strings_are_accepted_just_when_they_are_utf8),
		cmocka_unit_test(test_cjson_reads_every_character_out_of_the_armour),
		cmocka_unit_test(test_unarmour_leaves_what_no_armour_writes),
		cmocka_unit_test(test_random_texts_never_crash),
		cmocka_unit_test(test_answers_with_random_faults_never_crash),
		cmocka_unit_test(test_strings_are_written_quoted_and_escaped),
		cmocka_unit_test(test_what_is_written_is_read_back_the_same),
		cmocka_unit_test(test_a_string_that_is_not_utf8_or_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
