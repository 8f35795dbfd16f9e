#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A part of http: the sockets of curl's connections, and whether one that was kept may carry
 * another request.
 */

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"

/** All sockets that are open; zero bytes are none. */
struct http_connections {
	struct http_connection *table;
	size_t count;
	size_t room;
	unsigned epoch;
	int open_error; /* of the last socket, or 0 */
};

/** The two ends of a connection, as curl names them to CURLOPT_PREREQFUNCTION. */
struct http_ends {
	const char *local_address;
	const char *remote_address;
	int local_port;
	int remote_port;
};

/** The connections must have been closed. */
void http_connections_fini(struct http_connections *connections);

/** A socket for @address. Returns a descriptor or a negative errno. */
int http_connections_open(struct http_connections *connections,
                          const struct curl_sockaddr *address) must_check;

/** Whether this process, or the system, has no file left for a connection and what it takes. */
bool http_connections_lack_files(const struct http_connections *connections);

/** Close @socket. Returns as close(). */
int http_connections_close(struct http_connections *connections, int socket);

/** The socket between @ends, or -1. */
int http_connections_find(const struct http_connections *connections,
                          const struct http_ends *ends) must_check;

/** Trust no connection any more that is open now: what has ended one may have ended all. */
void http_connections_distrust(struct http_connections *connections);

/** Trust @socket again. */
void http_connections_trust(struct http_connections *connections, int socket);

/**
 * Whether @socket, on which nothing is under way, may carry another request: it is trusted and
 * open, and nothing stands in it, nor in @easy's TLS session.
 */
bool http_connection_is_fit(const struct http_connections *connections, int socket, CURL *easy);

/** Whether something to be read stands in @socket; its end does not count. */
bool http_connection_has_input(int socket);

/** Whether the other side's TCP has not acknowledged all that was sent over @socket. */
bool http_connection_is_unacknowledged(int socket);

/**
 * Have @socket end with an error when the other side's TCP has not acknowledged what was sent for
 * @silence_ms. A server that takes its time to answer acknowledges at once.
 */
void http_connection_limit_silence(int socket, unsigned silence_ms);
