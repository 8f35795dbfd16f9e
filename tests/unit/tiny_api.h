#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The API on a thread of its own: whatever is asked, it has one customer, whose version is the
 * number of the request. Include cmocka.h and its headers first.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tiny_api {
	pthread_t thread;
	int listener;
	char url[64];
};

/* Read until the body's end; -1 if the client has gone. */
static inline int tiny_api_read(int connection)
{
	char request[8192];
	size_t length = 0;
	const char *body;
	const char *field;
	ssize_t got;

	for (;;) {
		got = recv(connection, request + length, sizeof(request) - 1 - length, 0);
		if (got <= 0)
			return -1;
		length += (size_t)got;
		request[length] = '\0';
		body = strstr(request, "\r\n\r\n");
		field = strcasestr(request, "content-length:");
		if (body && field &&
		    (size_t)(body + 4 - request) + strtoul(field + 15, NULL, 10) <= length)
			return 0;
	}
}

static inline void tiny_api_answer(int connection, unsigned version)
{
	char body[1024];
	char reply[2048];
	int length;

	snprintf(body, sizeof(body),
	         "{\"status\":\"success\",\"Customer Details\":{\"id\":42,\"cmId\":1,"
	         "\"name\":\"version %u\",\"nested\":{\"deep\":[1,2.50,null,\"%u\"]},"
	         "\"contacts\":[{\"id\":421,\"isPrimaryContact\":true}]}}",
	         version, version);
	length = snprintf(reply, sizeof(reply),
	                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	                  "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	                  strlen(body), body);
	(void)send(connection, reply, (size_t)length, MSG_NOSIGNAL);
}

static inline void *tiny_api_run(void *userdata)
{
	const struct tiny_api *api = userdata;
	int connection;

	for (unsigned version = 1;; version++) {
		connection = accept(api->listener, NULL, NULL);
		if (connection < 0)
			return NULL;
		if (tiny_api_read(connection) == 0)
			tiny_api_answer(connection, version);
		close(connection);
	}
}

static inline void tiny_api_start(struct tiny_api *api)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	api->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(api->listener >= 0);
	assert_int_equal(bind(api->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(api->listener, 64), 0);
	assert_int_equal(getsockname(api->listener, (struct sockaddr *)&address, &size), 0);
	snprintf(api->url, sizeof(api->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&api->thread, NULL, tiny_api_run, api), 0);
}

static inline void tiny_api_stop(struct tiny_api *api)
{
	shutdown(api->listener, SHUT_RDWR);
	pthread_join(api->thread, NULL);
	close(api->listener);
}
