/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/log_line.h"

static void assert_span(struct log_span span, const char *expected)
{
	assert_int_equal(span.length, strlen(expected));
	assert_memory_equal(span.start, expected, span.length);
}

static void test_a_line_is_module_event_and_pairs(void **state)
{
	const char *text = "kapture: lookup failed key=phone tries=3 cause=\"no such host\" last=";
	struct log_line line = log_line_read(text);

	(void)state;
	assert_span(line.module, "kapture");
	assert_span(line.event, "lookup failed");
	assert_int_equal(line.pair_count, 4);
	assert_span(line.pairs[0].name, "key");
	assert_span(line.pairs[0].value, "phone");
	assert_span(line.pairs[2].name, "cause");
	assert_span(line.pairs[2].value, "no such host");
	assert_span(line.pairs[3].value, "");
	assert_span(log_line_find(&line, "tries"), "3");
	assert_span(log_line_find(&line, "trie"), "");
}

static void test_a_line_without_module_or_pairs_is_all_event(void **state)
{
	struct log_line line = log_line_read("The end: it is near");

	(void)state;
	assert_span(line.module, "");
	assert_span(line.event, "The end: it is near");
	assert_int_equal(line.pair_count, 0);
	assert_span(log_line_read("").event, "");
	assert_span(log_line_read("log: a=\"b").event, "");
}

static void test_a_value_whose_quote_is_open_ends_with_the_line(void **state)
{
	struct log_line line = log_line_read("m: e cause=\"cut sho");

	(void)state;
	assert_span(log_line_find(&line, "cause"), "cut sho");
}

static void test_a_sentence_goes_on_behind_what_looks_like_a_pair(void **state)
{
	struct log_line line = log_line_read("m: ttl=5 is too short; see a=b, or c error=EIO");

	(void)state;
	assert_span(line.event, "ttl=5 is too short; see a=b, or c");
	assert_int_equal(line.pair_count, 1);
	assert_span(line.pairs[0].value, "EIO");
}

printf_like(1, 2) static struct log_line parts_of(const char *format, ...)
{
	static char text[LOG_LINE_SIZE];
	struct log_line line;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	va_start(arguments, format);
	line = log_line_parts(text, format, arguments);
	va_end(arguments);
	return line;
}

static void test_what_is_filled_in_makes_no_parts(void **state)
{
	struct log_line line = parts_of("%s: the old one is kept: %s code=%d cause=\"%s\" last=%s",
	                                "token", "token_file=/a b: it holds no=token x=1", 7,
	                                "say \"no\" error=EIO", "end=x y");

	(void)state;
	assert_span(line.event,
	            "token: the old one is kept: token_file=/a b: it holds no=token x=1");
	assert_int_equal(line.pair_count, 3);
	assert_span(line.pairs[0].value, "7");
	assert_span(log_line_find(&line, "cause"), "say \"no\" error=EIO");
	assert_span(log_line_find(&line, "last"), "end=x y");
	assert_span(log_line_find(&line, "error"), "");
}

static void test_parts_of_a_line_that_was_cut_end_with_it(void **state)
{
	char words[2 * LOG_LINE_SIZE];
	struct log_line line;

	(void)state;
	memset(words, 'x', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	line = parts_of("m: %s error=%s", words, "EIO");
	assert_int_equal(line.event.length, LOG_LINE_SIZE - 1 - strlen("m: "));
	assert_span(log_line_find(&line, "error"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_is_module_event_and_pairs),
		cmocka_unit_test(test_a_line_without_module_or_pairs_is_all_event),
		cmocka_unit_test(test_a_value_whose_quote_is_open_ends_with_the_line),
		cmocka_unit_test(test_a_sentence_goes_on_behind_what_looks_like_a_pair),
		cmocka_unit_test(test_what_is_filled_in_makes_no_parts),
		cmocka_unit_test(test_parts_of_a_line_that_was_cut_end_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
