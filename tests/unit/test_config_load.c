/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/config/load.h"
#include "scratch.h"

/* The user's configuration is `kapturefs/config` in the scratch directory. */
static int setup(void **state)
{
	struct scratch *scratch;

	if (scratch_setup(state))
		return -1;
	scratch = *state;
	setenv("XDG_CONFIG_HOME", scratch->path, 1);
	setenv("XDG_CACHE_HOME", "/nowhere", 1);
	return mkdir(scratch_path(scratch, "kapturefs"), 0700);
}

static int teardown(void **state)
{
	unlink(scratch_path(*state, "kapturefs/config"));
	return scratch_teardown(state);
}

static struct config_request request(const char *source, const char *options)
{
	struct config_request request;

	assert_int_equal(config_request_init(&request), 0);
	assert_int_equal(config_request_set_source(&request, source), 0);
	if (options)
		assert_int_equal(config_request_add_options(&request, options), 0);
	return request;
}

static struct config load(const char *source, const char *options)
{
	struct config_request what = request(source, options);
	struct config_complaint complaint = { .text = "" };
	struct config config;

	if (config_load(&what, &config, &complaint))
		fail_msg("%s", complaint.text);
	config_request_fini(&what);
	return config;
}

static void assert_refused(const char *source, const char *options, const char *expected)
{
	struct config_request what = request(source, options);
	struct config_complaint complaint = { .text = "" };
	struct config config = { .ttl = 47 };

	assert_int_equal(config_load(&what, &config, &complaint), -EINVAL);
	assert_string_equal(complaint.text, expected);
	assert_int_equal(config.ttl, 47);
	config_request_fini(&what);
}

static void test_defaults_then_file_then_section_then_command_line(void **state)
{
	struct config config;

	scratch_write(*state, "kapturefs/config", 0600,
	              "ttl = 1\npatience = 1\ntimeout = 1\n[acme]\nttl = 2\npatience = 2\n");
	config = load("acme", "ttl=3");
	assert_int_equal(config.ttl, 3);
	assert_int_equal(config.patience, 2);
	assert_int_equal(config.timeout, 1);
	assert_int_equal(config.negative_ttl, 60);
	assert_string_equal(config.base_url, "https://acme.kapturecrm.com");
	assert_string_equal(config.config_file, scratch_path(*state, "kapturefs/config"));
	config_fini(&config);

	config = load("other", NULL);
	assert_int_equal(config.ttl, 1);
	config_fini(&config);
}

static void test_the_command_line_turns_off_what_the_file_turns_on(void **state)
{
	struct config config;

	scratch_write(*state, "kapturefs/config", 0600, "offline = yes\nallow_other = yes\n");
	config = load("acme", "offline=no");
	assert_false(config.offline);
	assert_string_equal(config.fuse_options, "allow_other");
	config_fini(&config);
	config = load("acme", "allow_other=no");
	assert_true(config.offline);
	assert_null(config.fuse_options);
	config_fini(&config);
}

static void test_allow_root_takes_everything_from_group_and_others(void **state)
{
	struct config config = load("acme", "allow_root,umask=0222");

	(void)state;
	assert_int_equal(config.umask, 0277);
	config_fini(&config);
	config = load("acme", "umask=0,allow_root");
	assert_int_equal(config.umask, 0077);
	config_fini(&config);
	config = load("acme", "allow_other,umask=0222");
	assert_int_equal(config.umask, 0222);
	config_fini(&config);
	assert_refused("acme", "allow_root,uid=4711",
	               "option uid: allow_root lets in who mounts and root, nobody else; leave out "
	               "uid or take allow_other");
}

static void test_secrets_for_all_go_to_no_source_without_a_section(void **state)
{
	static const char text[] = "token_file = t\nheader_file = h\nbody_file = b\nttl = 7\n";
	struct config config;
	char sections[256];
	char expected[PATH_MAX];

	snprintf(sections, sizeof(sections), "%s[acme]\n", text);
	scratch_write(*state, "kapturefs/config", 0600, sections);
	config = load("acme", NULL);
	assert_non_null(config.token_file);
	assert_non_null(config.header_file);
	assert_non_null(config.body_file);
	config_fini(&config);
	config = load("acne", "token_file=/mine");
	assert_string_equal(config.token_file, "/mine");
	assert_null(config.header_file);
	assert_null(config.body_file);
	assert_int_equal(config.ttl, 7);
	config_fini(&config);
	snprintf(expected, sizeof(expected),
	         "%s:1: token_file is for the sources that have a section; add [acne], or give -o "
	         "token_file=PATH",
	         scratch_path(*state, "kapturefs/config"));
	assert_refused("acne", NULL, expected);

	scratch_write(*state, "kapturefs/config", 0600, text);
	config = load("acne", NULL);
	assert_non_null(config.token_file);
	config_fini(&config);
}

static void test_options_given_in_several_pieces_are_one_list(void **state)
{
	struct config_request what = request("acme", "ttl=1,patience=1");
	struct config_complaint complaint;
	struct config config;

	(void)state;
	assert_int_equal(config_request_add_options(&what, "ttl=2"), 0);
	assert_int_equal(config_load(&what, &config, &complaint), 0);
	assert_int_equal(config.ttl, 2);
	assert_int_equal(config.patience, 1);
	config_fini(&config);
	config_request_fini(&what);
}

static void test_the_file_that_is_named_is_read_instead_of_the_users(void **state)
{
	struct config config;
	char options[PATH_MAX];

	scratch_write(*state, "kapturefs/config", 0600, "ttl = broken\n");
	snprintf(options, sizeof(options), "config=%s",
	         scratch_write(*state, "other", 0600, "ttl = 5\n"));
	config = load("acme", options);
	assert_int_equal(config.ttl, 5);
	assert_string_equal(config.config_file, scratch_path(*state, "other"));
	config_fini(&config);
}

static void test_a_file_that_is_named_must_exist(void **state)
{
	char options[PATH_MAX];
	char expected[PATH_MAX];

	snprintf(options, sizeof(options), "config=%s", scratch_path(*state, "none"));
	snprintf(expected, sizeof(expected), "%s: No such file or directory",
	         scratch_path(*state, "none"));
	assert_refused("acme", options, expected);
}

static void test_the_users_file_is_in_the_home_directory_without_xdg(void **state)
{
	const struct scratch *scratch = *state;
	struct config config;

	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", scratch->path, 1);
	assert_int_equal(mkdir(scratch_path(*state, ".config"), 0700), 0);
	assert_int_equal(mkdir(scratch_path(*state, ".config/kapturefs"), 0700), 0);
	scratch_write(*state, ".config/kapturefs/config", 0600, "ttl = 9\n");
	config = load("acme", NULL);
	assert_int_equal(config.ttl, 9);
	config_fini(&config);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	config = load("acme", NULL);
	assert_int_equal(config.ttl, 9);
	config_fini(&config);

	unlink(scratch_path(*state, ".config/kapturefs/config"));
	rmdir(scratch_path(*state, ".config/kapturefs"));
	rmdir(scratch_path(*state, ".config"));
}

static void test_there_may_be_no_file(void **state)
{
	struct config config;

	(void)state;
	if (access("/etc/kapturefs.conf", F_OK) == 0)
		skip();
	config = load("acme", NULL);
	assert_null(config.config_file);
	assert_int_equal(config.ttl, 300);
	config_fini(&config);
}

static void test_a_mistake_in_the_file_is_told_with_its_place(void **state)
{
	char expected[PATH_MAX];

	scratch_write(*state, "kapturefs/config", 0600, "[acme]\nttl = x\n");
	snprintf(expected, sizeof(expected),
	         "%s:2: option ttl=x: give a number from 0 to 864000000",
	         scratch_path(*state, "kapturefs/config"));
	assert_refused("acme", NULL, expected);
}

static void test_a_mistake_on_the_command_line_is_told_before_any_of_the_file(void **state)
{
	scratch_write(*state, "kapturefs/config", 0600, "ttl = x\n");
	assert_refused("acme", "ttl=y", "option ttl=y: give a number from 0 to 864000000");
	assert_refused("ac me", NULL,
	               "source \"ac me\": give a sub domain (acme), a host or a URL");
}

static void test_reloading_takes_up_what_changed(void **state)
{
	struct config_request what = request("acme", "patience=7");
	struct config_complaint complaint;
	struct config config;

	scratch_write(*state, "kapturefs/config", 0600, "ttl = 1\ntoken_file = /a\n");
	assert_int_equal(config_load(&what, &config, &complaint), 0);
	scratch_write(*state, "kapturefs/config", 0600, "ttl = 2\npatience = 8\n");
	assert_int_equal(config_reload(&what, &config, &complaint), 0);
	assert_int_equal(config.ttl, 2);
	assert_int_equal(config.patience, 7);
	assert_null(config.token_file);
	config_fini(&config);
	config_request_fini(&what);
}

static void test_reloading_names_what_needs_a_remount_and_takes_the_rest(void **state)
{
	struct config_request what = request("acme", NULL);
	struct config_complaint complaint;
	struct config config;

	scratch_write(*state, "kapturefs/config", 0600, "ttl = 1\ncache = /a\n");
	assert_int_equal(config_load(&what, &config, &complaint), 0);
	scratch_write(*state, "kapturefs/config", 0600,
	              "ttl = 2\nrate = 3/s\nburst = 4\noffline = yes\ncache = /b\numask = 0\n"
	              "allow_other = yes\n");
	assert_int_equal(config_reload(&what, &config, &complaint), CONFIG_NEEDS_REMOUNT);
	assert_string_equal(complaint.text, "cache, umask, allow_other");
	assert_int_equal(config.ttl, 2);
	assert_int_equal(config.rate, 3000);
	assert_int_equal(config.burst, 4);
	assert_true(config.offline);
	assert_string_equal(config.cache, "/a");
	assert_int_equal(config.umask, 0277);
	assert_false(config.allow_other);
	config_fini(&config);
	config_request_fini(&what);
}

static void test_reloading_what_is_wrong_keeps_the_old_and_says_why(void **state)
{
	struct config_request what = request("acme", NULL);
	struct config_complaint complaint;
	struct config config;
	struct config before;

	scratch_write(*state, "kapturefs/config", 0600, "ttl = 1\ntoken_file = /a\n");
	assert_int_equal(config_load(&what, &config, &complaint), 0);
	memcpy(&before, &config, sizeof(before));
	scratch_write(*state, "kapturefs/config", 0600, "token_file = /b\nttl = x\n");
	assert_int_equal(config_reload(&what, &config, &complaint), -EINVAL);
	assert_non_null(strstr(complaint.text, "/config:2: option ttl=x"));
	assert_memory_equal(&config, &before, sizeof(before));
	assert_string_equal(config.token_file, "/a");
	config_fini(&config);
	config_request_fini(&what);
}

/* The daemon works in /, and reads its configuration again there. */
static void test_relative_paths_mean_the_same_after_a_change_of_directory(void **state)
{
	const struct scratch *scratch = *state;
	struct config_complaint complaint;
	struct config_request what;
	struct config config;
	char *here = getcwd(NULL, 0);

	scratch_write(*state, "other", 0600, "ttl = 4\n");
	assert_int_equal(chdir(scratch->path), 0);
	what = request("acme", "cache=c.db,config=other");
	assert_int_equal(config_load(&what, &config, &complaint), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(config_reload(&what, &config, &complaint), 0);
	assert_int_equal(config.ttl, 4);
	assert_string_equal(config.cache, scratch_path(*state, "c.db"));
	assert_int_equal(chdir(here), 0);
	free(here);
	config_fini(&config);
	config_request_fini(&what);
}

static void test_the_cache_is_named_after_the_host(void **state)
{
	struct config config;

	(void)state;
	config = load("acme", NULL);
	assert_string_equal(config.cache, geteuid() == 0
	                                          ? "/var/cache/kapturefs/acme.kapturecrm.com.db"
	                                          : "/nowhere/kapturefs/acme.kapturecrm.com.db");
	config_fini(&config);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults_then_file_then_section_then_command_line),
		TEST(test_the_command_line_turns_off_what_the_file_turns_on),
		TEST(test_allow_root_takes_everything_from_group_and_others),
		TEST(test_secrets_for_all_go_to_no_source_without_a_section),
		TEST(test_secrets_for_all_go_to_no_source_without_a_section),
		TEST(test_options_given_in_several_pieces_are_one_list),
		TEST(test_the_file_that_is_named_is_read_instead_of_the_users),
		TEST(test_a_file_that_is_named_must_exist),
		TEST(test_the_users_file_is_in_the_home_directory_without_xdg),
		TEST(test_there_may_be_no_file),
		TEST(test_a_mistake_in_the_file_is_told_with_its_place),
		TEST(test_a_mistake_on_the_command_line_is_told_before_any_of_the_file),
		TEST(test_reloading_takes_up_what_changed),
		TEST(test_reloading_names_what_needs_a_remount_and_takes_the_rest),
		TEST(test_reloading_what_is_wrong_keeps_the_old_and_says_why),
		TEST(test_relative_paths_mean_the_same_after_a_change_of_directory),
		TEST(test_the_cache_is_named_after_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
