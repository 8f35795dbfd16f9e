/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/sandbox/admission.h"
#include "kapturefs/sandbox/filling.h"

enum { TEXT_MAX = 64 };

/* Whatever part of the text is read, it is that part. */
static void assert_reads(const struct fillings *fillings, struct buffer *bytes, const char *text)
{
	size_t length = strlen(text);
	char part[TEXT_MAX];

	assert_int_equal(fillings_length(fillings, bytes), length);
	for (size_t from = 0; from <= length; from++) {
		for (size_t end = from; end <= length; end++) {
			memset(part, '!', sizeof(part));
			fillings_read(fillings, bytes, from, part, end - from);
			assert_memory_equal(part, text + from, end - from);
			assert_int_equal(part[end - from], '!');
		}
	}
}

static void test_fillings_are_read_as_if_they_were_written_out(void **state)
{
	struct fillings fillings = { .count = 0 };
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, TEXT_MAX);
	assert_reads(&fillings, &bytes, "");
	assert_int_equal(buffer_append_text(&bytes, "<>"), 0);
	assert_reads(&fillings, &bytes, "<>");
	fillings_add(&fillings, &(struct filling){ 1, "abc", 3, 8 });
	assert_reads(&fillings, &bytes, "<abcabcab>");
	fillings_add(&fillings, &(struct filling){ 1, "x", 1, 5 });
	assert_reads(&fillings, &bytes, "<abcabcabxxxxx>");
	fillings.count = 0;
	fillings_add(&fillings, &(struct filling){ 0, "ab", 2, 0 });
	fillings_add(&fillings, &(struct filling){ 2, "long", 4, 2 });
	assert_reads(&fillings, &bytes, "<>lo");
	buffer_fini(&bytes);
}

static void test_own_hosts_are_names_of_loopback_with_the_port(void **state)
{
	(void)state;
	assert_true(admission_is_own_host("127.0.0.1:8080", 8080, false));
	assert_true(admission_is_own_host("LOCALHOST:8080", 8080, true));
	assert_true(admission_is_own_host("[::1]:8080", 8080, false));
	assert_false(admission_is_own_host("localhost", 8080, false));
	assert_false(admission_is_own_host("localhost:80800", 8080, false));
	assert_false(admission_is_own_host("localhost.example:8080", 8080, false));
	assert_false(admission_is_own_host("", 8080, false));
}

static void test_the_usual_port_of_the_scheme_may_be_left_out(void **state)
{
	(void)state;
	assert_true(admission_is_own_host("localhost", 80, false));
	assert_true(admission_is_own_host("localhost", 443, true));
	assert_false(admission_is_own_host("localhost", 80, true));
	assert_false(admission_is_own_host("localhost", 443, false));
}

static void test_own_origins_are_of_the_scheme_and_the_host(void **state)
{
	(void)state;
	assert_true(admission_is_own_origin("http://localhost:8080", 8080, false));
	assert_true(admission_is_own_origin("https://127.0.0.1:8080", 8080, true));
	assert_false(admission_is_own_origin("https://127.0.0.1:8080", 8080, false));
	assert_false(admission_is_own_origin("http://127.0.0.1:8080/", 8080, false));
	assert_false(admission_is_own_origin("null", 8080, false));
	assert_false(admission_is_own_origin("", 8080, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fillings_are_read_as_if_they_were_written_out),
		cmocka_unit_test(test_own_hosts_are_names_of_loopback_with_the_port),
		cmocka_unit_test(test_the_usual_port_of_the_scheme_may_be_left_out),
		cmocka_unit_test(test_own_origins_are_of_the_scheme_and_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
