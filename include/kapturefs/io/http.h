#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Many HTTP POST transfers on the loop, without threads of our own.
 *
 * Connections are kept and reused; redirects are never followed, TLS is
 * always verified, nothing is taken from the environment.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"

struct http;          /* the client; outlives its transfers */
struct http_transfer; /* one request, waiting or in flight */

struct http_settings {
	const char *cafile; /* certificate authorities, or NULL for the system's */
	const char *proxy;  /* URL, or NULL for none */
	uint64_t connect_timeout_ms;
	uint32_t concurrency_max; /* transfers in flight; others wait, first come, first served */
	size_t body_size_max;     /* decoded */
};

struct http_request {
	const char *url;
	const char *const *headers; /* complete lines `Name: value`, NULL at the end */
	const char *body;
	size_t body_length;
	uint64_t timeout_ms; /* from http_start() to the end of the reply, waiting included */
};

struct http_reply {
	int error;             /* 0: a whole reply came, of any status; or a negative errno */
	const char *complaint; /* of an error: the cause in words, without URL and headers */
	bool is_lasting;       /* of an error: asking again soon is of no use, whatever the errno */
	long status;           /* 0 when nothing came; of an error: of what came of a reply */
	const char *body;      /* of a whole reply, like what follows */
	size_t body_length;
	const char *retry_after; /* the value of that header, or NULL */
	const char *coding;      /* a Content-Encoding that is not known, or NULL */
	size_t received;         /* bytes of a body, decoded, also where no whole reply came */
	const char *connection;  /* over which it went: `new`, `reused`, or `none` */
};

/** Whether @complaint is that the host, or the proxy, has no address. */
bool http_is_unknown_host(const char *complaint);

typedef void http_done_fn(void *userdata, const struct http_reply *reply);

/**
 * Begin on @loop. @settings' strings are copied. Returns 0; -ENOSYS when libcurl would resolve
 * names synchronously; -ENOMEM.
 */
int http_new(uv_loop_t *loop, const struct http_settings *settings, struct http **ret) must_check;

/**
 * End; every transfer must have been freed. The memory goes once the loop has run. NULL is
 * ignored.
 */
void http_free(struct http *http);
define_cleanup(struct http *, http_free);

/**
 * Go on with new connections, and with the authorities that their file has now. What is under way
 * is not touched.
 */
void http_renew(struct http *http);

/**
 * Start a request and return at once.
 *
 * Everything in @request is copied. @done runs exactly once, later, from the
 * loop, never inside this call; the reply is borrowed until it returns; it may free the transfer.
 * If the transfer is freed first, @done never runs.
 *
 * Errors of the reply: -EHOSTUNREACH no connection, no name, or the proxy refuses; -ETIMEDOUT;
 * -EPROTO TLS failure, a reply cut short or not HTTP; -EFBIG body over the limit;
 * -EIO the connection broke before a reply came; -EMFILE no file is left for a connection, while
 * no other request is under way, for which it would wait; -ENOMEM.
 *
 * Returns 0, or -ENOMEM with *@ret untouched.
 */
int http_start(struct http *http, const struct http_request *request, http_done_fn *done,
               void *userdata, struct http_transfer **ret) must_check;

/** Free the transfer, cancelling it if it is still under way. NULL is ignored. */
void http_transfer_free(struct http_transfer *transfer);
define_cleanup(struct http_transfer *, http_transfer_free);

/** The version of libcurl that is loaded. */
const char *http_curl_version(void);

/** That of the OpenSSL which it uses; "" if it uses another library, which tells no sessions. */
const char *http_openssl_version(void);
