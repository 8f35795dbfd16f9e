/* SPDX-License-Identifier: MIT */
/* What the cache keeps of the token its answers came by. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caches.h"

#define TOKEN "dGhlLXRva2VuLW9mLXRoZS10ZXN0"

static void test_a_token_is_known_once_it_is_remembered(void **state)
{
	struct fixture *fixture = *state;

	assert_false(cache_knows_token(fixture->cache, TOKEN));
	assert_int_equal(cache_remember_token(fixture->cache, TOKEN), 0);
	assert_int_equal(cache_remember_token(fixture->cache, TOKEN), 0);
	assert_true(cache_knows_token(fixture->cache, TOKEN));
	assert_false(cache_knows_token(fixture->cache, TOKEN "x"));
	assert_false(cache_knows_token(fixture->cache, ""));
	reopen(fixture);
	assert_true(cache_knows_token(fixture->cache, TOKEN));
}

static void test_only_the_last_token_is_known(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(cache_remember_token(fixture->cache, TOKEN), 0);
	assert_int_equal(cache_remember_token(fixture->cache, "another"), 0);
	assert_true(cache_knows_token(fixture->cache, "another"));
	assert_false(cache_knows_token(fixture->cache, TOKEN));
}

static void test_a_token_that_was_refused_is_forgotten(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(cache_forget_token(fixture->cache), 0);
	assert_int_equal(cache_remember_token(fixture->cache, TOKEN), 0);
	assert_int_equal(cache_forget_token(fixture->cache), 0);
	assert_false(cache_knows_token(fixture->cache, TOKEN));
	assert_false(cache_knows_token(fixture->cache, ""));
	reopen(fixture);
	assert_false(cache_knows_token(fixture->cache, TOKEN));
	assert_int_equal(cache_remember_token(fixture->cache, TOKEN), 0);
	assert_true(cache_knows_token(fixture->cache, TOKEN));
}

static size_t read_file(const char *path, char *bytes, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(bytes, 1, size, file);
	fclose(file);
	return length;
}

static void test_the_file_does_not_have_the_token(void **state)
{
	struct fixture *fixture = *state;
	static char bytes[1 << 20];
	size_t length;

	assert_int_equal(cache_remember_token(fixture->cache, TOKEN), 0);
	cache_close(steal(&fixture->cache));
	length = read_file(fixture->path, bytes, sizeof(bytes));
	assert_true(length > 0 && length < sizeof(bytes));
	assert_null(memmem(bytes, length, TOKEN, strlen(TOKEN)));
	assert_null(memmem(bytes, length, TOKEN, 8));
	open_cache(fixture);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_token_is_known_once_it_is_remembered),
		TEST(test_only_the_last_token_is_known),
		TEST(test_a_token_that_was_refused_is_forgotten),
		TEST(test_the_file_does_not_have_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
