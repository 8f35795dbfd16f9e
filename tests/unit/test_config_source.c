/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/config/source.h"

static void assert_url(const char *source, const char *base_url, const char *host)
{
	struct config config = { 0 };
	struct config_complaint complaint = { .text = "" };

	if (config_set_source(&config, source, &complaint))
		fail_msg("%s: %s", source, complaint.text);
	assert_string_equal(config.base_url, base_url);
	assert_string_equal(config.host, host);
	config_fini(&config);
}

/* What was there before stays. */
static void assert_refused(const char *source, const char *word)
{
	struct config config = { 0 };
	struct config_complaint complaint = { .text = "" };

	assert_int_equal(config_set_source(&config, "before", &complaint), 0);
	assert_int_equal(config_set_source(&config, source, &complaint), -EINVAL);
	if (!strstr(complaint.text, word))
		fail_msg("%s: %s", source, complaint.text);
	assert_null(strstr(complaint.text, "secret"));
	assert_null(strchr(complaint.text, '\n'));
	assert_string_equal(config.base_url, "https://before.kapturecrm.com");
	config_fini(&config);
}

static void test_a_sub_domain_is_of_kapturecrm(void **state)
{
	(void)state;
	assert_url("acme", "https://acme.kapturecrm.com", "acme.kapturecrm.com");
	assert_url("acme-2", "https://acme-2.kapturecrm.com", "acme-2.kapturecrm.com");
}

static void test_a_host_is_taken_as_it_is(void **state)
{
	(void)state;
	assert_url("crm.example.com", "https://crm.example.com", "crm.example.com");
	assert_url("localhost:8443", "https://localhost:8443", "localhost:8443");
	assert_url("[::1]:8443", "https://[::1]:8443", "[::1]:8443");
}

static void test_a_url_keeps_port_and_prefix(void **state)
{
	(void)state;
	assert_url("https://h.example.com", "https://h.example.com", "h.example.com");
	assert_url("https://h.example.com/", "https://h.example.com", "h.example.com");
	assert_url("https://h:65535/a/b//", "https://h:65535/a/b", "h:65535");
	assert_url("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x",
	           "[2001:db8::1]:8443");
}

static void test_hosts_have_no_case_and_prefixes_do(void **state)
{
	(void)state;
	assert_url("Acme", "https://acme.kapturecrm.com", "acme.kapturecrm.com");
	assert_url("https://ACME.KaptureCRM.com/Api", "https://acme.kapturecrm.com/Api",
	           "acme.kapturecrm.com");
}

static void test_plain_http_is_for_loopback_only(void **state)
{
	static const char *const bad[] = {
		"http://acme.kapturecrm.com",   "http://192.0.2.1", "http://127.0.0.1.example.com",
		"http://localhost.example.com", "http://128.0.0.1", "http://[::2]",
	};
	/* Names that look like an address of ours; a resolver may make anything of them. */
	static const char *const lookalikes[] = {
		"http://127.0.0.1.5",
		"http://127.0.0.1.",
		"http://127.0.0.1.5:80/x",
		"http://127.1",
		"http://127.",
		"http://127.0.0.256",
		"http://127.0.0.01",
		"http://127..0.1",
		"http://2130706433",
		"http://0x7f.0.0.1",
		"http://localhost.",
		"http://localhostx",
		"http://0.0.0.0",
		"http://[::ffff:192.0.2.1]",
		"http://[::ffff:128.0.0.1]",
		"http://[::127.0.0.1]",
		"http://[::]",
		"http://[::11]",
	};

	(void)state;
	assert_url("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080");
	assert_url("http://localhost:1/x", "http://localhost:1/x", "localhost:1");
	assert_url("http://[::1]", "http://[::1]", "[::1]");
	assert_url("http://LOCALHOST", "http://localhost", "localhost");
	assert_url("http://127.255.0.9", "http://127.255.0.9", "127.255.0.9");
	assert_url("http://[0:0::1]:8", "http://[0:0::1]:8", "[0:0::1]:8");
	assert_url("http://[::ffff:127.0.0.1]", "http://[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]");
	for (size_t i = 0; i < array_length(bad); i++)
		assert_refused(bad[i], "https://");
	for (size_t i = 0; i < array_length(lookalikes); i++)
		assert_refused(lookalikes[i], "in clear");
}

static void test_what_is_no_source_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"ac me",
		"../x",
		"a/b",
		"a\nb",
		"ftp://x",
		"HTTP://x",
		"https://",
		"https:///x",
		"https://a b",
		"https://h:",
		"https://h:0",
		"https://h:x",
		"https://h:-1",
		"https://h:65536",
		"https://[",
		"https://[]",
		"https://a]",
		"https://[::1]x",
		"https://[::1/x",
		"https://h/\n",
		"https://h/%0a\"",
	};

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++)
		assert_refused(bad[i], "source");
}

static void test_what_may_be_secret_is_not_repeated(void **state)
{
	(void)state;
	assert_refused("https://user:secret@host", "token_file");
	assert_refused("ftp://user:secret@host", "token_file");
	assert_refused("user:secret@host", "token_file");
	assert_refused("https://host?key=secret", "nothing more");
	assert_refused("https://host/x#secret", "nothing more");
	assert_refused("ftp://host/?secret", "https://");
}

/* What `http://` sends in clear must not leave this machine by a proxy, either. */
static void test_a_proxy_elsewhere_is_refused_where_the_token_is_sent_in_clear(void **state)
{
	static const struct {
		const char *source;
		const char *proxy;
		int outcome;
	} rows[] = {
		{ "http://127.0.0.1:80", "http://10.0.0.9:3128", -EINVAL },
		{ "http://localhost", "proxy.example.com", -EINVAL },
		{ "http://localhost", "HTTP://user:secret@proxy.example.com:8080/", -EINVAL },
		{ "http://localhost", "127.0.0.1@proxy.example.com", -EINVAL },
		{ "http://localhost", "http://127.0.0.1.5:3128", -EINVAL },
		{ "http://localhost", "http://127.0.0.1:3128", 0 },
		{ "http://localhost", "user:secret@localhost:3128", 0 },
		{ "http://[::1]:80", "http://[::1]:3128", 0 },
		{ "http://localhost", "https://proxy.example.com", 0 },
		{ "http://localhost", NULL, 0 },
		{ "https://crm.example.com", "http://proxy.example.com:3128", 0 },
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		struct config config = { 0 };
		struct config_complaint complaint = { .text = "" };

		assert_int_equal(config_set_source(&config, rows[i].source, &complaint), 0);
		config.proxy = rows[i].proxy ? strdup(rows[i].proxy) : NULL;
		if (config_check_proxy(&config, &complaint) != rows[i].outcome)
			fail_msg("row %zu: %s", i, complaint.text);
		assert_null(strstr(complaint.text, "secret"));
		config_fini(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sub_domain_is_of_kapturecrm),
		cmocka_unit_test(test_a_host_is_taken_as_it_is),
		cmocka_unit_test(test_a_url_keeps_port_and_prefix),
		cmocka_unit_test(test_hosts_have_no_case_and_prefixes_do),
		cmocka_unit_test(test_plain_http_is_for_loopback_only),
		cmocka_unit_test(
		        test_a_proxy_elsewhere_is_refused_where_the_token_is_sent_in_clear),
		cmocka_unit_test(test_what_is_no_source_is_refused),
		cmocka_unit_test(test_what_may_be_secret_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
