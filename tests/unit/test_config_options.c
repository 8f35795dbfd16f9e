/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/base/log.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/table.h"

static int setup(void **state)
{
	struct config *config = malloc(sizeof(*config));

	config_init(config);
	*state = config;
	return 0;
}

static int teardown(void **state)
{
	config_fini(*state);
	free(*state);
	return 0;
}

static void set(struct config *config, const char *options)
{
	struct config_complaint complaint = { .text = "" };

	if (config_set_options(config, options, NULL, &complaint))
		fail_msg("%s: %s", options, complaint.text);
}

static void assert_refused(struct config *config, const char *options, const char *expected)
{
	struct config_complaint complaint = { .text = "" };

	assert_int_equal(config_set_options(config, options, NULL, &complaint), -EINVAL);
	assert_string_equal(complaint.text, expected);
}

static const void *place(const struct config *config, const struct config_option *option)
{
	return (const char *)config + option->offset;
}

static uint64_t number(const struct config *config, const struct config_option *option)
{
	return *(const uint64_t *)place(config, option);
}

/* The contract's table, written down once more: names and defaults are promises. */
static void test_defaults_are_those_of_the_contract(void **state)
{
	const struct config *config = *state;

	assert_int_equal(config->ttl, 300);
	assert_int_equal(config->negative_ttl, 60);
	assert_int_equal(config->max_stale, 86400);
	assert_int_equal(config->timeout, 30);
	assert_int_equal(config->patience, 2);
	assert_int_equal(config->connect_timeout, 5);
	assert_int_equal(config->retries, 3);
	assert_int_equal(config->max_connections, 8);
	assert_int_equal(config->rate, 10000);
	assert_int_equal(config->burst, 20);
	assert_int_equal(config->cache_size, INT64_C(1) << 30);
	assert_int_equal(config->memory, 64 << 20);
	assert_int_equal(config->retain, 30);
	assert_int_equal(config->account_id, 0);
	assert_int_equal(config->busy_poll, 50);
	assert_int_equal(config->umask, 0277);
	assert_int_equal(config->uid, getuid());
	assert_int_equal(config->gid, getgid());
	assert_false(config->offline || config->xattr || config->allow_other);
	assert_null(config->token_file);
	assert_null(config->cache);
	assert_null(config->proxy);
}

static void test_every_number_takes_both_ends_of_its_range_and_nothing_beyond(void **state)
{
	struct config *config = *state;

	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		const uint64_t ends[] = { option->minimum, option->maximum };
		struct config_complaint complaint;
		char text[NUMBER_TEXT_SIZE];

		if (!option_is_number(option))
			continue;
		for (size_t end = 0; end < array_length(ends); end++) {
			number_print(option_number_kind(option), ends[end], text);
			assert_int_equal(config_set_option(config, option->name, text, NULL,
			                                   &complaint),
			                 0);
			assert_int_equal(number(config, option), ends[end]);
		}
		number_print(option_number_kind(option), option->maximum + 1, text);
		assert_int_equal(config_set_option(config, option->name, text, NULL, &complaint),
		                 -EINVAL);
		assert_int_equal(number(config, option), option->maximum);
		if (!option->minimum)
			continue;
		number_print(option_number_kind(option), option->minimum - 1, text);
		assert_int_equal(config_set_option(config, option->name, text, NULL, &complaint),
		                 -EINVAL);
		assert_int_equal(number(config, option), option->maximum);
	}
}

static void test_every_text_is_kept_in_a_place_of_its_own(void **state)
{
	struct config *config = *state;
	struct config_complaint complaint;

	for (size_t i = 0; i < config_option_count; i++) {
		char text[64];

		if (!option_is_text(&config_options[i]))
			continue;
		snprintf(text, sizeof(text), "/%s", config_options[i].name);
		assert_int_equal(config_set_option(config, config_options[i].name, text, NULL,
		                                   &complaint),
		                 0);
	}
	for (size_t i = 0; i < config_option_count; i++) {
		if (option_is_text(&config_options[i]))
			assert_string_equal(*(char *const *)place(config, &config_options[i]) + 1,
			                    config_options[i].name);
	}
}

static void test_every_flag_is_turned_on_and_off(void **state)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = { { NULL, true }, { "no", false },    { "yes", true },  { "off", false },
		      { "on", true }, { "false", false }, { "TRUE", true }, { "0", false },
		      { "1", true },  { "No", false } };
	struct config *config = *state;
	struct config_complaint complaint;

	for (size_t i = 0; i < config_option_count; i++) {
		for (size_t word = 0;
		     option_is_flag(&config_options[i]) && word < array_length(words); word++) {
			assert_int_equal(config_set_option(config, config_options[i].name,
			                                   words[word].text, NULL, &complaint),
			                 0);
			assert_int_equal(*(const bool *)place(config, &config_options[i]),
			                 words[word].value);
		}
	}
	set(config, "xattr,allow_root");
	assert_true(config->xattr && config->allow_root);
	assert_false(config->offline || config->allow_other || config->auto_unmount);
	assert_refused(config, "offline=maybe", "option offline=maybe: give yes or no");
	assert_refused(config, "offline=", "option offline=: give yes or no");
}

static void test_the_last_option_counts(void **state)
{
	struct config *config = *state;

	set(config, "ttl=1,patience=9,ttl=2,offline,offline=no");
	assert_int_equal(config->ttl, 2);
	assert_int_equal(config->patience, 9);
	assert_false(config->offline);
}

static void test_numbers_are_digits_and_nothing_else(void **state)
{
	static const char *const bad[] = {
		"-1", "+1", " 1", "1 ", "1.5", "5x", "x", "0x10", "99999999999999999999", "1K"
	};
	struct config *config = *state;
	char option[64];
	char expected[192];

	for (size_t i = 0; i < array_length(bad); i++) {
		snprintf(option, sizeof(option), "ttl=%s", bad[i]);
		snprintf(expected, sizeof(expected),
		         "option ttl=%s: give a number from 0 to 864000000%s", bad[i],
		         bad[i][0] >= '0' && bad[i][0] <= '9' && bad[i][1] && bad[i][1] != '9'
		                 ? ", as seconds or with s, m, h or d behind it"
		                 : "");
		assert_refused(config, option, expected);
	}
	assert_int_equal(config->ttl, 300);
}

static void test_sizes_take_units(void **state)
{
	static const char *const bad[] = { "1P", "1 M",  "1MM", "1Mi",         "iB",
		                           "M",  "1.5G", "1b1", "17179869185G" };
	struct config *config = *state;
	char option[64];
	char expected[192];

	set(config, "memory=4096,cache_size=2G");
	assert_int_equal(config->memory, 4096);
	assert_int_equal(config->cache_size, INT64_C(2) << 30);
	set(config, "memory=3K,cache_size=5M");
	assert_int_equal(config->memory, 3 << 10);
	assert_int_equal(config->cache_size, 5 << 20);
	set(config, "memory=1T,cache_size=10GiB");
	assert_int_equal(config->memory, INT64_C(1) << 40);
	assert_int_equal(config->cache_size, INT64_C(10) << 30);
	set(config, "memory=10GB,cache_size=2097152B");
	assert_int_equal(config->memory, INT64_C(10) << 30);
	assert_int_equal(config->cache_size, 2 << 20);
	set(config, "memory=8kib,cache_size=2gb");
	assert_int_equal(config->memory, 8 << 10);
	assert_int_equal(config->cache_size, INT64_C(2) << 30);
	for (size_t i = 0; i < array_length(bad); i++) {
		snprintf(option, sizeof(option), "memory=%s", bad[i]);
		snprintf(expected, sizeof(expected), "option %s: give a size from 0 to 1T%s",
		         option,
		         bad[i][0] >= '0' && bad[i][0] <= '9'
		                 ? ", as bytes or with K, M, G or T behind it"
		                 : "");
		assert_refused(config, option, expected);
	}
	assert_refused(config, "cache_size=1023K",
	               "option cache_size=1023K: give a size from 1M to 100G");
	assert_refused(config, "memory=2T", "option memory=2T: give a size from 0 to 1T");
}

static void test_durations_take_units(void **state)
{
	static const char *const bad[] = { "5x",  "m",  "5M", "5 m",  "1h30m",
		                           "5ms", "1w", "d",  "1.5h", "18446744073709551615d" };
	struct config *config = *state;
	char option[64];
	char expected[192];

	set(config, "ttl=5m,max_stale=2d,timeout=90s,negative_ttl=1h,patience=0s");
	assert_int_equal(config->ttl, 300);
	assert_int_equal(config->max_stale, 172800);
	assert_int_equal(config->timeout, 90);
	assert_int_equal(config->negative_ttl, 3600);
	assert_int_equal(config->patience, 0);
	set(config, "connect_timeout=10000d,retain=7d");
	assert_int_equal(config->connect_timeout, 864000000);
	assert_int_equal(config->retain, 7);
	set(config, "retain=48h");
	assert_int_equal(config->retain, 2);
	assert_refused(config, "retain=36h",
	               "option retain=36h: give a number from 1 to 10000, as days or with d behind "
	               "it");
	assert_refused(
	        config, "retain=5m",
	        "option retain=5m: give a number from 1 to 10000, as days or with d behind it");
	for (size_t i = 0; i < array_length(bad); i++) {
		snprintf(option, sizeof(option), "ttl=%s", bad[i]);
		snprintf(expected, sizeof(expected),
		         "option %s: give a number from 0 to 864000000%s", option,
		         bad[i][0] >= '0' && bad[i][0] <= '9'
		                 ? ", as seconds or with s, m, h or d behind it"
		                 : "");
		assert_refused(config, option, expected);
	}
	assert_refused(config, "retries=1s", "option retries=1s: give a number from 0 to 10");
}

static void test_rates_are_requests_a_second(void **state)
{
	static const char *const bad[] = { "0",
		                           "0/s",
		                           "0.0001",
		                           "1.",
		                           "1./s",
		                           ".5",
		                           "10/m",
		                           "10/",
		                           "1e3",
		                           "10 /s",
		                           "0.5.5",
		                           "10001",
		                           "18446744073709551615" };
	struct config *config = *state;
	char option[64];
	char expected[128];

	set(config, "rate=10");
	assert_int_equal(config->rate, 10000);
	set(config, "rate=0.5/s");
	assert_int_equal(config->rate, 500);
	set(config, "rate=2.25");
	assert_int_equal(config->rate, 2250);
	set(config, "rate=0.001/s");
	assert_int_equal(config->rate, 1);
	for (size_t i = 0; i < array_length(bad); i++) {
		snprintf(option, sizeof(option), "rate=%s", bad[i]);
		snprintf(expected, sizeof(expected),
		         "option rate=%s: give requests a second from 0.001/s to 10000/s", bad[i]);
		assert_refused(config, option, expected);
	}
}

static void test_a_level_of_the_log_is_a_word(void **state)
{
	static const char *const bad[] = { "log_level=notice", "log_level=1", "log_level=infos",
		                           "log_level=warn ing", "log_level=x" };
	struct config *config = *state;
	char expected[128];

	assert_int_equal(config->log_level, LOG_LEVEL_NOTICE);
	set(config, "log_level=error");
	assert_int_equal(config->log_level, LOG_LEVEL_ERROR);
	set(config, "log_level=Warning");
	assert_int_equal(config->log_level, LOG_LEVEL_WARNING);
	set(config, "log_level=debug");
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	for (size_t i = 0; i < array_length(bad); i++) {
		snprintf(expected, sizeof(expected),
		         "option %s: give error, warning, info or debug", bad[i]);
		assert_refused(config, bad[i], expected);
	}
	set(config, "log_level=info");
	assert_int_equal(config->log_level, LOG_LEVEL_NOTICE);
}

static void test_a_proxy_is_one_for_http_and_its_password_not_repeated(void **state)
{
	static const char *const bad[] = { "proxy=ftp://a:secret@b", "proxy=socks5://b:1080",
		                           "proxy=://b", "proxy=http://", "proxy=htp://b" };
	struct config *config = *state;

	for (size_t i = 0; i < array_length(bad); i++)
		assert_refused(config, bad[i], "option proxy: give http://HOST:PORT");
	assert_null(config->proxy);
	set(config, "proxy=HTTP://a:secret@b:3128");
	assert_string_equal(config->proxy, "HTTP://a:secret@b:3128");
	set(config, "proxy=https://b");
	set(config, "proxy=b:3128");
	assert_string_equal(config->proxy, "b:3128");
}

static void test_the_umask_is_octal(void **state)
{
	struct config *config = *state;

	set(config, "umask=077");
	assert_int_equal(config->umask, 077);
	set(config, "umask=222");
	assert_int_equal(config->umask, 0222);
	assert_refused(config, "umask=999",
	               "option umask=999: give an octal number from 0 to 0777");
	assert_refused(config, "umask=1777",
	               "option umask=1777: give an octal number from 0 to 0777");
}

static void test_numbers_are_written_as_they_are_read(void **state)
{
	char text[NUMBER_TEXT_SIZE];

	(void)state;
	assert_string_equal(number_print(NUMBER_RATE, 10000, text), "10/s");
	assert_string_equal(number_print(NUMBER_RATE, 100500, text), "100.5/s");
	assert_string_equal(number_print(NUMBER_RATE, 1, text), "0.001/s");
	assert_string_equal(number_print(NUMBER_SIZE, 1536 << 10, text), "1536K");
	assert_string_equal(number_print(NUMBER_SIZE, INT64_C(3) << 40, text), "3T");
	assert_string_equal(number_print(NUMBER_SECONDS, 300, text), "300");
	assert_string_equal(number_print(NUMBER_SIZE, 0, text), "0");
	assert_string_equal(number_print(NUMBER_SIZE, 1000, text), "1000");
	assert_string_equal(number_print(NUMBER_OCTAL, 0277, text), "0277");
	assert_string_equal(number_print(NUMBER_PLAIN, UINT64_MAX, text), "18446744073709551615");
}

static void test_relative_paths_are_meant_from_the_directory(void **state)
{
	struct config *config = *state;
	struct config_complaint complaint;
	char expected[4200];
	char *here = getcwd(NULL, 0);

	assert_int_equal(config_set_options(config, "cache=a/b.db,token_file=/t", "/srv/x",
	                                    &complaint),
	                 0);
	assert_string_equal(config->cache, "/srv/x/a/b.db");
	assert_string_equal(config->token_file, "/t");
	assert_int_equal(config_set_options(config, "cache=b.db", "/", &complaint), 0);
	assert_string_equal(config->cache, "/b.db");
	set(config, "cache=here.db");
	snprintf(expected, sizeof(expected), "%s/here.db", here);
	assert_string_equal(config->cache, expected);
	set(config, "cache=:memory:");
	assert_string_equal(config->cache, ":memory:");
	free(here);
}

static void test_a_tilde_is_the_home_directory(void **state)
{
	struct config *config = *state;
	struct config_complaint complaint;

	setenv("HOME", "/home/of/mine", 1);
	assert_int_equal(config_set_options(config, "token_file=~/t,cache=~,cafile=~other/x",
	                                    "/srv", &complaint),
	                 0);
	assert_string_equal(config->token_file, "/home/of/mine/t");
	assert_string_equal(config->cache, "/home/of/mine/");
	assert_string_equal(config->cafile, "/srv/~other/x");
	unsetenv("HOME");
	set(config, "token_file=~/u");
	assert_true(config->token_file[0] == '/' && !strchr(config->token_file, '~'));
}

static void test_a_token_is_refused_and_not_repeated(void **state)
{
	static const char expected[] =
	        "option token is refused: put the token into a file that only "
	        "you can read and give token_file=PATH";

	assert_refused(*state, "token=secret", expected);
	assert_refused(*state, "token", expected);
}

static void test_mistakes_name_the_option(void **state)
{
	assert_refused(*state, "nonsense", "unknown option nonsense; kapturefs --help lists them");
	assert_refused(*state, "TTL=5", "unknown option TTL; did you mean ttl?");
	assert_refused(*state, "token-file=x",
	               "unknown option token-file; did you mean token_file?");
	assert_refused(*state, "max_connection=1",
	               "unknown option max_connection; did you mean max_connections?");
	assert_refused(*state, "ttl", "option ttl needs a value: ttl=SECONDS");
	assert_refused(*state, "ttl=", "option ttl needs a value: ttl=SECONDS");
	assert_refused(*state, "two\nlines",
	               "unknown option two?lines; kapturefs --help lists them");
	assert_refused(*state, "cache=", "option cache needs a value: cache=PATH");
	assert_refused(*state, "noatime=yes",
	               "option noatime is for mount(8), in fstab or on the command line, and takes "
	               "no value");
}

static void test_words_of_fstab_are_passed_over(void **state)
{
	struct config *config = *state;

	set(config, "rw,ro,defaults,noauto,users,nofail,_netdev,dev,suid,exec,nosuid,nodev,noexec");
	set(config, "x-systemd.automount,x-systemd.idle-timeout=60,comment=mine,,ttl=7,");
	assert_int_equal(config->ttl, 7);
}

static void test_options_for_libfuse_are_joined(void **state)
{
	struct config *config = *state;

	assert_int_equal(config_join_fuse_options(config), 0);
	assert_null(config->fuse_options);
	set(config, "auto_unmount,allow_other,allow_other");
	assert_int_equal(config_join_fuse_options(config), 0);
	assert_string_equal(config->fuse_options, "allow_other,auto_unmount");
	set(config, "allow_other=no");
	assert_int_equal(config_join_fuse_options(config), 0);
	assert_string_equal(config->fuse_options, "auto_unmount");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults_are_those_of_the_contract),
		TEST(test_every_number_takes_both_ends_of_its_range_and_nothing_beyond),
		TEST(test_every_text_is_kept_in_a_place_of_its_own),
		TEST(test_every_flag_is_turned_on_and_off),
		TEST(test_the_last_option_counts),
		TEST(test_numbers_are_digits_and_nothing_else),
		TEST(test_sizes_take_units),
		TEST(test_durations_take_units),
		TEST(test_rates_are_requests_a_second),
		TEST(test_a_level_of_the_log_is_a_word),
		TEST(test_a_proxy_is_one_for_http_and_its_password_not_repeated),
		TEST(test_the_umask_is_octal),
		TEST(test_numbers_are_written_as_they_are_read),
		TEST(test_relative_paths_are_meant_from_the_directory),
		TEST(test_a_tilde_is_the_home_directory),
		TEST(test_a_token_is_refused_and_not_repeated),
		TEST(test_mistakes_name_the_option),
		TEST(test_words_of_fstab_are_passed_over),
		TEST(test_options_for_libfuse_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
