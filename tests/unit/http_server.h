#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A client and the server that it talks to, on one loop: a test is one thread,
 * and happens in the order in which it reads. Include cmocka.h and its headers first.
 */

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/io/http.h"

enum { HANG_S = 30, LIMIT = 20000, PEERS = 32 };

#define exported __attribute__((visibility("default")))

struct fixture;

/* The server's end of one connection. */
struct peer {
	uv_tcp_t tcp;
	struct fixture *fixture;
	struct buffer request;
	unsigned requests;
};

typedef void answer_fn(struct peer *peer);

struct fixture {
	uv_loop_t loop;
	uv_tcp_t server;
	uv_timer_t timer;
	struct peer *peers[PEERS];
	unsigned peer_count;
	unsigned requests;
	unsigned ticks;
	struct buffer last_request;
	answer_fn *answer; /* of a whole request; NULL leaves it pending */
	answer_fn *peek;   /* of each piece of a request */
	char url[64];
	struct http *http;
};

struct call {
	struct http_transfer *transfer;
	struct fixture *fixture;
	unsigned replies;
	int error;
	char complaint[96];
	long status;
	char *body;
	size_t body_length;
	char retry_after[96];
	void (*then)(struct call *call);
};

static sem_t resolver;
static bool out_of_memory;

/* Of libc, for libcurl's threads: `silent.test` takes until the test says so. */
exported int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                         struct addrinfo **ret)
{
	(void)service;
	(void)hints;
	(void)ret;
	if (strcmp(name, "silent.test") == 0) {
		while (sem_wait(&resolver))
			continue;
	}
	return EAI_NONAME;
}

/* Of libcurl, which goes on with no transfer after an error from here. */
exported CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int mask,
                                            int *running)
{
	CURLMcode (*action)(CURLM *, curl_socket_t, int, int *);

	if (out_of_memory)
		return CURLM_OUT_OF_MEMORY;
	*(void **)&action = dlsym(RTLD_NEXT, "curl_multi_socket_action");
	return action(multi, socket, mask, running);
}

/*
 * Of libuv: the watch for stalls, which is all that ticks every ten seconds, ticks a hundred
 * times faster.
 */
exported int uv_timer_start(uv_timer_t *timer, uv_timer_cb fired, uint64_t timeout, uint64_t repeat)
{
	int (*start)(uv_timer_t *, uv_timer_cb, uint64_t, uint64_t);

	*(void **)&start = dlsym(RTLD_NEXT, "uv_timer_start");
	if (repeat == 10000)
		return start(timer, fired, timeout / 100, repeat / 100);
	return start(timer, fired, timeout, repeat);
}

/* Of libc: how many sockets there are files for; the server's are made by accept(). */
static int sockets_left = INT_MAX;

exported int socket(int domain, int type, int protocol)
{
	int (*make)(int, int, int);

	*(void **)&make = dlsym(RTLD_NEXT, "socket");
	if (sockets_left > 0) {
		sockets_left--;
		return make(domain, type, protocol);
	}
	errno = EMFILE;
	return -1;
}

/*
 * Of libc: with `talk_at_once`, whoever connects finds a reply before the connection has told that
 * it is there, as from a server that speaks first.
 */
static const char *talk_at_once;
static int listener;

exported int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
	int (*connect_to)(int, __CONST_SOCKADDR_ARG, socklen_t);
	int r;
	int error;

	*(void **)&connect_to = dlsym(RTLD_NEXT, "connect");
	r = connect_to(fd, address, length);
	error = errno;
	if (talk_at_once) {
		int accepted = accept(listener, NULL, NULL);

		assert_true(accepted >= 0);
		assert_int_equal(write(accepted, talk_at_once, strlen(talk_at_once)),
		                 strlen(talk_at_once));
	}
	errno = error;
	return r;
}

static inline void peer_closed(uv_handle_t *handle)
{
	struct peer *peer = handle->data;

	buffer_fini(&peer->request);
	free(peer);
}

static inline void forget_peer(struct peer *peer)
{
	for (unsigned i = 0; i < peer->fixture->peer_count; i++) {
		if (peer->fixture->peers[i] == peer)
			peer->fixture->peers[i] = NULL;
	}
}

static inline void hang_up(struct peer *peer)
{
	forget_peer(peer);
	uv_close((uv_handle_t *)&peer->tcp, peer_closed);
}

static inline void reset(struct peer *peer)
{
	forget_peer(peer);
	assert_int_equal(uv_tcp_close_reset(&peer->tcp, peer_closed), 0);
}

static inline void written(uv_write_t *write, int status)
{
	(void)status;
	free(write);
}

static inline void send_bytes(struct peer *peer, const char *bytes, size_t length)
{
	uv_write_t *write = malloc(sizeof(*write) + length);
	uv_buf_t buffer;

	assert_non_null(write);
	memcpy(write + 1, bytes, length);
	buffer = uv_buf_init((char *)(write + 1), (unsigned)length);
	assert_int_equal(uv_write(write, (uv_stream_t *)&peer->tcp, &buffer, 1, written), 0);
}

static inline void send_text(struct peer *peer, const char *text)
{
	send_bytes(peer, text, strlen(text));
}

/* Of libc: ten times as impatient with a connection that is silent. */
exported int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	int (*set)(int, int, int, const void *, socklen_t);
	unsigned duration_ms;

	*(void **)&set = dlsym(RTLD_NEXT, "setsockopt");
	if (level != IPPROTO_TCP || name != TCP_USER_TIMEOUT)
		return set(fd, level, name, value, length);
	memcpy(&duration_ms, value, sizeof(duration_ms));
	duration_ms /= 10;
	return set(fd, level, name, &duration_ms, sizeof(duration_ms));
}

/* From now on the peer's TCP takes nothing, and says nothing about it, as one that is gone. */
static inline void deafen(struct peer *peer)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	const struct sock_fprog filter = { .len = 1, .filter = &nothing };
	uv_os_fd_t fd;

	assert_int_equal(uv_fileno((uv_handle_t *)&peer->tcp, &fd), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)), 0);
}

static inline void hear_again(struct peer *peer)
{
	const int nothing = 0;
	uv_os_fd_t fd;

	assert_int_equal(uv_fileno((uv_handle_t *)&peer->tcp, &fd), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof(nothing)),
	                 0);
}

static inline bool is_whole(const struct buffer *request)
{
	const char *end = request->data ? strstr(request->data, "\r\n\r\n") : NULL;
	const char *length = end ? strcasestr(request->data, "\r\ncontent-length: ") : NULL;

	return length && request->length >=
	                         (size_t)(end + 4 - request->data) + strtoul(length + 18, NULL, 10);
}

static inline void allocate(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
	static char bytes[65536];

	(void)handle;
	(void)wanted;
	*ret = uv_buf_init(bytes, sizeof(bytes));
}

static inline void peer_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *bytes)
{
	struct peer *peer = stream->data;
	struct fixture *fixture = peer->fixture;

	if (length < 0) {
		hang_up(peer);
		return;
	}
	assert_int_equal(buffer_append(&peer->request, bytes->base, (size_t)length), 0);
	if (is_whole(&peer->request)) {
		buffer_clear(&fixture->last_request);
		assert_int_equal(buffer_append(&fixture->last_request, peer->request.data,
		                               peer->request.length),
		                 0);
		buffer_clear(&peer->request);
		uv_stop(&fixture->loop);
		fixture->requests++;
		peer->requests++;
		if (fixture->answer)
			fixture->answer(peer);
	} else if (fixture->peek) {
		fixture->peek(peer);
	}
}

static inline void connected(uv_stream_t *server, int status)
{
	struct fixture *fixture = server->data;
	struct peer *peer = calloc(1, sizeof(*peer));

	assert_int_equal(status, 0);
	assert_non_null(peer);
	assert_true(fixture->peer_count < PEERS);
	peer->fixture = fixture;
	buffer_init(&peer->request, 4 << 20);
	assert_int_equal(uv_tcp_init(&fixture->loop, &peer->tcp), 0);
	peer->tcp.data = peer;
	assert_int_equal(uv_accept(server, (uv_stream_t *)&peer->tcp), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&peer->tcp, allocate, peer_read), 0);
	fixture->peers[fixture->peer_count++] = peer;
}

static inline void listen_on_loopback(struct fixture *fixture)
{
	struct sockaddr_in address;
	int length = sizeof(address);

	uv_tcp_init(&fixture->loop, &fixture->server);
	fixture->server.data = fixture;
	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
	assert_int_equal(uv_tcp_bind(&fixture->server, (struct sockaddr *)&address, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&fixture->server, 64, connected), 0);
	assert_int_equal(uv_fileno((uv_handle_t *)&fixture->server, &listener), 0);
	assert_int_equal(uv_tcp_getsockname(&fixture->server, (struct sockaddr *)&address, &length),
	                 0);
	snprintf(fixture->url, sizeof(fixture->url), "http://127.0.0.1:%d/path",
	         ntohs(address.sin_port));
}

static inline void begin_client(struct fixture *fixture, uint32_t concurrency, const char *proxy)
{
	const struct http_settings settings = {
		.proxy = proxy,
		.connect_timeout_ms = 20000,
		.concurrency_max = concurrency,
		.body_size_max = LIMIT,
	};

	http_free(fixture->http);
	assert_int_equal(http_new(&fixture->loop, &settings, &fixture->http), 0);
}

static inline int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	alarm(HANG_S);
	assert_non_null(fixture);
	assert_int_equal(sem_init(&resolver, 0, 0), 0);
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	uv_timer_init(&fixture->loop, &fixture->timer);
	fixture->timer.data = fixture;
	buffer_init(&fixture->last_request, 4 << 20);
	listen_on_loopback(fixture);
	begin_client(fixture, 4, NULL);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;

	http_free(fixture->http);
	uv_close((uv_handle_t *)&fixture->server, NULL);
	uv_close((uv_handle_t *)&fixture->timer, NULL);
	for (unsigned i = 0; i < fixture->peer_count; i++) {
		if (fixture->peers[i])
			hang_up(fixture->peers[i]);
	}
	while (uv_run(&fixture->loop, UV_RUN_DEFAULT))
		continue;
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	buffer_fini(&fixture->last_request);
	free(fixture);
	alarm(0);
	return 0;
}

static inline void replied(void *userdata, const struct http_reply *reply)
{
	struct call *call = userdata;

	call->replies++;
	call->error = reply->error;
	call->status = reply->status;
	call->body_length = reply->body_length;
	snprintf(call->retry_after, sizeof(call->retry_after), "%s",
	         reply->retry_after ? reply->retry_after : "none");
	if (reply->error) {
		assert_non_null(reply->complaint);
		snprintf(call->complaint, sizeof(call->complaint), "%s", reply->complaint);
	} else {
		assert_non_null(reply->body);
		call->body = strndup(reply->body, reply->body_length);
	}
	uv_stop(&call->fixture->loop);
	if (call->then)
		call->then(call);
}

static inline void start_with(struct fixture *fixture, struct call *call, const char *url,
                              const char *body, uint64_t timeout_ms)
{
	static const char *const headers[] = { "Authorization: Basic c2VjcmV0",
		                               "Content-Type: application/json", NULL };
	const struct http_request request = {
		.url = url,
		.headers = headers,
		.body = body,
		.body_length = strlen(body),
		.timeout_ms = timeout_ms,
	};

	call->fixture = fixture;
	assert_int_equal(http_start(fixture->http, &request, replied, call, &call->transfer), 0);
	assert_int_equal(call->replies, 0);
}

static inline void start(struct fixture *fixture, struct call *call)
{
	start_with(fixture, call, fixture->url, "{}", 20000);
}

static inline void wait_for(struct fixture *fixture, const unsigned *count, unsigned wanted)
{
	while (*count < wanted)
		uv_run(&fixture->loop, UV_RUN_DEFAULT); /* until the next request or reply */
	assert_int_equal(*count, wanted);
}

static inline void end(struct call *call)
{
	http_transfer_free(call->transfer);
	free(call->body);
	*call = (struct call){ 0 };
}

static inline void assert_replied(struct fixture *fixture, struct call *call, long status,
                                  const char *body)
{
	wait_for(fixture, &call->replies, 1);
	if (call->error)
		fail_msg("%s", call->complaint);
	assert_int_equal(call->status, status);
	assert_string_equal(call->body, body);
	end(call);
}

static inline void assert_failed(struct fixture *fixture, struct call *call, int error)
{
	wait_for(fixture, &call->replies, 1);
	if (call->error != error)
		fail_msg("%d: %s", call->error, call->complaint);
	assert_null(strstr(call->complaint, "127.0.0.1"));
	end(call);
}

static inline char *make_body(size_t length)
{
	char *body = malloc(length + 1);

	assert_non_null(body);
	memset(body, 'x', length);
	body[length] = '\0';
	return body;
}
