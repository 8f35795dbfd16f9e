/* SPDX-License-Identifier: MIT */
/*
 * A transfer is
 *
 *   waiting  in the queue; its timer runs to the deadline
 *   running  curl has its handle and the rest of its time; from the first byte
 *            of the reply on, its timer looks whether more are coming
 *   failing  in no list; its timer, due at once, brings the news
 *   done     its callback has run; only freeing is left
 *
 * and may be freed in each of them. The user's callback runs from the loop,
 * when curl is not on the stack.
 */

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/list.h"
#include "kapturefs/io/http.h"
#include "kapturefs/io/http_handle.h"
#include "kapturefs/io/http_loop.h"

enum {
	HEADERS_SIZE_MAX = 64 << 10,
	/* A reply that has begun, and then brings less than 100 bytes a second, is given up. */
	STALL_MS = 10000,
	STALL_BYTES = 1000,
	RETRY_AFTER_LENGTH_MAX = 63,
};

struct http {
	struct http_loop loop;
	struct http_settings settings;
	char *cafile;
	char *proxy;
	struct list waiting;
	struct list running;
	uint32_t running_count;
	CURL **spare; /* used handles, for their rules and TLS sessions; room for concurrency_max */
	uint32_t spare_count;
};

struct http_transfer {
	struct list link;
	struct http *http;
	uv_timer_t timer;
	uint64_t deadline_ms; /* of the loop's clock */
	CURL *easy;           /* while running */
	char *url;
	struct curl_slist *headers;
	char *request;
	size_t request_length;
	struct buffer reply;
	size_t headers_received;
	char retry_after[RETRY_AFTER_LENGTH_MAX + 1];
	size_t recently_received; /* since the timer looked last */
	bool repeated;
	struct http_verdict verdict; /* ours, before curl's */
	http_done_fn *done;
	void *userdata;
};

static void transfer_timer_fired(uv_timer_t *timer);

static bool has_prefix(const char *bytes, size_t length, const char *prefix)
{
	size_t prefix_length = strlen(prefix);

	return length >= prefix_length && strncasecmp(bytes, prefix, prefix_length) == 0;
}

/* Keep what matters of one header line, which curl hands over whole and without a NUL. */
static void note_header(struct http_transfer *transfer, const char *bytes, size_t length)
{
	static const char name[] = "Retry-After:";

	/* Another reply begins, the one before was a 1xx. */
	if (has_prefix(bytes, length, "HTTP/"))
		transfer->retry_after[0] = '\0';
	if (!has_prefix(bytes, length, name))
		return;

	bytes += strlen(name);
	length -= strlen(name);
	while (length && strchr(" \t", *bytes)) {
		bytes++;
		length--;
	}
	while (length && strchr(" \t\r\n", bytes[length - 1]))
		length--;
	if (length <= RETRY_AFTER_LENGTH_MAX)
		snprintf(transfer->retry_after, sizeof(transfer->retry_after), "%.*s", (int)length,
		         bytes);
}

static size_t take_header(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;

	note_header(transfer, bytes, size * count);
	if (!transfer->headers_received)
		(void)uv_timer_start(&transfer->timer, transfer_timer_fired, STALL_MS, STALL_MS);
	transfer->headers_received += size * count;
	transfer->recently_received += size * count;
	if (transfer->headers_received <= HEADERS_SIZE_MAX)
		return size * count;

	transfer->verdict = (struct http_verdict){ -EPROTO, "too many headers" };
	return 0;
}

/* The bytes are decoded, so a small reply that unpacks to a large one ends here too. */
static size_t take_body(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	int r;

	transfer->recently_received += size * count;
	r = buffer_append(&transfer->reply, bytes, size * count);
	if (!r)
		return size * count;

	transfer->verdict.error = r;
	transfer->verdict.complaint = r == -EFBIG ? "the reply is too large" : "out of memory";
	return CURL_WRITEFUNC_ERROR;
}

/* Also from inside curl, hence not at once. */
static void fail_soon(struct http_transfer *transfer)
{
	transfer->verdict = (struct http_verdict){ -ENOMEM, "out of memory" };
	(void)uv_timer_start(&transfer->timer, transfer_timer_fired, 0, 0);
}

/* The token's copies that are ours. */
static void wipe_headers(struct http_transfer *transfer)
{
	for (struct curl_slist *line = transfer->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(steal(&transfer->headers));
}

static int load(struct http_transfer *transfer, CURL *easy)
{
	uint64_t now_ms = uv_now(transfer->http->loop.uv);
	const struct http_load load = {
		.url = transfer->url,
		.headers = transfer->headers,
		.body = transfer->request,
		.body_length = transfer->request_length,
		.timeout_ms = transfer->deadline_ms > now_ms ? transfer->deadline_ms - now_ms : 0,
		.fresh = transfer->repeated,
		.take_header = take_header,
		.take_body = take_body,
		.userdata = transfer,
	};

	return http_handle_load(easy, &load);
}

static CURL *take_handle(struct http *http)
{
	if (http->spare_count)
		return http->spare[--http->spare_count];
	return http_handle_new(&http->settings);
}

static void put_handle(struct http *http, CURL *easy)
{
	http_handle_unload(easy);
	http->spare[http->spare_count++] = easy;
}

/* From waiting to running, or to failing. */
static void enter(struct http_transfer *transfer)
{
	struct http *http = transfer->http;
	CURL *easy = take_handle(http);

	list_remove(&transfer->link);
	(void)uv_timer_stop(&transfer->timer);
	if (!easy) {
		fail_soon(transfer);
		return;
	}
	if (http_loop_mend(&http->loop) || load(transfer, easy) ||
	    curl_multi_add_handle(http->loop.multi, easy)) {
		put_handle(http, easy);
		fail_soon(transfer);
		return;
	}

	transfer->easy = easy;
	list_insert_before(&http->running, &transfer->link);
	http->running_count++;
}

/* Those whom an error has stopped leave before others enter. */
static bool is_full(const struct http *http)
{
	return http->loop.is_broken ? http->running_count > 0
	                            : http->running_count >= http->settings.concurrency_max;
}

static void fill(struct http *http)
{
	while (!is_full(http) && !list_is_empty(&http->waiting))
		enter(container_of(http->waiting.next, struct http_transfer, link));
}

/* Out of the queue, or out of curl, where the next one takes its place. */
static void leave(struct http_transfer *transfer)
{
	struct http *http = transfer->http;

	list_remove(&transfer->link);
	(void)uv_timer_stop(&transfer->timer);
	if (!transfer->easy)
		return;

	(void)curl_multi_remove_handle(http->loop.multi, transfer->easy);
	put_handle(http, steal(&transfer->easy));
	http->running_count--;
	fill(http);
}

static void conclude(struct http_transfer *transfer, struct http_verdict verdict, long status)
{
	struct http_reply reply = { .error = verdict.error, .complaint = verdict.complaint };

	if (!verdict.error) {
		reply.status = status;
		reply.body = transfer->reply.data ? transfer->reply.data : "";
		reply.body_length = transfer->reply.length;
		reply.retry_after = transfer->retry_after[0] ? transfer->retry_after : NULL;
	}
	leave(transfer);
	wipe_headers(transfer);
	transfer->done(transfer->userdata, &reply);
}

static void transfer_timer_fired(uv_timer_t *timer)
{
	struct http_transfer *transfer = container_of(timer, struct http_transfer, timer);
	struct http_verdict verdict = transfer->verdict;

	if (!verdict.error && transfer->recently_received >= STALL_BYTES) {
		transfer->recently_received = 0;
		return;
	}
	if (!verdict.error)
		verdict = (struct http_verdict){ -ETIMEDOUT, transfer->easy
			                                             ? "the reply stalled"
			                                             : "timed out in the queue" };
	conclude(transfer, verdict, 0);
}

/*
 * A kept connection may be closed by the other side at the moment when we use
 * it. curl repeats such a request when it notices while receiving, but not when
 * it notices while sending; so we do, once.
 */
static bool repeat(struct http_transfer *transfer, CURLcode code)
{
	CURLM *multi = transfer->http->loop.multi;

	if (transfer->repeated || transfer->headers_received || transfer->verdict.error ||
	    transfer->http->loop.is_broken)
		return false;
	if (!http_handle_was_stale(transfer->easy, code))
		return false;

	transfer->repeated = true;
	(void)curl_multi_remove_handle(multi, transfer->easy);
	return load(transfer, transfer->easy) == 0 &&
	       curl_multi_add_handle(multi, transfer->easy) == CURLM_OK;
}

/*
 * What runs out of memory before its request has been sent leaves its connection to curl as a good
 * one, of which nobody knows what went over it. Some versions (8.14) never use it: a server that
 * waits for the request would go without others, until it loses patience.
 */
static void completed(struct http_loop *http_loop, CURL *easy, CURLcode code)
{
	char *private = NULL;
	struct http_transfer *transfer;
	struct http_verdict verdict;
	long status = 0;

	(void)http_loop;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	transfer = (struct http_transfer *)(void *)private;
	if (repeat(transfer, code))
		return;
	if (code == CURLE_OUT_OF_MEMORY)
		http_handle_hang_up(easy);

	verdict = transfer->verdict.error ? transfer->verdict : http_handle_judge(easy, code);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	conclude(transfer, verdict, status);
}

static void lost(struct http_loop *http_loop, CURL *easy)
{
	struct http *http = container_of(http_loop, struct http, loop);

	for (struct list *link = http->running.next; link != &http->running; link = link->next) {
		struct http_transfer *transfer = container_of(link, struct http_transfer, link);

		if (!easy || transfer->easy == easy)
			fail_soon(transfer);
	}
}

static void http_closed(struct http_loop *http_loop)
{
	struct http *http = container_of(http_loop, struct http, loop);

	free(http->spare);
	free(http->cafile);
	free(http->proxy);
	free(http);
	curl_global_cleanup();
}

void http_free(struct http *http)
{
	if (!http)
		return;

	assert(list_is_empty(&http->waiting) && list_is_empty(&http->running));
	while (http->spare_count)
		curl_easy_cleanup(http->spare[--http->spare_count]);
	http_loop_close(&http->loop, http_closed);
}

static int copy_text(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int copy_settings(struct http *http, const struct http_settings *settings)
{
	int r;

	assert(settings->concurrency_max > 0);
	r = copy_text(settings->cafile, &http->cafile);
	if (!r)
		r = copy_text(settings->proxy, &http->proxy);
	if (r)
		return r;

	http->settings = *settings;
	http->settings.cafile = http->cafile;
	http->settings.proxy = http->proxy;
	http->spare = calloc(settings->concurrency_max, sizeof(CURL *));
	return http->spare ? 0 : -ENOMEM;
}

/* libcurl counts its global inits against its cleanups, since 7.84 also among threads. */
static int begin_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_ALL))
		return -ENOMEM;
	if (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS)
		return 0;
	curl_global_cleanup();
	return -ENOSYS;
}

int http_new(uv_loop_t *loop, const struct http_settings *settings, struct http **ret)
{
	static const struct http_loop_events events = { completed, lost };
	cleanup(http_freep) struct http *http = NULL;
	int r;

	r = begin_curl();
	if (r)
		return r;
	http = calloc(1, sizeof(*http));
	if (!http) {
		curl_global_cleanup();
		return -ENOMEM;
	}

	list_init(&http->waiting);
	list_init(&http->running);
	r = http_loop_init(&http->loop, loop, settings->concurrency_max, &events);
	if (!r)
		r = copy_settings(http, settings);
	if (r)
		return r;

	*ret = steal(&http);
	return 0;
}

static int add_header(struct http_transfer *transfer, const char *line)
{
	struct curl_slist *longer = curl_slist_append(transfer->headers, line);

	if (!longer)
		return -ENOMEM;
	transfer->headers = longer;
	return 0;
}

static int copy_request(struct http_transfer *transfer, const struct http_request *request)
{
	int r;

	r = copy_text(request->url, &transfer->url);
	/* curl would ask for leave before it sends a large body. */
	if (!r)
		r = add_header(transfer, "Expect:");
	for (const char *const *line = request->headers; !r && line && *line; line++)
		r = add_header(transfer, *line);
	if (r)
		return r;

	transfer->request = malloc(request->body_length + 1);
	if (!transfer->request)
		return -ENOMEM;
	if (request->body_length)
		memcpy(transfer->request, request->body, request->body_length);
	transfer->request_length = request->body_length;
	return 0;
}

int http_start(struct http *http, const struct http_request *request, http_done_fn *done,
               void *userdata, struct http_transfer **ret)
{
	cleanup(http_transfer_freep) struct http_transfer *transfer = NULL;
	uv_loop_t *loop = http->loop.uv;
	int r;

	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return -ENOMEM;

	transfer->http = http;
	transfer->done = done;
	transfer->userdata = userdata;
	transfer->deadline_ms = uv_now(loop) + request->timeout_ms;
	list_init(&transfer->link);
	buffer_init(&transfer->reply, http->settings.body_size_max);
	uv_timer_init(loop, &transfer->timer);
	r = copy_request(transfer, request);
	if (r)
		return r;

	(void)uv_timer_start(&transfer->timer, transfer_timer_fired, request->timeout_ms, 0);
	list_insert_before(&http->waiting, &transfer->link);
	fill(http);
	*ret = steal(&transfer);
	return 0;
}

static void transfer_closed(uv_handle_t *handle)
{
	struct http_transfer *transfer =
	        container_of((uv_timer_t *)handle, struct http_transfer, timer);

	buffer_fini(&transfer->reply);
	free(transfer->request);
	free(transfer->url);
	free(transfer);
}

void http_transfer_free(struct http_transfer *transfer)
{
	if (!transfer)
		return;

	leave(transfer);
	wipe_headers(transfer);
	uv_close((uv_handle_t *)&transfer->timer, transfer_closed);
}
