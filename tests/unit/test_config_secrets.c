/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "secret_files.h"

enum { SIZE_MAX_ALLOWED = 64 << 10 };

static int setup(void **state)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	return scratch_setup(state);
}

static void assert_token_refused(struct scratch *scratch, const char *path, const char *why)
{
	char file[PATH_MAX];
	struct config config = { .token_file = file };

	strcpy(file, path);
	assert_refused(scratch, &config, "token_file", file, why);
}

static void assert_token(struct scratch *scratch, const char *content, const char *expected)
{
	char file[PATH_MAX];
	struct config config = { .token_file = file };
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint = { .text = "" };

	strcpy(file, scratch_write(scratch, "token", 0600, content));
	if (config_read_secrets(&config, &secrets, &complaint))
		fail_msg("%s", complaint.text);
	assert_string_equal(secrets.token, expected);
	config_secrets_fini(&secrets);
	assert_null(secrets.token);
}

static void test_a_token_is_the_one_line_of_its_file(void **state)
{
	assert_token(*state, "dG9r.ZW-4_~+/=", "dG9r.ZW-4_~+/=");
	assert_token(*state, "dG9rZW4=\n", "dG9rZW4=");
	assert_token(*state, "dG9rZW4=\r\n", "dG9rZW4=");
}

static void test_what_is_pasted_around_a_token_is_no_part_of_it(void **state)
{
	static const struct {
		const char *content;
		const char *notes;
	} pastes[] = {
		{ "dG9rZW4=\n", "" },
		{ " dG9rZW4=\n", "blanks" },
		{ "\ndG9rZW4=\t\r\n\r\n", "blanks" },
		{ "\u00a0dG9rZW4=\u200b", "blanks" },
		{ "\xef\xbb\xbf"
		  "dG9rZW4=\r\n",
		  "a byte order mark" },
		{ "\"dG9rZW4=\"\n", "quotation marks" },
		{ "'dG9rZW4='", "quotation marks" },
		{ "“dG9rZW4=”", "quotation marks" },
		{ "Basic dG9rZW4=\r", "\"Basic\"" },
		{ "basic \t dG9rZW4=", "\"Basic\"" },
		{ "Authorization: Basic dG9rZW4=\n", "\"Authorization:\", \"Basic\"" },
		{ "authorization:Basic dG9rZW4=\n", "\"Authorization:\", \"Basic\"" },
		{ "'Authorization: Basic dG9rZW4='",
		  "quotation marks, \"Authorization:\", \"Basic\"" },
		{ "Basic \"dG9rZW4=\"", "\"Basic\", quotation marks" },
	};

	for (size_t i = 0; i < array_length(pastes); i++) {
		char file[PATH_MAX];
		struct config config = { .token_file = file };
		struct config_secrets secrets = { 0 };
		struct config_complaint complaint = { .text = "" };

		strcpy(file, scratch_write(*state, "token", 0600, pastes[i].content));
		if (config_read_secrets(&config, &secrets, &complaint))
			fail_msg("%s: %s", pastes[i].content, complaint.text);
		assert_string_equal(secrets.token, "dG9rZW4=");
		assert_string_equal(secrets.token_notes, pastes[i].notes);
		config_secrets_fini(&secrets);
	}
}

static void test_a_word_that_begins_like_the_scheme_is_a_token(void **state)
{
	assert_token(*state, "BasicdG9r", "BasicdG9r");
	assert_token(*state, "Basic", "Basic");
	assert_token(*state, "Bearer", "Bearer");
}

static void test_what_may_be_a_mistake_in_a_token_is_named(void **state)
{
	static const char quote[] = "a quotation mark in it; write the token alone";
	static const struct {
		const char *content;
		const char *why;
	} mistakes[] = {
		{ "\"secret\n", quote },
		{ "secret'", quote },
		{ "{\"token\": \"secret\"}", quote },
		{ "-H \"Authorization: Basic secret\"", quote },
		{ "sec\u00a0ret", "a character in it is not ASCII; copy the token again" },
		{ "sec\u200bret", "a character in it is not ASCII; copy the token again" },
		{ "sec ret", "a blank in it, which no token has; write the token alone" },
		{ "Basic secret secret\n",
		  "a blank in it, which no token has; write the token alone" },
		{ "Bearer secret",
		  "begins with Bearer; a token of Kapture is sent as Basic, write it alone" },
		{ "\"\"", "empty; write the API token into it" },
	};

	for (size_t i = 0; i < array_length(mistakes); i++) {
		assert_token_refused(*state,
		                     scratch_write(*state, "token", 0600, mistakes[i].content),
		                     mistakes[i].why);
	}
}

static void test_utf_16_is_named(void **state)
{
	static const char bytes[] = "\xff\xfes\0e\0c\0";
	char file[PATH_MAX];
	struct config config = { .header_file = file };

	assert_token_refused(*state, scratch_write_bytes(*state, "token", 0600, bytes, 8),
	                     "UTF-16; save it as UTF-8");
	strcpy(file, scratch_write_bytes(*state, "other", 0600, bytes, 8));
	assert_refused(*state, &config, "header_file", file, "UTF-16; save it as UTF-8");
	config = (struct config){ .body_file = file };
	assert_refused(*state, &config, "body_file", file, "UTF-16; save it as UTF-8");
}

static void test_a_file_that_others_may_use_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0666, 0440 };

	for (size_t i = 0; i < array_length(modes); i++)
		assert_token_refused(*state, scratch_write(*state, "token", modes[i], "secret"),
		                     "others may use it; run chmod 600 on it, and consider known "
		                     "what it holds");
}

static void test_a_file_of_another_user_is_refused(void **state)
{
	const char *path = scratch_write(*state, "token", 0600, "secret");

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(path, 4711, 4711), 0);
	assert_token_refused(*state, path,
	                     "belongs to another user; put a copy into a file of your own, and run "
	                     "chmod 600 on it");
}

static void test_a_symbolic_link_is_refused(void **state)
{
	char target[PATH_MAX];
	const char *path;

	strcpy(target, scratch_write(*state, "real", 0600, "secret"));
	path = scratch_path(*state, "token");
	assert_int_equal(symlink(target, path), 0);
	assert_token_refused(*state, path, "a symbolic link; name the file itself");
}

static void test_what_is_no_regular_file_is_refused(void **state)
{
	const char *path = scratch_path(*state, "token");

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_token_refused(*state, path, "not a regular file; name the file itself");
	path = scratch_path(*state, "directory");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_token_refused(*state, path, "not a regular file; name the file itself");
	assert_token_refused(*state, "/dev/zero", "not a regular file; name the file itself");
}

static void test_a_file_that_is_missing_is_named(void **state)
{
	char file[PATH_MAX];
	struct config config = { .body_file = file };

	assert_token_refused(*state, scratch_path(*state, "none"),
	                     "No such file or directory; write the API token into it, as Kapture "
	                     "issued it, and run chmod 600 on it");
	strcpy(file, scratch_path(*state, "none"));
	assert_refused(*state, &config, "body_file", file,
	               "No such file or directory; make it, or leave body_file out");
}

static void test_a_file_over_64_kib_is_refused(void **state)
{
	char *bytes = calloc(1, SIZE_MAX_ALLOWED + 1);
	const char *path;

	memset(bytes, 'x', SIZE_MAX_ALLOWED + 1);
	path = scratch_write_bytes(*state, "token", 0600, bytes, SIZE_MAX_ALLOWED + 1);
	assert_token_refused(*state, path, "over 64 KiB; name the file itself");
	bytes[SIZE_MAX_ALLOWED] = '\0';
	assert_token(*state, bytes, bytes);
	free(bytes);
}

static void test_a_token_with_control_bytes_is_refused(void **state)
{
	static const char why[] =
	        "more than one line, or control bytes; it must hold the token alone";
	static const struct {
		const char *bytes;
		size_t length;
	} contents[] = {
		{ "secret\r\nX-Header: injected\r\n", 28 },
		{ "secret\rsecret", 13 },
		{ "secret\nsecret\n", 14 },
		{ "secret\0secret", 13 },
		{ "secret\0", 7 },
		{ "secret\tsecret", 13 },
		{ "\x7fsecret", 7 },
	};

	for (size_t i = 0; i < array_length(contents); i++)
		assert_token_refused(*state,
		                     scratch_write_bytes(*state, "token", 0600, contents[i].bytes,
		                                         contents[i].length),
		                     why);
}

static void test_an_empty_token_is_refused(void **state)
{
	static const char why[] = "empty; write the API token into it";

	assert_token_refused(*state, scratch_write(*state, "token", 0600, ""), why);
	assert_token_refused(*state, scratch_write(*state, "token", 0600, "\n"), why);
	assert_token_refused(*state, scratch_write(*state, "token", 0600, "\r\n\r\n"), why);
}

static void test_no_token_at_all_is_told_with_the_mend(void **state)
{
	const struct config config = { 0 };
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint = { .text = "" };

	(void)state;
	assert_int_equal(config_read_secrets(&config, &secrets, &complaint), -EINVAL);
	assert_string_equal(complaint.text,
	                    "no API token; put it into a file that only you can read and give "
	                    "-o token_file=PATH");
	assert_null(complaint.option);
	assert_int_equal(config_check_secrets(&config, &complaint), 0);
}

/* The systemd credential */

static int read_credential(struct scratch *scratch, mode_t mode, struct config_secrets *ret)
{
	const struct config config = { 0 };
	struct config_complaint complaint;

	scratch_write(scratch, "kapture-token", mode, "credential");
	setenv("CREDENTIALS_DIRECTORY", scratch->path, 1);
	return config_read_secrets(&config, ret, &complaint);
}

static void test_the_credential_of_systemd_is_the_token_without_token_file(void **state)
{
	struct config_secrets secrets = { 0 };

	assert_int_equal(read_credential(*state, 0400, &secrets), 0);
	assert_string_equal(secrets.token, "credential");
	config_secrets_fini(&secrets);
	assert_token(*state, "of-the-file", "of-the-file");
}

/*
 * 0440 is how stat() shows the access control list by which systemd lets a service's user
 * in.
 */
static void test_a_credential_of_root_may_show_the_mask_of_a_list(void **state)
{
	struct config_secrets secrets = { 0 };

	if (geteuid() != 0)
		skip();
	assert_int_equal(read_credential(*state, 0440, &secrets), 0);
	config_secrets_fini(&secrets);
	assert_int_equal(read_credential(*state, 0460, &secrets), -EINVAL);
	assert_int_equal(read_credential(*state, 0444, &secrets), -EINVAL);
}

/* Headers and members */

static void test_headers_are_the_lines_that_are_not_empty(void **state)
{
	char file[PATH_MAX];
	struct config config = { .header_file = file };
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint;

	strcpy(file,
	       scratch_write(*state, "headers", 0600, "Cookie: a=b; c=d\r\n\nx-api-key: secret\n"));
	assert_int_equal(read_secrets(*state, &config, &secrets, &complaint), 0);
	assert_string_equal(secrets.headers[0], "Cookie: a=b; c=d");
	assert_string_equal(secrets.headers[1], "x-api-key: secret");
	assert_null(secrets.headers[2]);
	config_secrets_fini(&secrets);
}

static void test_headers_may_be_as_they_were_pasted(void **state)
{
	char file[PATH_MAX];
	struct config config = { .header_file = file };
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint;

	strcpy(file, scratch_write(*state, "headers", 0600,
	                           "\xef\xbb\xbf"
	                           "Cookie: a=b\r  A: b \r\n\"x-api-key: secret\"\r\r"
	                           "'B:\u00a0c'\rEmpty:\r"));
	assert_int_equal(read_secrets(*state, &config, &secrets, &complaint), 0);
	assert_string_equal(secrets.headers[0], "Cookie: a=b");
	assert_string_equal(secrets.headers[1], "A: b");
	assert_string_equal(secrets.headers[2], "x-api-key: secret");
	assert_string_equal(secrets.headers[3], "B: c");
	assert_string_equal(secrets.headers[4], "Empty:");
	assert_null(secrets.headers[5]);
	config_secrets_fini(&secrets);
}

static void test_a_line_for_curl_is_named(void **state)
{
	char file[PATH_MAX];
	struct config config = { .header_file = file };

	strcpy(file, scratch_write(*state, "headers", 0600, "-H 'x-api-key: secret'\n"));
	assert_refused(*state, &config, "header_file", file,
	               "line 1 is no `Name: value`; write it without -H");
}

static void test_what_is_no_header_is_named_by_its_line(void **state)
{
	static const char *const bad[] = { "secret", ": secret", "a b: secret", "A: \x01secret" };
	char file[PATH_MAX];
	char content[64];

	for (size_t i = 0; i < array_length(bad); i++) {
		struct config config = { .header_file = file };

		snprintf(content, sizeof(content), "Good: yes\n\n%s\n", bad[i]);
		strcpy(file, scratch_write(*state, "headers", 0600, content));
		assert_refused(*state, &config, "header_file", file, "line 3 is no `Name: value`");
	}
}

static void test_a_header_file_with_nul_is_refused(void **state)
{
	char file[PATH_MAX];
	const struct config config = { .header_file = file };

	strcpy(file, scratch_write_bytes(*state, "headers", 0600, "A: b\0secret", 11));
	assert_refused(*state, &config, "header_file", file, "NUL byte");
}

static void test_members_are_what_stands_between_the_braces(void **state)
{
	char file[PATH_MAX];
	struct config config = { .body_file = file };
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint;

	strcpy(file, scratch_write(*state, "body", 0600, " {\"a\": {\"b\": 1}}\n"));
	assert_int_equal(read_secrets(*state, &config, &secrets, &complaint), 0);
	assert_string_equal(secrets.request_members, "\"a\": {\"b\": 1}");
	config_secrets_fini(&secrets);
	strcpy(file, scratch_write(*state, "body", 0600, "{ }"));
	assert_int_equal(read_secrets(*state, &config, &secrets, &complaint), 0);
	assert_null(secrets.request_members);
	config_secrets_fini(&secrets);
}

static void test_a_body_that_is_no_object_is_refused(void **state)
{
	char file[PATH_MAX];
	struct config config = { .body_file = file };

	strcpy(file, scratch_write(*state, "body", 0600, "[1, \"secret\"]"));
	assert_refused(*state, &config, "body_file", file, "not a JSON object");
	strcpy(file, scratch_write(*state, "body", 0600, "!secret"));
	assert_refused(*state, &config, "body_file", file, "no JSON from byte 0 on");
}

static void test_other_secret_files_have_the_same_rule(void **state)
{
	static const char why[] = "others may use it; run chmod 600 on it, and consider known what "
	                          "it holds";
	char file[PATH_MAX];
	struct config config = { .header_file = file };

	strcpy(file, scratch_write(*state, "shared", 0644, "{}"));
	assert_refused(*state, &config, "header_file", file, why);
	config = (struct config){ .body_file = file };
	assert_refused(*state, &config, "body_file", file, why);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_token_is_the_one_line_of_its_file),
		TEST(test_what_is_pasted_around_a_token_is_no_part_of_it),
		TEST(test_a_word_that_begins_like_the_scheme_is_a_token),
		TEST(test_what_may_be_a_mistake_in_a_token_is_named),
		TEST(test_utf_16_is_named),
		TEST(test_headers_may_be_as_they_were_pasted),
		TEST(test_a_line_for_curl_is_named),
		TEST(test_a_file_that_others_may_use_is_refused),
		TEST(test_a_file_of_another_user_is_refused),
		TEST(test_a_symbolic_link_is_refused),
		TEST(test_what_is_no_regular_file_is_refused),
		TEST(test_a_file_that_is_missing_is_named),
		TEST(test_a_file_over_64_kib_is_refused),
		TEST(test_a_token_with_control_bytes_is_refused),
		TEST(test_an_empty_token_is_refused),
		TEST(test_no_token_at_all_is_told_with_the_mend),
		TEST(test_the_credential_of_systemd_is_the_token_without_token_file),
		TEST(test_a_credential_of_root_may_show_the_mask_of_a_list),
		TEST(test_headers_are_the_lines_that_are_not_empty),
		TEST(test_what_is_no_header_is_named_by_its_line),
		TEST(test_a_header_file_with_nul_is_refused),
		TEST(test_members_are_what_stands_between_the_braces),
		TEST(test_a_body_that_is_no_object_is_refused),
		TEST(test_other_secret_files_have_the_same_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
