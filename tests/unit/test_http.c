/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_answers.h"

static void test_a_reply_is_handed_over_with_its_status(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	fixture->answer = answer_hello;
	start_with(fixture, &call, fixture->url, "[{\"id\":1}]", 20000);
	assert_replied(fixture, &call, 200, "hello");
	assert_non_null(strstr(fixture->last_request.data, "POST /path HTTP/1.1\r\n"));
	assert_non_null(
	        strstr(fixture->last_request.data, "\r\nAuthorization: Basic c2VjcmV0\r\n"));
	assert_non_null(strstr(fixture->last_request.data, "\r\n\r\n[{\"id\":1}]"));
}

static void test_any_status_is_a_reply_and_no_body_is_empty(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	fixture->answer = answer_empty_404;
	start(fixture, &call);
	assert_replied(fixture, &call, 404, "");
}

static void test_retry_after_is_handed_over_bare(void **state)
{
	static const char *const lines[][2] = {
		{ "", "none" },
		{ "retry-after:120\r\n", "120" },
		{ "RETRY-AFTER: \t 7 \t \r\n", "7" },
		{ "Retry-After: Sun, 06 Nov 1994\r\n", "Sun, 06 Nov 1994" },
		{ "Retry-After:\r\n", "none" },
		{ "Retry-Afterwards: 7\r\nX-Retry-After: 7\r\n", "none" },
		{ "Retry-After: a value that is longer than any date in any of the forms that make "
		  "sense\r\n",
		  "none" },
	};
	struct fixture *fixture = *state;

	fixture->answer = answer_busy;
	for (size_t i = 0; i < array_length(lines); i++) {
		struct call call = { 0 };

		retry_after_line = lines[i][0];
		start(fixture, &call);
		wait_for(fixture, &call.replies, 1);
		assert_string_equal(call.retry_after, lines[i][1]);
		assert_replied(fixture, &call, 503, "");
	}
}

static void test_a_large_request_is_sent_without_asking_leave(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };
	char *body = make_body(2000000);

	fixture->answer = answer_hello;
	start_with(fixture, &call, fixture->url, body, 20000);
	assert_replied(fixture, &call, 200, "hello");
	assert_null(strcasestr(fixture->last_request.data, "\r\nExpect:"));
	free(body);
}

static void test_a_redirect_is_not_followed(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	fixture->answer = answer_redirect;
	start(fixture, &call);
	assert_replied(fixture, &call, 302, "");
	assert_int_equal(fixture->requests, 1);
}

static void test_transfers_beyond_the_limit_wait_their_turn(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[5] = { 0 };
	static const char *const bodies[] = { "0", "1", "2", "3", "4" };
	unsigned started = 2;

	begin_client(fixture, 2, NULL);
	for (size_t i = 0; i < array_length(calls); i++)
		start_with(fixture, &calls[i], fixture->url, bodies[i], 20000);
	wait_for(fixture, &fixture->requests, 2);
	/* Each answer lets exactly the next one of the queue in. */
	for (; started < array_length(calls); started++) {
		answer_hello(fixture->peers[0]);
		wait_for(fixture, &fixture->requests, started + 1);
		assert_non_null(strstr(fixture->last_request.data, "\r\n\r\n"));
		assert_string_equal(strstr(fixture->last_request.data, "\r\n\r\n") + 4,
		                    bodies[started]);
		assert_int_equal(fixture->peer_count, 2);
	}
	answer_hello(fixture->peers[0]);
	answer_hello(fixture->peers[1]);
	for (size_t i = 0; i < array_length(calls); i++)
		assert_replied(fixture, &calls[i], 200, "hello");
}

static void test_with_few_files_requests_take_turns(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[12] = { 0 };

	sockets_left = 2;
	for (size_t i = 0; i < array_length(calls); i++)
		start(fixture, &calls[i]);
	wait_for(fixture, &fixture->requests, 2);
	fixture->answer = answer_hello;
	answer_hello(fixture->peers[0]);
	answer_hello(fixture->peers[1]);
	for (size_t i = 0; i < array_length(calls); i++)
		assert_replied(fixture, &calls[i], 200, "hello");
	assert_int_equal(fixture->peer_count, 2);
	sockets_left = INT_MAX;
}

static void test_with_no_file_left_that_is_said(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[3] = { 0 };

	sockets_left = 0;
	for (size_t i = 0; i < array_length(calls); i++)
		start(fixture, &calls[i]);
	for (size_t i = 0; i < array_length(calls); i++) {
		wait_for(fixture, &calls[i].replies, 1);
		assert_non_null(strstr(calls[i].complaint, "files"));
		assert_failed(fixture, &calls[i], -EMFILE);
	}
	sockets_left = INT_MAX;
	fixture->answer = answer_hello;
	start(fixture, &calls[0]);
	assert_replied(fixture, &calls[0], 200, "hello");
}

static void test_time_runs_out_in_the_queue_and_on_the_way(void **state)
{
	struct fixture *fixture = *state;
	struct call running = { 0 };
	struct call waiting = { 0 };

	begin_client(fixture, 1, NULL);
	start_with(fixture, &running, fixture->url, "{}", 100);
	start_with(fixture, &waiting, fixture->url, "{}", 20);
	assert_failed(fixture, &waiting, -ETIMEDOUT);
	assert_int_equal(running.replies, 0);
	assert_failed(fixture, &running, -ETIMEDOUT);
	assert_int_equal(fixture->requests, 1);
}

static void test_a_freed_transfer_is_never_heard_of_again(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[3] = { 0 };
	struct call last = { 0 };

	begin_client(fixture, 1, NULL);
	for (size_t i = 0; i < array_length(calls); i++)
		start(fixture, &calls[i]);
	http_transfer_free(calls[1].transfer);
	wait_for(fixture, &fixture->requests, 1);
	http_transfer_free(calls[0].transfer);
	fixture->answer = answer_hello;
	start(fixture, &last);
	http_transfer_free(calls[2].transfer);
	assert_replied(fixture, &last, 200, "hello");
	for (size_t i = 0; i < array_length(calls); i++)
		assert_int_equal(calls[i].replies, 0);
}

static void free_everything(struct call *call)
{
	http_transfer_free(steal(&call->transfer));
	http_free(steal(&call->fixture->http));
}

static void test_the_callback_may_free_transfer_and_client(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { .then = free_everything };

	fixture->answer = answer_hello;
	start(fixture, &call);
	assert_replied(fixture, &call, 200, "hello");
}

static void test_a_fresh_connection_that_breaks_is_eio_at_once(void **state)
{
	static answer_fn *const answers[] = { reset, hang_up };
	struct fixture *fixture = *state;
	struct call call = { 0 };

	for (size_t i = 0; i < array_length(answers); i++) {
		fixture->answer = answers[i];
		start(fixture, &call);
		assert_failed(fixture, &call, -EIO);
		assert_int_equal(fixture->requests, i + 1);
	}
}

static void test_what_is_no_whole_reply_is_eproto(void **state)
{
	static answer_fn *const answers[] = { answer_short, answer_no_http, answer_many_headers,
		                              answer_bad_gzip };
	struct fixture *fixture = *state;
	struct call call = { 0 };

	for (size_t i = 0; i < array_length(answers); i++) {
		fixture->answer = answers[i];
		start(fixture, &call);
		assert_failed(fixture, &call, -EPROTO);
	}
}

static void test_a_packed_reply_is_unpacked(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	fixture->answer = answer_small_gzip;
	start(fixture, &call);
	wait_for(fixture, &call.replies, 1);
	assert_int_equal(call.error, 0);
	assert_int_equal(call.body_length, 10000);
	assert_int_equal(strspn(call.body, "a"), 10000);
	end(&call);
}

static void test_a_reply_over_the_limit_is_efbig_also_when_it_comes_small(void **state)
{
	static answer_fn *const answers[] = { answer_large_chunks, answer_large_gzip };
	struct fixture *fixture = *state;
	struct call call = { 0 };

	for (size_t i = 0; i < array_length(answers); i++) {
		fixture->answer = answers[i];
		start(fixture, &call);
		assert_failed(fixture, &call, -EFBIG);
	}
}

static void test_a_reply_that_stops_coming_is_etimedout_before_the_deadline(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	fixture->answer = answer_and_stop;
	start(fixture, &call);
	wait_for(fixture, &call.replies, 1);
	assert_int_equal(call.error, -ETIMEDOUT);
	assert_string_equal(call.complaint, "the reply stalled");
	end(&call);
}

static void send_on(uv_timer_t *timer)
{
	struct fixture *fixture = timer->data;
	struct peer *peer = fixture->peers[0];
	static const char bytes[2000];

	if (fixture->ticks == 0)
		send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
	send_bytes(peer, bytes, sizeof(bytes));
	if (++fixture->ticks == 5)
		uv_timer_stop(timer);
}

/* Three times as long as a stall, first in silence, then without one. */
static void answer_late_and_slowly(struct peer *peer)
{
	assert_int_equal(uv_timer_start(&peer->fixture->timer, send_on, 300, 60), 0);
}

static void test_a_reply_that_comes_late_and_slowly_is_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	fixture->answer = answer_late_and_slowly;
	start(fixture, &call);
	wait_for(fixture, &call.replies, 1);
	assert_int_equal(call.error, 0);
	assert_int_equal(call.body_length, 10000);
	end(&call);
}

static void test_no_server_and_no_name_are_ehostunreach(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	start_with(fixture, &call, "http://127.0.0.1:1/", "{}", 20000);
	assert_failed(fixture, &call, -EHOSTUNREACH);
	start_with(fixture, &call, "http://absent.test/", "{}", 20000);
	assert_failed(fixture, &call, -EHOSTUNREACH);
}

/* The loop would hang, and with it the test, if the end of a transfer waited for its resolver. */
static void test_a_silent_name_server_holds_nothing_up(void **state)
{
	struct fixture *fixture = *state;
	struct call late = { 0 };
	struct call cancelled = { 0 };
	struct call other = { 0 };

	fixture->answer = answer_hello;
	start_with(fixture, &late, "http://silent.test/", "{}", 50);
	start_with(fixture, &cancelled, "http://silent.test/", "{}", 20000);
	start(fixture, &other);
	assert_replied(fixture, &other, 200, "hello");
	http_transfer_free(cancelled.transfer);
	assert_failed(fixture, &late, -ETIMEDOUT);
	start(fixture, &other);
	assert_replied(fixture, &other, 200, "hello");
	http_free(steal(&fixture->http));
	assert_int_equal(cancelled.replies, 0);
	sem_post(&resolver);
	sem_post(&resolver);
}

static void test_when_curl_gives_up_all_transfers_fail_and_new_ones_work(void **state)
{
	struct fixture *fixture = *state;
	struct call calls[2] = { 0 };

	fixture->answer = answer_hello;
	start(fixture, &calls[0]);
	start(fixture, &calls[1]);
	out_of_memory = true;
	assert_failed(fixture, &calls[0], -ENOMEM);
	assert_failed(fixture, &calls[1], -ENOMEM);
	out_of_memory = false;
	start(fixture, &calls[0]);
	assert_replied(fixture, &calls[0], 200, "hello");
}

/* Found out about all three in one event of the loop. */
static void test_only_http_is_spoken(void **state)
{
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/",
		                            "gopher://127.0.0.1/" };
	struct fixture *fixture = *state;
	struct call calls[3] = { 0 };

	for (size_t i = 0; i < array_length(urls); i++)
		start_with(fixture, &calls[i], urls[i], "{}", 20000);
	for (size_t i = 0; i < array_length(urls); i++)
		assert_failed(fixture, &calls[i], -EPROTO);
}

static void collect_and_hang_up(struct peer *peer)
{
	struct fixture *fixture = peer->fixture;

	assert_int_equal(buffer_append(&fixture->last_request, peer->request.data,
	                               peer->request.length),
	                 0);
	send_text(peer, "HTTP/1.1 400 Bad Request\r\n\r\n");
	hang_up(peer);
}

static void test_https_sends_nothing_before_tls(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };
	char url[80];

	snprintf(url, sizeof(url), "https%s", fixture->url + 4);
	fixture->peek = collect_and_hang_up;
	start_with(fixture, &call, url, "{}", 20000);
	assert_failed(fixture, &call, -EPROTO);
	assert_true(fixture->last_request.length > 0);
	assert_null(memmem(fixture->last_request.data, fixture->last_request.length, "Basic", 5));
}

static void test_the_environment_names_no_proxy(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	fixture->answer = answer_hello;
	start(fixture, &call);
	assert_replied(fixture, &call, 200, "hello");
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void test_a_proxy_that_is_set_is_used_whatever_the_environment(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { 0 };

	setenv("no_proxy", "*", 1);
	begin_client(fixture, 1, fixture->url);
	fixture->answer = answer_hello;
	start_with(fixture, &call, "http://behind.test/path", "{}", 20000);
	assert_replied(fixture, &call, 200, "hello");
	assert_non_null(
	        strstr(fixture->last_request.data, "POST http://behind.test/path HTTP/1.1\r\n"));
	unsetenv("no_proxy");
}

#define with_a_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_server(test_a_reply_is_handed_over_with_its_status),
		with_a_server(test_any_status_is_a_reply_and_no_body_is_empty),
		with_a_server(test_retry_after_is_handed_over_bare),
		with_a_server(test_a_large_request_is_sent_without_asking_leave),
		with_a_server(test_a_redirect_is_not_followed),
		with_a_server(test_transfers_beyond_the_limit_wait_their_turn),
		with_a_server(test_with_few_files_requests_take_turns),
		with_a_server(test_with_no_file_left_that_is_said),
		with_a_server(test_time_runs_out_in_the_queue_and_on_the_way),
		with_a_server(test_a_freed_transfer_is_never_heard_of_again),
		with_a_server(test_the_callback_may_free_transfer_and_client),
		with_a_server(test_a_fresh_connection_that_breaks_is_eio_at_once),
		with_a_server(test_what_is_no_whole_reply_is_eproto),
		with_a_server(test_a_packed_reply_is_unpacked),
		with_a_server(test_a_reply_over_the_limit_is_efbig_also_when_it_comes_small),
		with_a_server(test_a_reply_that_stops_coming_is_etimedout_before_the_deadline),
		with_a_server(test_a_reply_that_comes_late_and_slowly_is_waited_for),
		with_a_server(test_no_server_and_no_name_are_ehostunreach),
		with_a_server(test_a_silent_name_server_holds_nothing_up),
		with_a_server(test_when_curl_gives_up_all_transfers_fail_and_new_ones_work),
		with_a_server(test_only_http_is_spoken),
		with_a_server(test_https_sends_nothing_before_tls),
		with_a_server(test_the_environment_names_no_proxy),
		with_a_server(test_a_proxy_that_is_set_is_used_whatever_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
