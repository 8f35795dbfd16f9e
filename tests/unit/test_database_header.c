/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/io/database.h"
#include "kapturefs/io/database_header.h"

enum { MARK = 0x54455354 };

/* A header that begins with @text and bears @mark. */
static int judge(const char *text, int64_t size, const char *mark)
{
	unsigned char header[DATABASE_HEADER_SIZE] = { 0 };
	size_t length = strlen(text);

	memcpy(header, text, length < sizeof(header) ? length : sizeof(header));
	memcpy(header + 68, mark, strlen(mark));
	return database_judge(header, size, MARK);
}

static void test_a_database_with_our_mark_is_ours(void **state)
{
	(void)state;
	assert_int_equal(judge("SQLite format 3", 8192, "TEST"), 0);
	assert_int_equal(judge("SQLite format 3", DATABASE_HEADER_SIZE, "TEST"), 0);
}

static void test_a_database_with_another_mark_or_none_is_foreign(void **state)
{
	(void)state;
	assert_int_equal(judge("SQLite format 3", 8192, "TESS"), DATABASE_FOREIGN);
	assert_int_equal(judge("SQLite format 3", 8192, ""), DATABASE_FOREIGN);
}

static void test_our_mark_in_what_is_no_database_means_damage(void **state)
{
	(void)state;
	assert_int_equal(judge("SQLite format 4", 8192, "TEST"), DATABASE_DAMAGED);
	assert_int_equal(judge("", 8192, "TEST"), DATABASE_DAMAGED);
}

static void test_what_nobody_can_miss_is_damaged(void **state)
{
	(void)state;
	assert_int_equal(judge("", 8192, ""), DATABASE_DAMAGED);
	assert_int_equal(judge("", 20, ""), DATABASE_DAMAGED);
	assert_int_equal(judge("SQLite format 3", 16, ""), DATABASE_DAMAGED);
	assert_int_equal(judge("SQL", 3, ""), DATABASE_DAMAGED);
	assert_int_equal(judge("SQLite format 3", 99, ""), DATABASE_DAMAGED);
}

static void test_anything_else_is_foreign(void **state)
{
	(void)state;
	assert_int_equal(judge("notes", 5, ""), DATABASE_FOREIGN);
	assert_int_equal(judge("notes", 8192, ""), DATABASE_FOREIGN);
	assert_int_equal(judge("SQLite format 4", 16, ""), DATABASE_FOREIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_database_with_our_mark_is_ours),
		cmocka_unit_test(test_a_database_with_another_mark_or_none_is_foreign),
		cmocka_unit_test(test_our_mark_in_what_is_no_database_means_damage),
		cmocka_unit_test(test_what_nobody_can_miss_is_damaged),
		cmocka_unit_test(test_anything_else_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
