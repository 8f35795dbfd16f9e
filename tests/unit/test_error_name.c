/* SPDX-License-Identifier: MIT */
/* Built without the C library's names, as elsewhere than with glibc, and compared with them. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kapturefs/base/error_name.h"

enum { ERRORS_MAX = 200 };

static void test_errors_of_the_contract_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(error_name(ENOENT), "ENOENT");
	assert_string_equal(error_name(ESTALE), "ESTALE");
	assert_string_equal(error_name(EHOSTUNREACH), "EHOSTUNREACH");
	assert_string_equal(error_name(ETIMEDOUT), "ETIMEDOUT");
	assert_string_equal(error_name(EAGAIN), "EAGAIN");
}

static void test_what_is_no_error_has_no_name(void **state)
{
	(void)state;
	assert_string_equal(error_name(-1), "unknown");
	assert_string_equal(error_name(4000), "unknown");
}

#ifdef __GLIBC__
static void test_names_are_those_of_the_c_library(void **state)
{
	int named = 0;

	(void)state;
	for (int error = 1; error < ERRORS_MAX; error++) {
		if (strcmp(error_name(error), "unknown") == 0)
			continue;
		assert_string_equal(error_name(error), strerrorname_np(error));
		named++;
	}
	assert_int_equal(named, 66);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_of_the_contract_have_their_names),
		cmocka_unit_test(test_what_is_no_error_has_no_name),
#ifdef __GLIBC__
		cmocka_unit_test(test_names_are_those_of_the_c_library),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
