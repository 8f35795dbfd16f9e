#pragma once
/* SPDX-License-Identifier: MIT */
/* A part of http: curl's multi interface on libuv. */

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"

struct http_loop;

struct http_loop_events {
	/* A transfer has ended. From the loop, never from inside curl; may close the loop. */
	void (*completed)(struct http_loop *http_loop, CURL *easy, CURLcode code);
	/* For want of memory a transfer, or all if NULL, cannot go on. Also from inside curl. */
	void (*lost)(struct http_loop *http_loop, CURL *easy);
};

struct http_loop {
	CURLM *multi;   /* add and remove handles here; NULL once closed */
	bool is_broken; /* by an error; add nothing before http_loop_mend() */
	uint32_t connections_max;
	uv_loop_t *uv;
	uv_timer_t timer;
	uv_idle_t idle; /* runs while there may be completions */
	const struct http_loop_events *events;
	void (*closed)(struct http_loop *http_loop);
};

/**
 * Begin on @uv, keeping up to @connections_max idle connections.
 *
 * Returns 0 or -ENOMEM. Also then the memory must stay until http_loop_close() has brought it back.
 */
int http_loop_init(struct http_loop *http_loop, uv_loop_t *uv, uint32_t connections_max,
                   const struct http_loop_events *events) must_check;

/**
 * Begin anew if an error has broken it; every handle must have been removed then. Returns 0 or
 * -ENOMEM.
 */
int http_loop_mend(struct http_loop *http_loop) must_check;

/**
 * End; every handle must have been removed. @closed runs from the loop; the memory is the
 * caller's again.
 */
void http_loop_close(struct http_loop *http_loop, void (*closed)(struct http_loop *http_loop));
