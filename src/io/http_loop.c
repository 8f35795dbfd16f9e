/* SPDX-License-Identifier: MIT */
/*
 * curl says which sockets to watch and when to wake it; we tell it what
 * happened, and then take the completions, for one event may bring many: one
 * in each turn of the loop. Of answers that come together, the first has then
 * been passed on, and what follows from it begun, before the second is looked at.
 *
 * The callbacks that curl calls take notes. They call nothing of curl's but
 * curl_multi_assign(), which is made for it.
 */

#include <errno.h>
#include <stdlib.h>

#include "kapturefs/io/http_loop.h"

struct watch {
	uv_poll_t poll;
	struct http_loop *http_loop;
	curl_socket_t socket;
	int events; /* enum uv_poll_event */
};

/* Runs before the loop would sleep, and keeps it from that. */
static void take_completion(uv_idle_t *idle)
{
	struct http_loop *http_loop = container_of(idle, struct http_loop, idle);
	CURLMsg *message;
	int left;

	message = curl_multi_info_read(http_loop->multi, &left);
	if (!message || !left)
		(void)uv_idle_stop(idle);
	if (message && message->msg == CURLMSG_DONE)
		http_loop->events->completed(http_loop, message->easy_handle, message->data.result);
}

/*
 * After an error curl goes on with no transfer. It would take new ones when all have been removed,
 * but some versions (7.88) keep half of what they had no memory for, and divide by zero when a
 * socket of the same number comes.
 */
static void act(struct http_loop *http_loop, curl_socket_t socket, int mask)
{
	int running;

	if (curl_multi_socket_action(http_loop->multi, socket, mask, &running)) {
		http_loop->is_broken = true;
		http_loop->events->lost(http_loop, NULL);
	}
	(void)uv_idle_start(&http_loop->idle, take_completion);
}

static void timer_fired(uv_timer_t *timer)
{
	struct http_loop *http_loop = container_of(timer, struct http_loop, timer);

	act(http_loop, CURL_SOCKET_TIMEOUT, 0);
}

/* The loop's clock may lag, which makes the timer early; curl then asks for the rest. */
static int set_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct http_loop *http_loop = userdata;

	(void)multi;
	if (timeout_ms < 0)
		(void)uv_timer_stop(&http_loop->timer);
	else
		(void)uv_timer_start(&http_loop->timer, timer_fired, (uint64_t)timeout_ms, 0);
	return 0;
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = container_of(poll, struct watch, poll);
	struct http_loop *http_loop = watch->http_loop;
	int mask = 0;

	/* Of an error libuv says no more, and watches no longer; with 0, curl looks for itself. */
	if (status == 0 && events & UV_READABLE)
		mask |= CURL_CSELECT_IN;
	if (status == 0 && events & UV_WRITABLE)
		mask |= CURL_CSELECT_OUT;
	act(http_loop, watch->socket, mask);
	if (status < 0 && !uv_is_closing((uv_handle_t *)poll))
		(void)uv_poll_start(poll, watch->events, socket_ready);
}

static void watch_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct watch, poll));
}

static struct watch *watch_new(struct http_loop *http_loop, curl_socket_t socket)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	if (uv_poll_init_socket(http_loop->uv, &watch->poll, socket)) {
		free(watch);
		return NULL;
	}
	watch->http_loop = http_loop;
	watch->socket = socket;
	(void)curl_multi_assign(http_loop->multi, socket, watch);
	return watch;
}

/* Never an error for curl: that would end all transfers, and the multi handle with them. */
static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *userdata, void *known)
{
	struct http_loop *http_loop = userdata;
	struct watch *watch = known;

	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, watch_closed);
		return 0;
	}

	if (!watch)
		watch = watch_new(http_loop, socket);
	if (watch) {
		watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
		                (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
		if (uv_poll_start(&watch->poll, watch->events, socket_ready) == 0)
			return 0;
	}
	http_loop->events->lost(http_loop, easy);
	return 0;
}

static CURLM *multi_new(struct http_loop *http_loop)
{
	CURLM *multi = curl_multi_init();
	long connections = (long)http_loop->connections_max;
	int failed = 0;

	if (!multi)
		return NULL;
	failed |= curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	failed |= curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http_loop);
	failed |= curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	failed |= curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http_loop);
	failed |= curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	failed |= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
	if (!failed)
		return multi;
	(void)curl_multi_cleanup(multi);
	return NULL;
}

int http_loop_init(struct http_loop *http_loop, uv_loop_t *uv, uint32_t connections_max,
                   const struct http_loop_events *events)
{
	*http_loop = (struct http_loop){
		.uv = uv,
		.events = events,
		.connections_max = connections_max,
	};
	uv_timer_init(uv, &http_loop->timer);
	uv_idle_init(uv, &http_loop->idle);
	http_loop->multi = multi_new(http_loop);
	return http_loop->multi ? 0 : -ENOMEM;
}

int http_loop_mend(struct http_loop *http_loop)
{
	CURLM *multi;

	if (!http_loop->is_broken)
		return 0;
	multi = multi_new(http_loop);
	if (!multi)
		return -ENOMEM;

	/* It takes the watches of its kept connections back. */
	(void)curl_multi_cleanup(http_loop->multi);
	(void)uv_timer_stop(&http_loop->timer);
	http_loop->multi = multi;
	http_loop->is_broken = false;
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	struct http_loop *http_loop = container_of((uv_timer_t *)handle, struct http_loop, timer);

	http_loop->closed(http_loop);
}

static void idle_closed(uv_handle_t *handle)
{
	struct http_loop *http_loop = container_of((uv_idle_t *)handle, struct http_loop, idle);

	uv_close((uv_handle_t *)&http_loop->timer, timer_closed);
}

void http_loop_close(struct http_loop *http_loop, void (*closed)(struct http_loop *http_loop))
{
	/* Closing its connections, curl may still take its watches back. */
	(void)curl_multi_cleanup(http_loop->multi);
	http_loop->multi = NULL;
	http_loop->closed = closed;
	uv_close((uv_handle_t *)&http_loop->idle, idle_closed);
}
