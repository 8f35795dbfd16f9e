#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A part of http: one curl handle, the rules that every request obeys, and what curl's errors
 * mean.
 */

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/io/http.h"
#include "kapturefs/io/http_connection.h"

/** One request as a handle needs it; everything is borrowed until http_handle_unload(). */
struct http_load {
	const char *url;
	struct curl_slist *headers;
	const char *body;
	size_t body_length;
	uint64_t timeout_ms;
	bool fresh;                /* on no connection that was kept */
	long authorities_age_s;    /* what was read of their file is good for so long */
	curl_prereq_callback look; /* at the connection, before the request is sent */
	curl_write_callback take_header;
	curl_write_callback take_body; /* decoded */
	void *userdata;                /* of these, and CURLINFO_PRIVATE */
};

enum { HTTP_COMPLAINT_SIZE = 224 };

struct http_verdict {
	int error;                           /* 0 or a negative errno, see struct http_reply */
	char complaint[HTTP_COMPLAINT_SIZE]; /* without URL, headers and body */
	bool is_lasting;                     /* see struct http_reply */
};

/**
 * A handle with the rules set, whose sockets are kept in @connections. Returns NULL when memory
 * runs out.
 */
CURL *http_handle_new(const struct http_settings *settings, struct http_connections *connections);

/**
 * The headers of a request: @lines, NULL at the end, and those that all have. Returns 0 with *@ret
 * to be freed by http_headers_free(), or -ENOMEM.
 */
int http_headers_new(const char *const *lines, struct curl_slist **ret) must_check;

/** Wipe, since one has the token, and free. NULL is ignored. */
void http_headers_free(struct curl_slist *headers);
define_cleanup(struct curl_slist *, http_headers_free);

/** Prepare the next transfer. Returns 0 or -ENOMEM. */
int http_handle_load(CURL *easy, const struct http_load *load) must_check;

/** Forget what was borrowed. */
void http_handle_unload(CURL *easy);

/** End the connection that a transfer has left to curl; before the handle leaves curl. */
void http_handle_hang_up(CURL *easy);

/** Over which connection a transfer went that has ended: `new`, `reused`, or `none`; static. */
const char *http_handle_connection(CURL *easy);

/** An error with its cause, that does not last. */
struct http_verdict http_verdict(int error, const char *complaint);

/** What @code, the end of a transfer, means; @proxy is the URL of the settings, or NULL. */
struct http_verdict http_handle_judge(CURL *easy, CURLcode code, const char *proxy);

/** Whether the transfer uses, or used last, a connection that was kept from another one. */
bool http_handle_is_kept(CURL *easy);

/**
 * Whether a transfer that brought nothing ended with @code because a kept connection was dead, or
 * something else than a reply stood in it.
 */
bool http_handle_was_stale(CURL *easy, CURLcode code);
