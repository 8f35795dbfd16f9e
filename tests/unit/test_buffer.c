/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/buffer.h"

enum { RANDOM_ROUNDS = 2000, CONTENT_MAX = 20000 };

static void assert_content(const struct buffer *buffer, const char *bytes, size_t length)
{
	assert_int_equal(buffer->length, length);
	assert_non_null(buffer->data);
	assert_memory_equal(buffer->data, bytes, length);
	assert_int_equal(buffer->data[length], '\0');
}

static void assert_text(const struct buffer *buffer, const char *text)
{
	assert_content(buffer, text, strlen(text));
}

static void test_a_new_buffer_is_empty_and_owns_nothing(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 10);
	assert_null(buffer.data);
	assert_int_equal(buffer.length, 0);
	assert_null(buffer_steal(&buffer));
	buffer_clear(&buffer);
	buffer_fini(&buffer);
}

static void test_what_is_appended_stands_in_order(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 100);
	assert_int_equal(buffer_append_text(&buffer, "one"), 0);
	assert_int_equal(buffer_append(&buffer, "\0two", 4), 0);
	assert_int_equal(buffer_print(&buffer, "%d,%s", 3, "four"), 0);
	assert_content(&buffer, "one\0two3,four", 13);
}

static void test_appending_nothing_makes_an_empty_text(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 0);
	assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
	assert_text(&buffer, "");
	assert_int_equal(buffer_print(&buffer, "%s", ""), 0);
	assert_text(&buffer, "");
}

static void test_the_ceiling_is_exact(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 5);
	assert_int_equal(buffer_append_text(&buffer, "123456"), -EFBIG);
	assert_int_equal(buffer.length, 0);
	assert_int_equal(buffer_append_text(&buffer, "12345"), 0);
	assert_int_equal(buffer_append_text(&buffer, ""), 0);
	assert_int_equal(buffer_append_text(&buffer, "6"), -EFBIG);
	assert_int_equal(buffer_print(&buffer, "%d", 6), -EFBIG);
	assert_int_equal(buffer_append(&buffer, "6", SIZE_MAX), -EFBIG);
	assert_text(&buffer, "12345");
}

static void test_a_print_that_fills_the_buffer_to_the_last_byte_is_whole(void **state)
{
	(void)state;
	for (int width = 1; width < 1100; width++) {
		cleanup(buffer_fini) struct buffer buffer;

		buffer_init(&buffer, (size_t)width + 1);
		assert_int_equal(buffer_append_text(&buffer, "1"), 0);
		assert_int_equal(buffer_print(&buffer, "%*d", width, 7), 0);
		assert_int_equal(buffer.length, width + 1);
		assert_int_equal(strlen(buffer.data), width + 1);
		assert_int_equal(buffer.data[width], '7');
		assert_int_equal(buffer_print(&buffer, "x"), -EFBIG);
	}
}

static void test_memory_that_cannot_be_had_is_enomem_and_changes_nothing(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;

	(void)state;
	buffer_init(&buffer, SIZE_MAX);
	assert_int_equal(buffer_append_text(&buffer, "kept"), 0);
	assert_int_equal(buffer_append(&buffer, "", SIZE_MAX - 4), -ENOMEM);
	assert_text(&buffer, "kept");
}

static void test_a_cleared_buffer_keeps_its_memory_and_starts_again(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;
	const char *memory;

	(void)state;
	buffer_init(&buffer, 8);
	assert_int_equal(buffer_append_text(&buffer, "12345678"), 0);
	memory = buffer.data;
	buffer_clear(&buffer);
	assert_text(&buffer, "");
	assert_int_equal(buffer_append_text(&buffer, "abcdefgh"), 0);
	assert_text(&buffer, "abcdefgh");
	assert_ptr_equal(buffer.data, memory);
}

static void test_stolen_bytes_are_the_callers_and_the_buffer_goes_on(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;
	char *stolen;

	(void)state;
	buffer_init(&buffer, 6);
	assert_int_equal(buffer_append_text(&buffer, "before"), 0);
	stolen = buffer_steal(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.length, 0);

	assert_int_equal(buffer_append_text(&buffer, "after"), 0);
	assert_string_equal(stolen, "before");
	assert_text(&buffer, "after");
	assert_int_equal(buffer_append_text(&buffer, "12"), -EFBIG);
	free(stolen);
}

static void test_an_ended_buffer_can_be_used_again_with_the_same_ceiling(void **state)
{
	cleanup(buffer_fini) struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 3);
	assert_int_equal(buffer_append_text(&buffer, "one"), 0);
	buffer_fini(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer_append_text(&buffer, "four"), -EFBIG);
	assert_int_equal(buffer_append_text(&buffer, "two"), 0);
	assert_text(&buffer, "two");
}

/* The same pieces, put together by hand. */
static void test_pieces_of_any_size_lose_nothing(void **state)
{
	static char expected[CONTENT_MAX];
	cleanup(buffer_fini) struct buffer buffer;
	unsigned seed = 20240506;
	size_t length = 0;

	(void)state;
	buffer_init(&buffer, CONTENT_MAX);
	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		size_t piece = (size_t)rand_r(&seed) % 700;
		bool fits = piece <= CONTENT_MAX - length;

		for (size_t k = length; fits && k < length + piece; k++)
			expected[k] = (char)rand_r(&seed);
		assert_int_equal(buffer_append(&buffer, expected + (fits ? length : 0), piece),
		                 fits ? 0 : -EFBIG);
		length += fits ? piece : 0;
		assert_int_equal(buffer.length, length);
		if (!fits) {
			assert_content(&buffer, expected, length);
			buffer_clear(&buffer);
			length = 0;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_buffer_is_empty_and_owns_nothing),
		cmocka_unit_test(test_what_is_appended_stands_in_order),
		cmocka_unit_test(test_appending_nothing_makes_an_empty_text),
		cmocka_unit_test(test_the_ceiling_is_exact),
		cmocka_unit_test(test_a_print_that_fills_the_buffer_to_the_last_byte_is_whole),
		cmocka_unit_test(test_memory_that_cannot_be_had_is_enomem_and_changes_nothing),
		cmocka_unit_test(test_a_cleared_buffer_keeps_its_memory_and_starts_again),
		cmocka_unit_test(test_stolen_bytes_are_the_callers_and_the_buffer_goes_on),
		cmocka_unit_test(test_an_ended_buffer_can_be_used_again_with_the_same_ceiling),
		cmocka_unit_test(test_pieces_of_any_size_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
