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

#include "kapturefs/base/list.h"
#include "kapturefs/io/http.h"
#include "kapturefs/io/http_authorities.h"
#include "kapturefs/io/http_connection.h"
#include "kapturefs/io/http_exchange.h"
#include "kapturefs/io/http_handle.h"
#include "kapturefs/io/http_loop.h"

enum {
	/* A reply that has begun, and then brings less than 100 bytes a second, is given up. */
	STALL_MS = 10000,
	STALL_BYTES = 1000,
	/* How long a kept connection may leave a request without the acknowledgement of TCP. */
	SILENCE_MS = 2000,
	SILENCE_MIN_MS = 250,
};

struct http {
	struct http_loop loop;
	struct http_connections connections;
	struct http_authorities authorities;
	struct http_settings settings;
	char *cafile;
	char *proxy;
	struct list waiting;
	struct list running;
	uint32_t running_count;
	uint32_t running_max; /* as many as there were files for; concurrency_max at most */
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
	struct http_exchange exchange;
	http_done_fn *done;
	void *userdata;
};

static void transfer_timer_fired(uv_timer_t *timer);

static void reply_began(struct http_exchange *exchange)
{
	struct http_transfer *transfer = container_of(exchange, struct http_transfer, exchange);

	(void)uv_timer_start(&transfer->timer, transfer_timer_fired, STALL_MS, STALL_MS);
}

/* Also from inside curl, hence not at once. */
static void fail_soon(struct http_transfer *transfer)
{
	transfer->exchange.verdict = http_verdict(-ENOMEM, "out of memory");
	(void)uv_timer_start(&transfer->timer, transfer_timer_fired, 0, 0);
}

static uint64_t time_left_ms(const struct http_transfer *transfer)
{
	uint64_t now_ms = uv_now(transfer->http->loop.uv);

	return transfer->deadline_ms > now_ms ? transfer->deadline_ms - now_ms : 0;
}

/* Half of what is left, at most, so that the other half is left for a new connection. */
static unsigned silence_ms(const struct http_transfer *transfer)
{
	uint64_t half_ms = time_left_ms(transfer) / 2;

	if (half_ms >= SILENCE_MS)
		return SILENCE_MS;
	return half_ms > SILENCE_MIN_MS ? (unsigned)half_ms : SILENCE_MIN_MS;
}

static int load(struct http_transfer *transfer, CURL *easy)
{
	struct http *http = transfer->http;
	struct http_exchange *exchange = &transfer->exchange;
	const struct http_load load = {
		.url = transfer->url,
		.headers = transfer->headers,
		.body = transfer->request,
		.body_length = transfer->request_length,
		.timeout_ms = time_left_ms(transfer),
		.fresh = exchange->is_repeated,
		.authorities_age_s =
		        http_authorities_age_s(&http->authorities, uv_now(http->loop.uv)),
		.look = http_exchange_look,
		.take_header = http_exchange_take_header,
		.take_body = http_exchange_take_body,
		.userdata = exchange,
	};

	exchange->easy = easy;
	exchange->is_plain = strncasecmp(transfer->url, "http:", 5) == 0;
	exchange->proxy = http->settings.proxy;
	exchange->silence_ms = silence_ms(transfer);
	exchange->began = reply_began;
	return http_handle_load(easy, &load);
}

/* Those who vouched for the connections that there are may not be authorities any more. */
static void look_at_authorities(struct http *http)
{
	if (http_authorities_look(&http->authorities, uv_now(http->loop.uv)))
		http_connections_distrust(&http->connections);
}

static CURL *take_handle(struct http *http)
{
	if (http->spare_count)
		return http->spare[--http->spare_count];
	return http_handle_new(&http->settings, &http->connections);
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
	look_at_authorities(http);
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

/* One at least, whatever was: else nothing would ever end. */
static uint32_t running_max(const struct http *http)
{
	return http->running_max ? http->running_max : 1;
}

/* Those whom an error has stopped leave before others enter. */
static bool is_full(const struct http *http)
{
	return http->loop.is_broken ? http->running_count > 0
	                            : http->running_count >= running_max(http);
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

static void conclude(struct http_transfer *transfer, const struct http_verdict *verdict,
                     long status)
{
	struct http *http = transfer->http;
	const struct http_exchange *exchange = &transfer->exchange;
	struct http_reply reply = {
		.error = verdict->error,
		.complaint = verdict->error ? verdict->complaint : NULL,
		.is_lasting = verdict->is_lasting,
		.status = status,
		.received = exchange->body.length,
		.connection = transfer->easy ? http_handle_connection(transfer->easy) : "none",
	};

	if (!verdict->error) {
		reply.body = exchange->body.data ? exchange->body.data : "";
		reply.body_length = exchange->body.length;
		reply.retry_after = exchange->retry_after[0] ? exchange->retry_after : NULL;
		reply.coding = exchange->coding.unknown[0] ? exchange->coding.unknown : NULL;
	}
	if (http->running_max < http->settings.concurrency_max)
		http->running_max++;
	leave(transfer);
	http_headers_free(steal(&transfer->headers));
	transfer->done(transfer->userdata, &reply);
}

/*
 * Wait, as the first, until another one leaves its connection: there is no file for one more. With
 * each that has ended, one more is tried again.
 */
static bool give_way(struct http_transfer *transfer)
{
	struct http *http = transfer->http;

	if (http->running_count < 2)
		return false;
	http->running_max = http->running_count - 1;
	leave(transfer);
	list_insert_before(http->waiting.next, &transfer->link);
	(void)uv_timer_start(&transfer->timer, transfer_timer_fired, time_left_ms(transfer), 0);
	return true;
}

static void transfer_timer_fired(uv_timer_t *timer)
{
	struct http_transfer *transfer = container_of(timer, struct http_transfer, timer);
	struct http_exchange *exchange = &transfer->exchange;
	struct http_verdict verdict = exchange->verdict;

	if (!verdict.error && exchange->recent_size >= STALL_BYTES) {
		exchange->recent_size = 0;
		return;
	}
	if (!verdict.error)
		verdict = http_verdict(-ETIMEDOUT, transfer->easy ? "the reply stalled"
		                                                  : "timed out in the queue");
	conclude(transfer, &verdict, 0);
}

/* Out of curl and in again, with what is left of the time. */
static bool repeat(struct http_transfer *transfer, CURLcode code)
{
	CURLM *multi = transfer->http->loop.multi;

	if (transfer->http->loop.is_broken || !http_exchange_must_repeat(&transfer->exchange, code))
		return false;

	(void)uv_timer_stop(&transfer->timer);
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
	transfer = container_of((struct http_exchange *)(void *)private, struct http_transfer,
	                        exchange);
	if (repeat(transfer, code))
		return;
	if (code == CURLE_OUT_OF_MEMORY)
		http_handle_hang_up(easy);

	verdict = http_exchange_judge(&transfer->exchange, code);
	if (verdict.error == -EMFILE && give_way(transfer))
		return;
	/* When the server was not reached, it is the proxy's. */
	if (verdict.error != -EHOSTUNREACH)
		(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	conclude(transfer, &verdict, status);
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

	http_connections_fini(&http->connections);
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

void http_renew(struct http *http)
{
	http_authorities_renew(&http->authorities, uv_now(http->loop.uv));
	http_connections_distrust(&http->connections);
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
	http->running_max = settings->concurrency_max;
	http_authorities_init(&http->authorities, http->cafile, uv_now(http->loop.uv));
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

static int copy_request(struct http_transfer *transfer, const struct http_request *request)
{
	int r;

	r = copy_text(request->url, &transfer->url);
	if (!r)
		r = http_headers_new(request->headers, &transfer->headers);
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
	http_exchange_init(&transfer->exchange, &http->connections, http->settings.body_size_max);
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

	http_exchange_fini(&transfer->exchange);
	free(transfer->request);
	free(transfer->url);
	free(transfer);
}

void http_transfer_free(struct http_transfer *transfer)
{
	if (!transfer)
		return;

	leave(transfer);
	http_headers_free(steal(&transfer->headers));
	uv_close((uv_handle_t *)&transfer->timer, transfer_closed);
}
