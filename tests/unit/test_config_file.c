/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/config/file.h"
#include "scratch.h"

static void read_good(struct scratch *scratch, const char *text, struct config_file *ret)
{
	struct config_complaint complaint = { .text = "" };

	if (config_file_read(scratch_write(scratch, "config", 0600, text), ret, &complaint))
		fail_msg("%s", complaint.text);
}

/* What the file makes of the section for @base_url. */
static struct config applied(const struct config_file *file, const char *base_url)
{
	struct config config;
	struct config_complaint complaint;

	config_init(&config);
	assert_int_equal(config_file_apply(file, config_file_find(file, base_url), &config,
	                                   &complaint),
	                 0);
	return config;
}

static void assert_path_refused(const char *path, int outcome, const char *expected)
{
	struct config_file file = { .section_count = 47 };
	struct config_complaint complaint = { .text = "" };

	assert_int_equal(config_file_read(path, &file, &complaint), outcome);
	if (strncmp(complaint.text, path, strlen(path)) != 0)
		fail_msg("does not begin with the file: %s", complaint.text);
	assert_string_equal(complaint.text + strlen(path), expected);
	assert_int_equal(file.section_count, 47);
}

/* The complaint behind the file's name is `:@line: @why`. */
static void assert_refused(struct scratch *scratch, const char *text, unsigned line,
                           const char *why)
{
	char expected[512];

	snprintf(expected, sizeof(expected), ":%u: %s", line, why);
	assert_path_refused(scratch_write(scratch, "config", 0600, text), -EINVAL, expected);
}

static void test_a_section_is_for_its_source_and_what_precedes_all_is_for_all(void **state)
{
	struct config_file file;
	struct config config;

	read_good(*state,
	          "ttl = 60\n"
	          "patience = 5\n"
	          "[acme]\n"
	          "ttl = 600\n"
	          "[https://crm.example.com/api]\n"
	          "offline = yes\n",
	          &file);
	config = applied(&file, "https://acme.kapturecrm.com");
	assert_int_equal(config.ttl, 600);
	assert_int_equal(config.patience, 5);
	assert_false(config.offline);
	config_fini(&config);

	config = applied(&file, "https://crm.example.com/api");
	assert_int_equal(config.ttl, 60);
	assert_true(config.offline);
	config_fini(&config);

	config = applied(&file, "https://nobody.kapturecrm.com");
	assert_int_equal(config.ttl, 60);
	assert_false(config.offline);
	config_fini(&config);
	config_file_fini(&file);
}

static void test_a_section_has_the_last_word_on_flags_too(void **state)
{
	struct config_file file;
	struct config config;

	read_good(*state, "offline = on\nallow_other = true\n[acme]\noffline = no\n", &file);
	config = applied(&file, "https://acme.kapturecrm.com");
	assert_false(config.offline);
	assert_true(config.allow_other);
	config_fini(&config);
	config_file_fini(&file);
}

static void test_every_spelling_of_a_source_finds_its_section(void **state)
{
	static const char *const spellings[] = { "acme", "acme.kapturecrm.com", "ACME",
		                                 "https://acme.kapturecrm.com/", "  acme  " };
	struct config_file file;
	char text[128];

	for (size_t i = 0; i < array_length(spellings); i++) {
		snprintf(text, sizeof(text), "[%s]\nttl = 1\n", spellings[i]);
		read_good(*state, text, &file);
		assert_int_equal(config_file_find(&file, "https://acme.kapturecrm.com"), 1);
		assert_int_equal(config_file_find(&file, "https://acme.kapturecrm.com/x"), 0);
		config_file_fini(&file);
	}
}

static void test_long_names_and_addresses_of_sources_are_taken_whole(void **state)
{
	static const char url[] =
	        "https://a-host-with-a-long-name.crm.example.com:8443/with/a/prefix";
	struct config_file file;
	char text[256];

	snprintf(text, sizeof(text), "[%s]\n[https://[::1]:8443] ; [x]\n[https://[::1]]\n", url);
	read_good(*state, text, &file);
	assert_int_equal(file.section_count, 4);
	assert_string_equal(file.sections[1].name, url);
	assert_string_equal(file.sections[2].name, "https://[::1]:8443");
	assert_string_equal(file.sections[3].name, "https://[::1]");
	config_file_fini(&file);
}

static void test_blanks_comments_and_line_ends_do_not_matter(void **state)
{
	struct config_file file;
	struct config config;
	char text[1024];

	snprintf(text, sizeof(text),
	         "\xef\xbb\xbf; a comment\r\n"
	         "# %0500d\r\n"
	         "\r\n"
	         "\t[acme]\t# the account\r\n"
	         "\tttl=1\r\n"
	         "   patience   =   2   ; seconds\r\n"
	         "  timeout: 3\r\n"
	         "retries = 4 # tries; not seconds\r\n"
	         "rate=5/s\t#a second\r\n"
	         "cafile = /c#d;e #%0200d\r\n"
	         "token_file = /a b;c,d#e",
	         0, 0);
	read_good(*state, text, &file);
	config = applied(&file, "https://acme.kapturecrm.com");
	assert_int_equal(config.ttl, 1);
	assert_int_equal(config.patience, 2);
	assert_int_equal(config.timeout, 3);
	assert_int_equal(config.retries, 4);
	assert_int_equal(config.rate, 5000);
	assert_string_equal(config.cafile, "/c#d;e");
	assert_string_equal(config.token_file, "/a b;c,d#e");
	config_fini(&config);
	config_file_fini(&file);

	read_good(*state, "\xef\xbb\xbf[acme]\n", &file);
	assert_int_equal(file.section_count, 2);
	config_file_fini(&file);
}

static void test_lines_may_end_in_any_way(void **state)
{
	struct config_file file;
	struct config config;

	read_good(*state, "ttl = 1\r[acme]\rpatience = 2\r\ntimeout = 3\r", &file);
	config = applied(&file, "https://acme.kapturecrm.com");
	assert_int_equal(config.ttl, 1);
	assert_int_equal(config.patience, 2);
	assert_int_equal(config.timeout, 3);
	config_fini(&config);
	config_file_fini(&file);
	assert_refused(*state, "ttl = 1\r\rttl = x\r", 3, "option ttl: given in line 1 already");
}

static void test_utf_16_is_named(void **state)
{
	const char *path = scratch_write_bytes(*state, "config", 0600, "\xff\xfet\0t\0l\0", 8);

	assert_path_refused(path, -EINVAL, ": UTF-16; save it as UTF-8");
}

static void test_an_empty_file_is_good(void **state)
{
	struct config_file file;

	read_good(*state, "", &file);
	assert_int_equal(file.section_count, 1);
	assert_int_equal(file.entry_count, 0);
	config_file_fini(&file);
}

static void test_relative_paths_are_meant_from_the_files_folder(void **state)
{
	const struct scratch *scratch = *state;
	struct config_file file;
	struct config config;
	char expected[PATH_MAX];

	read_good(*state, "token_file = token\ncache = :memory:\n", &file);
	config = applied(&file, "");
	snprintf(expected, sizeof(expected), "%s/token", scratch->path);
	assert_string_equal(config.token_file, expected);
	assert_string_equal(config.cache, ":memory:");
	config_fini(&config);
	config_file_fini(&file);
}

static void test_the_line_of_an_option_is_known(void **state)
{
	struct config_file file;

	read_good(*state, "ttl = 1\ntimeout = 1\n\n[acme]\nttl = 2\n[other]\n", &file);
	assert_int_equal(config_file_line(&file, 1, "ttl"), 5);
	assert_int_equal(config_file_line(&file, 1, "timeout"), 2);
	assert_int_equal(config_file_line(&file, 2, "ttl"), 1);
	assert_int_equal(config_file_line(&file, 2, "patience"), 0);
	config_file_fini(&file);
}

/* What is refused */

static void test_an_unknown_option_is_named_with_its_line(void **state)
{
	assert_refused(*state, "ttl = 1\n\n[acme]\ntll = 5\n", 4,
	               "unknown option tll; did you mean ttl?");
	assert_refused(*state, "[acme]\n= 5\n", 2, "no option before the =");
	assert_refused(*state, "x-systemd.automount = 1\n", 1,
	               "unknown option x-systemd.automount; kapturefs --help lists them");
}

static void test_a_bad_value_is_named_with_its_line(void **state)
{
	assert_refused(*state, "# first\nttl = soon\n", 2,
	               "option ttl=soon: give a number from 0 to 864000000");
	assert_refused(*state, "ttl =\n   5\n", 1, "option ttl needs a value: ttl=SECONDS");
	assert_refused(*state, "[acme]\noffline = perhaps\n", 2,
	               "option offline=perhaps: give yes or no");
	assert_refused(*state, "cache_size = 1K\n", 1,
	               "option cache_size=1K: give a size from 1M to 100G");
	assert_refused(*state, "rate = 10/m\n", 1,
	               "option rate=10/m: give requests a second from 0.001/s to 10000/s");
	assert_refused(*state, "noatime = yes\n", 1,
	               "option noatime is for mount(8), in fstab or on the command line, and takes "
	               "no value");
}

static void test_a_bad_section_makes_the_file_bad_for_every_source(void **state)
{
	assert_refused(*state, "[acme]\nttl = 1\n[other]\nttl = x\n", 4,
	               "option ttl=x: give a number from 0 to 864000000");
}

static void test_a_token_in_the_file_is_refused_and_not_repeated(void **state)
{
	assert_refused(*state, "[acme]\ntoken = secret\n", 2,
	               "option token is refused: put the token into a file that only you can read "
	               "and give token_file=PATH");
}

static void test_a_file_names_no_other_file(void **state)
{
	assert_refused(*state, "config = /etc/other\n", 1,
	               "option config: a configuration file names no other");
}

static void test_a_second_section_for_one_source_is_refused(void **state)
{
	assert_refused(*state, "[acme]\nttl = 1\n[acme]\n", 3,
	               "[acme]: the source has a section already, [acme] in line 1");
	assert_refused(*state, "[acme]\n[other]\n\n[https://Acme.kapturecrm.com]\n", 4,
	               "[https://Acme.kapturecrm.com]: the source has a section already, [acme] in "
	               "line 1");
}

static void test_an_option_that_is_given_twice_is_refused(void **state)
{
	struct config_file file;

	assert_refused(*state, "ttl = 1\npatience = 1\nttl = 1\n", 3,
	               "option ttl: given in line 1 already");
	assert_refused(*state, "ttl = 1\n[acme]\nttl = 1\nttl = 2\n", 4,
	               "option ttl: given in line 3 already");
	read_good(*state, "ttl = 1\n[acme]\nttl = 2\n[other]\nttl = 3\n", &file);
	config_file_fini(&file);
}

static void test_syntax_errors_are_named_by_their_line(void **state)
{
	static const char no_value[] = "give option = value; a flag takes yes or no";

	assert_refused(*state, "[acme]\noffline\n", 2, no_value);
	assert_refused(*state, "secret\nttl = x\n", 1, no_value);
	assert_refused(*state, "secret\n[acme\n", 1, no_value);
	assert_refused(*state, "ttl ; = 5\n", 1, no_value);
	assert_refused(*state, "ttl = x\nsecret\n", 1,
	               "option ttl=x: give a number from 0 to 864000000");
	assert_refused(*state, "[acme\nttl = 1\n", 1, "no ] at the end of the section's name");
	assert_refused(*state, "\n[acme] ttl = 1\n", 2,
	               "something follows the section's name; an option has a line of its own");
}

static void test_a_section_that_is_no_source_is_refused(void **state)
{
	assert_refused(*state, "[]\n", 1, "source \"\": give a sub domain (acme), a host or a URL");
	assert_refused(*state, "[ac me]\n", 1,
	               "source \"ac me\": give a sub domain (acme), a host or a URL");
	assert_refused(*state, "[http://example.com]\n", 1,
	               "source http://example.com: http:// would send the token in clear; use "
	               "https://");
}

static void test_control_bytes_are_refused(void **state)
{
	assert_refused(*state, "ttl = 1\ncache = /a\x1b[2J\n", 2, "a control byte (0x1b)");
	assert_refused(*state, "ttl = 1\x7f\n", 1, "a control byte (0x7f)");
	assert_path_refused(scratch_write_bytes(*state, "config", 0600, "ttl = 1\0\n", 9), -EINVAL,
	                    ":1: a control byte (0x00)");
}

static void test_a_line_that_is_too_long_is_refused_and_not_cut(void **state)
{
	char text[5000];
	char why[64];

	snprintf(text, sizeof(text), "[acme]\ncache = /%04000d\n", 0);
	snprintf(why, sizeof(why), "the line is longer than %d bytes", 199);
	assert_refused(*state, text, 2, why);
}

static void test_a_file_that_others_may_write_is_refused(void **state)
{
	static const mode_t bad[] = { 0620, 0602, 0666, 0664 };
	struct config_complaint complaint;
	struct config_file file;
	char expected[PATH_MAX];

	for (size_t i = 0; i < array_length(bad); i++) {
		const char *path = scratch_write(*state, "config", bad[i], "");

		snprintf(expected, sizeof(expected), ": others may write to it; run chmod go-w %s",
		         path);
		assert_path_refused(path, -EINVAL, expected);
	}
	assert_int_equal(config_file_read(scratch_write(*state, "config", 0644, ""), &file,
	                                  &complaint),
	                 0);
	config_file_fini(&file);
}

static void test_a_file_of_another_user_is_refused(void **state)
{
	const char *path = scratch_write(*state, "config", 0600, "");

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(path, 4711, 4711), 0);
	assert_path_refused(path, -EINVAL, ": belongs to another user; chown it");
}

static void test_what_is_no_file_is_refused(void **state)
{
	const char *path = scratch_path(*state, "pipe");

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_path_refused(path, -EINVAL, ": not a regular file");
	assert_path_refused(scratch_path(*state, "."), -EINVAL, ": not a regular file");
}

static void test_a_file_that_is_missing_is_an_outcome_of_its_own(void **state)
{
	assert_path_refused(scratch_path(*state, "none"), CONFIG_FILE_ABSENT,
	                    ": No such file or directory");
	scratch_write(*state, "file", 0600, "");
	assert_path_refused(scratch_path(*state, "file/config"), CONFIG_FILE_ABSENT,
	                    ": Not a directory");
}

static void test_a_file_that_is_too_big_is_refused(void **state)
{
	const size_t length = (256 << 10) + 1;
	char *bytes = malloc(length);

	memset(bytes, '\n', length);
	assert_path_refused(scratch_write_bytes(*state, "config", 0600, bytes, length), -EINVAL,
	                    ": over 256 KiB");
	free(bytes);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_section_is_for_its_source_and_what_precedes_all_is_for_all),
		TEST(test_a_section_has_the_last_word_on_flags_too),
		TEST(test_every_spelling_of_a_source_finds_its_section),
		TEST(test_long_names_and_addresses_of_sources_are_taken_whole),
		TEST(test_blanks_comments_and_line_ends_do_not_matter),
		TEST(test_lines_may_end_in_any_way),
		TEST(test_utf_16_is_named),
		TEST(test_an_empty_file_is_good),
		TEST(test_relative_paths_are_meant_from_the_files_folder),
		TEST(test_the_line_of_an_option_is_known),
		TEST(test_an_unknown_option_is_named_with_its_line),
		TEST(test_a_bad_value_is_named_with_its_line),
		TEST(test_a_bad_section_makes_the_file_bad_for_every_source),
		TEST(test_a_token_in_the_file_is_refused_and_not_repeated),
		TEST(test_a_file_names_no_other_file),
		TEST(test_a_second_section_for_one_source_is_refused),
		TEST(test_an_option_that_is_given_twice_is_refused),
		TEST(test_syntax_errors_are_named_by_their_line),
		TEST(test_a_section_that_is_no_source_is_refused),
		TEST(test_control_bytes_are_refused),
		TEST(test_a_line_that_is_too_long_is_refused_and_not_cut),
		TEST(test_a_file_that_others_may_write_is_refused),
		TEST(test_a_file_of_another_user_is_refused),
		TEST(test_what_is_no_file_is_refused),
		TEST(test_a_file_that_is_missing_is_an_outcome_of_its_own),
		TEST(test_a_file_that_is_too_big_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
