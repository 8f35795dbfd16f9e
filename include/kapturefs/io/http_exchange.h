#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A part of http: a request on its way over a connection, and the reply as it comes in.
 *
 * What is the fault of a connection that was kept from an earlier request says nothing about this
 * one: it is repeated on a new connection, once.
 */

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/io/http_coding.h"
#include "kapturefs/io/http_connection.h"
#include "kapturefs/io/http_handle.h"

enum { HTTP_RETRY_AFTER_SIZE = 64 };

struct http_exchange {
	/* The owner's, before each try. */
	struct http_connections *connections;
	CURL *easy;
	bool is_plain;       /* no TLS */
	const char *proxy;   /* its URL, or NULL */
	unsigned silence_ms; /* how long a kept connection may leave it unacknowledged */
	void (*began)(struct http_exchange *exchange); /* called for the first byte of the reply */

	/* The connection. */
	int socket;
	bool has_looked; /* at a connection, before the request was sent */
	bool is_unfit;   /* the connection, for this request */
	bool is_repeated;

	/* The reply. */
	struct http_verdict verdict; /* ours, before curl's */
	struct buffer body;          /* unpacked */
	struct http_coding coding;
	size_t headers_size;
	size_t recent_size; /* of what has come since the owner set it to 0 */
	char retry_after[HTTP_RETRY_AFTER_SIZE];
};

/** Begin with an exchange that keeps @body_size_max bytes of a body, decoded, at most. */
void http_exchange_init(struct http_exchange *exchange, struct http_connections *connections,
                        size_t body_size_max);
void http_exchange_fini(struct http_exchange *exchange);

/** For curl, with the exchange as their userdata: before the request is sent; what has come. */
int http_exchange_look(void *userdata, char *remote_address, char *local_address, int remote_port,
                       int local_port);
size_t http_exchange_take_header(char *bytes, size_t size, size_t count, void *userdata);
size_t http_exchange_take_body(char *bytes, size_t size, size_t count, void *userdata);

/** Judge an exchange that ended with @code. */
struct http_verdict http_exchange_judge(const struct http_exchange *exchange, CURLcode code);

/**
 * Whether an exchange that ended with @code is to be repeated on a new connection; it is ready for
 * that then, without anything that has come.
 */
bool http_exchange_must_repeat(struct http_exchange *exchange, CURLcode code) must_check;
