/* SPDX-License-Identifier: MIT */
/* Connections that are kept: what stands in them, and how they end. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_answers.h"

/* Ask, and be answered. */
static void ask(struct fixture *fixture, long status, const char *body)
{
	struct call call = { 0 };

	start(fixture, &call);
	assert_replied(fixture, &call, status, body);
}

/* Ask a server that answers so from now on, over a connection that is kept. */
static void keep_one(struct fixture *fixture, answer_fn *answer)
{
	fixture->answer = answer;
	ask(fixture, 200, "hello");
}

/* Four connections that are kept, and answer from now on. */
static void keep_four(struct fixture *fixture)
{
	struct call calls[4] = { 0 };

	fixture->answer = NULL;
	for (size_t i = 0; i < array_length(calls); i++)
		start(fixture, &calls[i]);
	wait_for(fixture, &fixture->requests, 4);
	for (size_t i = 0; i < array_length(calls); i++) {
		answer_hello(fixture->peers[i]);
		assert_replied(fixture, &calls[i], 200, "hello");
	}
	fixture->answer = answer_hello;
}

static void test_connections_are_kept(void **state)
{
	struct fixture *fixture = *state;

	fixture->answer = answer_hello;
	for (int i = 0; i < 3; i++) {
		ask(fixture, 200, "hello");
	}
	assert_int_equal(fixture->peer_count, 1);
}

#define UNASKED "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nunasked  "

static void test_what_stands_in_a_kept_connection_is_never_taken_for_the_answer(void **state)
{
	static const char *const texts[] = {
		UNASKED,
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nuna",
		"HTTP/1.1 200 OK\r\nConte",
		"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\n",
		"\r\n",
		"H",
		"no HTTP at all",
	};
	struct fixture *fixture = *state;

	keep_one(fixture, answer_hello);
	for (unsigned i = 0; i < array_length(texts); i++) {
		send_text(fixture->peers[i], texts[i]);
		ask(fixture, 200, "hello");
		assert_int_equal(fixture->peer_count, i + 2);
		assert_int_equal(fixture->requests, i + 2);
	}
}

static void answer_hello_and_more(struct peer *peer)
{
	if (peer->fixture->requests % 2)
		send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" UNASKED);
	else
		answer_hello(peer);
}

static void answer_chunks_and_more(struct peer *peer)
{
	if (peer->fixture->requests % 2)
		send_text(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		                "5\r\nhello\r\n0\r\n\r\n" UNASKED);
	else
		answer_hello(peer);
}

static void answer_nothing_and_more(struct peer *peer)
{
	if (peer->fixture->requests % 2)
		send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" UNASKED);
	else
		answer_hello(peer);
}

static void send_the_rest_and_more(uv_timer_t *timer)
{
	struct fixture *fixture = timer->data;

	send_text(fixture->peers[fixture->peer_count - 1], "llo" UNASKED);
}

static void answer_in_two_and_more(struct peer *peer)
{
	if (peer->fixture->requests % 2 == 0) {
		answer_hello(peer);
		return;
	}
	send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
	assert_int_equal(uv_timer_start(&peer->fixture->timer, send_the_rest_and_more, 50, 0), 0);
}

static void test_what_follows_a_reply_is_never_taken_for_the_next(void **state)
{
	static answer_fn *const answers[] = { answer_hello_and_more, answer_in_two_and_more,
		                              answer_chunks_and_more, answer_nothing_and_more };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_length(answers); i++) {
		fixture->answer = answers[i];
		ask(fixture, 200, i == 3 ? "" : "hello");
		ask(fixture, 200, "hello");
	}
}

static void send_unasked(uv_timer_t *timer)
{
	struct fixture *fixture = timer->data;

	send_text(fixture->peers[0], UNASKED);
}

/* It was on its way when the request was sent, which the other side has not seen. */
static void test_a_reply_that_crosses_the_request_is_not_its_answer(void **state)
{
	struct fixture *fixture = *state;

	keep_one(fixture, answer_hello);
	deafen(fixture->peers[0]);
	assert_int_equal(uv_timer_start(&fixture->timer, send_unasked, 50, 0), 0);
	ask(fixture, 200, "hello");
	assert_int_equal(fixture->peer_count, 2);
}

static void answer_408_when_kept(struct peer *peer)
{
	if (peer->requests == 1)
		answer_hello(peer);
	else
		answer_empty_408(peer);
}

static void test_a_408_on_a_kept_connection_is_repeated_on_a_new_one(void **state)
{
	struct fixture *fixture = *state;

	fixture->answer = answer_408_when_kept;
	for (unsigned i = 0; i < 3; i++) {
		ask(fixture, 200, "hello");
	}
	assert_int_equal(fixture->peer_count, 3);
	assert_int_equal(fixture->requests, 5);
}

static void test_a_408_on_a_new_connection_is_a_reply(void **state)
{
	struct fixture *fixture = *state;

	fixture->answer = answer_empty_408;
	ask(fixture, 408, "");
	assert_int_equal(fixture->requests, 1);
	/* Nor is it asked a third time. */
	ask(fixture, 408, "");
	assert_int_equal(fixture->requests, 3);
}

static void test_a_server_that_speaks_first_is_eproto_and_not_sent_the_request(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	talk_at_once = UNASKED;
	start(fixture, &call);
	wait_for(fixture, &call.replies, 1);
	talk_at_once = NULL;
	assert_string_equal(call.complaint, "the server spoke before it was asked");
	assert_failed(fixture, &call, -EPROTO);
}

static void answer_once_then_reset(struct peer *peer)
{
	if (peer->requests == 1)
		answer_hello(peer);
	else
		reset(peer);
}

static void test_a_kept_connection_that_is_dead_is_replaced(void **state)
{
	struct fixture *fixture = *state;

	fixture->answer = answer_once_then_reset;
	for (unsigned i = 0; i < 20; i++) {
		ask(fixture, 200, "hello");
	}
	assert_int_equal(fixture->peer_count, 20);
	assert_int_equal(fixture->requests, 39);
}

static void reset_second(struct peer *peer)
{
	if (peer->requests == 1)
		reset(peer);
}

static void test_also_when_it_dies_in_the_middle_of_the_request(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };
	char *body = make_body(3000000);

	fixture->answer = answer_hello;
	fixture->peek = reset_second;
	ask(fixture, 200, "hello");
	start_with(fixture, &call, fixture->url, body, 20000);
	assert_replied(fixture, &call, 200, "hello");
	assert_int_equal(fixture->peer_count, 2);
	free(body);
}

static void test_the_replacement_is_none_that_was_kept(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };
	char *body = make_body(3000000);

	keep_four(fixture);
	fixture->peek = reset_second;
	start_with(fixture, &call, fixture->url, body, 20000);
	assert_replied(fixture, &call, 200, "hello");
	assert_int_equal(fixture->peer_count, 5);
	free(body);
}

static void test_of_kept_connections_that_are_silently_gone_one_is_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[4] = { 0 };

	keep_four(fixture);
	for (size_t i = 0; i < 4; i++)
		deafen(fixture->peers[i]);
	start(fixture, &calls[0]);
	assert_replied(fixture, &calls[0], 200, "hello");
	assert_int_equal(fixture->peer_count, 5);
	/* They would answer now, but have been given up. */
	for (size_t i = 0; i < 4; i++) {
		if (fixture->peers[i])
			hear_again(fixture->peers[i]);
	}
	for (size_t i = 0; i < array_length(calls); i++)
		start(fixture, &calls[i]);
	for (size_t i = 0; i < array_length(calls); i++)
		assert_replied(fixture, &calls[i], 200, "hello");
	for (size_t i = 0; i < 4; i++)
		assert_true(!fixture->peers[i] || fixture->peers[i]->requests == 1);
	assert_int_equal(fixture->requests, 4 + 1 + 4);
}

static void test_requests_under_way_together_wait_for_silence_together(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[4] = { 0 };

	keep_four(fixture);
	for (size_t i = 0; i < 4; i++)
		deafen(fixture->peers[i]);
	for (size_t i = 0; i < array_length(calls); i++)
		start(fixture, &calls[i]);
	for (size_t i = 0; i < array_length(calls); i++)
		assert_replied(fixture, &calls[i], 200, "hello");
	assert_int_equal(fixture->requests, 4 + 4);
}

static void test_also_for_a_request_with_little_time(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	keep_four(fixture);
	for (size_t i = 0; i < 4; i++)
		deafen(fixture->peers[i]);
	start_with(fixture, &call, fixture->url, "{}", 1500);
	assert_replied(fixture, &call, 200, "hello");
}

static void answer_late(uv_timer_t *timer)
{
	struct fixture *fixture = timer->data;

	answer_hello(fixture->peers[0]);
}

static void answer_after_many_silences(struct peer *peer)
{
	if (peer->requests == 1)
		answer_hello(peer);
	else
		assert_int_equal(uv_timer_start(&peer->fixture->timer, answer_late, 1000, 0), 0);
}

static void test_a_server_that_takes_its_time_is_asked_once(void **state)
{
	struct fixture *fixture = *state;

	keep_one(fixture, answer_after_many_silences);
	ask(fixture, 200, "hello");
	assert_int_equal(fixture->requests, 2);
	assert_int_equal(fixture->peer_count, 1);
}

#define with_a_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_server(test_connections_are_kept),
		with_a_server(test_what_stands_in_a_kept_connection_is_never_taken_for_the_answer),
		with_a_server(test_what_follows_a_reply_is_never_taken_for_the_next),
		with_a_server(test_a_reply_that_crosses_the_request_is_not_its_answer),
		with_a_server(test_a_408_on_a_kept_connection_is_repeated_on_a_new_one),
		with_a_server(test_a_408_on_a_new_connection_is_a_reply),
		with_a_server(test_a_server_that_speaks_first_is_eproto_and_not_sent_the_request),
		with_a_server(test_a_kept_connection_that_is_dead_is_replaced),
		with_a_server(test_also_when_it_dies_in_the_middle_of_the_request),
		with_a_server(test_the_replacement_is_none_that_was_kept),
		with_a_server(test_of_kept_connections_that_are_silently_gone_one_is_waited_for),
		with_a_server(test_requests_under_way_together_wait_for_silence_together),
		with_a_server(test_also_for_a_request_with_little_time),
		with_a_server(test_a_server_that_takes_its_time_is_asked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
