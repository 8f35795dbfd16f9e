/* SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/sandbox/customers.h"
#include "kapturefs/sandbox/message.h"
#include "kapturefs/sandbox/sandbox.h"
#include "kapturefs/sandbox/state.h"

enum { JSON_MAX = 1 << 20 };

static const struct generator generator = { .seed = 1, .customers = 100 };

static void assert_asks_for(const char *body, enum key_kind kind, const char *text)
{
	struct key key;

	assert_int_equal(message_read_request(body, strlen(body), &key), 0);
	assert_int_equal(key.kind, kind);
	assert_string_equal(key.text, text);
}

static void test_the_id_counts_before_the_email_before_the_phone(void **state)
{
	(void)state;
	assert_asks_for("[{\"phone\":\"12\",\"email_id\":\"A@b\",\"kapture_customer_id\":\"3\"}]",
	                KEY_ID, "3");
	assert_asks_for(" [ {\"phone\": 12, \"email_id\": \"A@b\"} ]\n", KEY_EMAIL, "a@b");
	assert_asks_for("[{\"phone\":12,\"email_id\":\"\",\"kapture_customer_id\":null}]",
	                KEY_PHONE, "12");
	assert_asks_for("[{\"kapture_customer_id\":12345678901234567890,\"more\":[{}]}]", KEY_ID,
	                "12345678901234567890");
}

static void test_requests_that_make_no_sense_are_invalid(void **state)
{
	static const char *const bodies[] = {
		"",
		"x",
		"{}",
		"[]",
		"[{}]",
		"[1]",
		"[[{\"phone\":\"1\"}]]",
		"{\"phone\":\"1\"}",
		"[{\"phone\":\"1\"},{}]",
		"[{\"phone\":\"1\"}] []",
		"[{\"phone\":\"1\",}]",
		"[{\"phone\":\"1\"},]",
		"[{\"phone\":\"\"}]",
		"[{\"phone\":null}]",
		"[{\"phone\":true}]",
		"[{\"phone\":{}}]",
		"[{\"phone\":1.5}]",
		"[{\"phone\":\"one\"}]",
	};
	struct key key;

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++) {
		if (message_read_request(bodies[i], strlen(bodies[i]), &key) != MESSAGE_INVALID)
			fail_msg("accepted: %s", bodies[i]);
	}
}

static void change(struct customers *customers, const char *parts)
{
	struct change change;
	char body[256];
	struct key id;
	uint32_t index;

	snprintf(body, sizeof(body), "{\"id\":%u,%s}", generator_id(&generator, 0), parts);
	assert_int_equal(message_read_change(body, strlen(body), &id, &change), 0);
	assert_true(generator_find(&generator, &id, &index));
	assert_int_equal(customers_change(customers, index, &change), 0);
	change_fini(&change);
}

static bool is_there(const struct customers *customers)
{
	struct sandbox_keys keys;
	uint32_t index;
	struct key key;

	generator_keys(&generator, 0, &keys);
	assert_int_equal(key_parse(KEY_PHONE, keys.phone, strlen(keys.phone), &key), 0);
	return customers_find(customers, &key, &index);
}

/* The customer that the tests change. */
static bool has(const struct customers *customers, const char *text)
{
	struct buffer buffer;
	bool is_found;

	buffer_init(&buffer, JSON_MAX);
	assert_int_equal(customers_write(customers, 0, &buffer), 0);
	is_found = strstr(buffer.data, text) != NULL;
	buffer_fini(&buffer);
	return is_found;
}

static void test_values_are_changed_as_sent_and_where_they_stand(void **state)
{
	struct customers customers;

	(void)state;
	customers_init(&customers, generator);
	change(&customers, "\"set\":{\"deleted\":1.50,\"new\\u0000\":[ 12345678901234567890 ]}");
	assert_true(has(&customers, "\"deleted\":1.50,\"companyStatus\""));
	assert_true(has(&customers, ",\"new\\u0000\":[ 12345678901234567890 ]}"));
	change(&customers, "\"set\":{\"new\\u0000\":2},\"remove\":[\"deleted\",\"id\"]");
	assert_true(has(&customers, ",\"new\\u0000\":2}"));
	assert_false(has(&customers, "\"deleted\""));
	assert_true(has(&customers, "{\"cmId\":"));
	customers_reset(&customers);
	assert_true(has(&customers, "\"deleted\":false"));
	assert_false(has(&customers, "\"new"));
}

static void test_a_deleted_customer_can_come_back(void **state)
{
	struct customers customers;

	(void)state;
	customers_init(&customers, generator);
	change(&customers, "\"deleted\":true");
	assert_false(is_there(&customers));
	change(&customers, "\"set\":{\"city\":\"Elsewhere\"}");
	assert_false(is_there(&customers));
	change(&customers, "\"deleted\":false");
	assert_true(is_there(&customers));
	assert_true(has(&customers, "\"city\":\"Elsewhere\""));
	change(&customers, "\"deleted\":true");
	customers_reset(&customers);
	assert_true(is_there(&customers));
}

static void test_many_changed_customers_keep_apart(void **state)
{
	static const struct change nothing = { .has_deleted = false };
	struct customers customers;

	(void)state;
	customers_init(&customers, generator);
	for (uint32_t i = 0; i < generator.customers; i++)
		assert_int_equal(customers_change(&customers, i * 37 % generator.customers,
		                                  &nothing),
		                 0);
	assert_int_equal(customers.changed_count, generator.customers);
	for (uint32_t index = 0; index < generator.customers; index++) {
		struct buffer generated;
		struct buffer kept;

		buffer_init(&generated, JSON_MAX);
		buffer_init(&kept, JSON_MAX);
		assert_int_equal(generator_write(&generator, index, &generated), 0);
		assert_int_equal(customers_write(&customers, index, &kept), 0);
		assert_string_equal(generated.data, kept.data);
		buffer_fini(&generated);
		buffer_fini(&kept);
	}
	customers_reset(&customers);
}

static void test_changes_that_make_no_sense_are_invalid(void **state)
{
	static const char *const bodies[] = {
		"[]",
		"{}",
		"{\"set\":{}}",
		"{\"id\":\"x\"}",
		"{\"id\":1,\"set\":[]}",
		"{\"id\":1,\"remove\":{}}",
		"{\"id\":1,\"remove\":[\"a\",1]}",
		"{\"id\":1,\"deleted\":\"true\"}",
		"{\"id\":1,\"more\":1}",
		"{\"id\":1,\"set\":{\"a\":1},\"set\":{}}",
	};
	struct change change;
	struct key id;

	(void)state;
	for (size_t i = 0; i < array_length(bodies); i++) {
		if (message_read_change(bodies[i], strlen(bodies[i]), &id, &change) !=
		    MESSAGE_INVALID)
			fail_msg("accepted: %s", bodies[i]);
	}
}

static struct sandbox *start(uint16_t port, int expected)
{
	const struct sandbox_settings settings = { .port = port, .customers = 10, .token = "t" };
	struct sandbox *sandbox = NULL;

	assert_int_equal(sandbox_start(&settings, &sandbox), expected);
	return sandbox;
}

static void test_a_port_that_is_taken_is_told(void **state)
{
	struct sandbox *sandbox = start(0, 0);
	uint16_t port = sandbox_port(sandbox);

	(void)state;
	assert_null(start(port, -EADDRINUSE));
	sandbox_stop(sandbox);
	sandbox = start(port, 0);
	assert_int_equal(sandbox_port(sandbox), port);
	sandbox_stop(sandbox);
}

/* A connection that is asked over, by the name that a request must bear. */
struct client {
	int fd;
	uint16_t port;
};

static struct client connect_to(const struct sandbox *sandbox)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(sandbox_port(sandbox)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return (struct client){ fd, sandbox_port(sandbox) };
}

static void request(const struct client *client, const char *line, const char *body)
{
	char text[512];
	int length = snprintf(text, sizeof(text),
	                      "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Basic t\r\n"
	                      "Content-Length: %zu\r\n\r\n%s",
	                      line, client->port, strlen(body), body);

	assert_int_equal(send(client->fd, text, (size_t)length, MSG_NOSIGNAL), length);
}

/* Wait for something to come; "" is the end. */
static const char *read_some(const struct client *client, char *buffer, size_t size)
{
	ssize_t length = recv(client->fd, buffer, size - 1, 0);

	buffer[length > 0 ? length : 0] = '\0';
	return buffer;
}

/* By its count of requests, so that the test knows without a clock that one has arrived. */
static void wait_for_request(const struct client *client)
{
	char reply[512];

	do {
		request(client, "GET /sandbox/statistics", "");
	} while (!strstr(read_some(client, reply, sizeof(reply)), "\"overruled\":1"));
}

static void test_a_request_that_hangs_ends_with_the_sandbox_unanswered(void **state)
{
	struct sandbox *sandbox = start(0, 0);
	struct client control = connect_to(sandbox);
	struct client hanging = connect_to(sandbox);
	char reply[512];

	(void)state;
	request(&control, "POST /sandbox/behaviour", "{\"hang\":true,\"status\":200}");
	assert_non_null(strstr(read_some(&control, reply, sizeof(reply)), "200 OK"));
	request(&hanging, "POST /search-customer-by-customer-id.html", "[{\"phone\":1}]");
	wait_for_request(&control);
	sandbox_stop(sandbox);
	assert_string_equal(read_some(&hanging, reply, sizeof(reply)), "");
	close(control.fd);
	close(hanging.fd);
}

static void test_a_delay_ends_with_the_sandbox_unanswered(void **state)
{
	struct sandbox *sandbox = start(0, 0);
	struct client control = connect_to(sandbox);
	struct client waiting = connect_to(sandbox);
	char reply[512];

	(void)state;
	request(&control, "POST /sandbox/behaviour", "{\"delay_ms\":600000,\"status\":500}");
	assert_non_null(strstr(read_some(&control, reply, sizeof(reply)), "200 OK"));
	request(&waiting, "POST /search-customer-by-customer-id.html", "[{\"phone\":1}]");
	wait_for_request(&control);
	sandbox_stop(sandbox);
	assert_string_equal(read_some(&waiting, reply, sizeof(reply)), "");
	close(control.fd);
	close(waiting.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_id_counts_before_the_email_before_the_phone),
		cmocka_unit_test(test_requests_that_make_no_sense_are_invalid),
		cmocka_unit_test(test_values_are_changed_as_sent_and_where_they_stand),
		cmocka_unit_test(test_a_deleted_customer_can_come_back),
		cmocka_unit_test(test_many_changed_customers_keep_apart),
		cmocka_unit_test(test_changes_that_make_no_sense_are_invalid),
		cmocka_unit_test(test_a_port_that_is_taken_is_told),
		cmocka_unit_test(test_a_request_that_hangs_ends_with_the_sandbox_unanswered),
		cmocka_unit_test(test_a_delay_ends_with_the_sandbox_unanswered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
