/* SPDX-License-Identifier: MIT */
/*
 * In an HTTP/1 connection nothing but its place tells to what request a reply belongs. So what
 * arrives while nothing was asked would be taken for the next answer: a second reply, or the 408
 * with which load balancers end an idle connection. It may stand in the socket, or, decrypted or
 * not, in the TLS session, which reads whole records.
 *
 * libcurl looks for the end of a connection, but only newer versions for input: 7.88 reuses a
 * connection with a reply in it. Which socket a request is about to use, it tells only by the two
 * ends.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kapturefs/io/http_connection.h"

struct http_connection {
	int socket;
	unsigned epoch; /* in which it was opened or trusted last */
};

void http_connections_fini(struct http_connections *connections)
{
	free(connections->table);
}

static struct http_connection *find(const struct http_connections *connections, int socket)
{
	for (size_t i = 0; i < connections->count; i++) {
		if (connections->table[i].socket == socket)
			return &connections->table[i];
	}
	return NULL;
}

static int make_room(struct http_connections *connections)
{
	size_t room = connections->room ? 2 * connections->room : 16;
	struct http_connection *table;

	if (connections->count < connections->room)
		return 0;
	table = reallocarray(connections->table, room, sizeof(*table));
	if (!table)
		return -ENOMEM;
	connections->table = table;
	connections->room = room;
	return 0;
}

int http_connections_open(struct http_connections *connections, const struct curl_sockaddr *address)
{
	struct http_connection *connection;
	int fd;

	if (make_room(connections))
		return -ENOMEM;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	connections->open_error = fd < 0 ? -errno : 0;
	if (fd < 0)
		return connections->open_error;
	connection = find(connections, fd);
	if (!connection)
		connection = &connections->table[connections->count++];
	*connection = (struct http_connection){ .socket = fd, .epoch = connections->epoch };
	return fd;
}

/* Resolving a name and reading a file of authorities take a few, and fail without saying why. */
bool http_connections_lack_files(const struct http_connections *connections)
{
	int files[4] = { -1, -1, -1, -1 };
	bool lacks = connections->open_error == -EMFILE || connections->open_error == -ENFILE;

	for (size_t i = 0; i < array_length(files) && !lacks; i++) {
		files[i] = eventfd(0, EFD_CLOEXEC);
		lacks = files[i] < 0 && (errno == EMFILE || errno == ENFILE);
	}
	for (size_t i = 0; i < array_length(files); i++) {
		if (files[i] >= 0)
			close(files[i]);
	}
	return lacks;
}

int http_connections_close(struct http_connections *connections, int socket)
{
	struct http_connection *connection = find(connections, socket);

	if (connection)
		*connection = connections->table[--connections->count];
	return close(socket);
}

/* Which end of a socket: getsockname() or getpeername(). */
typedef int end_fn(int socket, struct sockaddr *address, socklen_t *length);

static bool is_end(int socket, end_fn *get, const char *address, int port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage storage;
	} end = { .any.sa_family = AF_UNSPEC };
	socklen_t length = sizeof(end);
	char text[INET6_ADDRSTRLEN] = "";

	if (get(socket, &end.any, &length))
		return false;
	if (end.any.sa_family == AF_INET && ntohs(end.v4.sin_port) == port)
		(void)inet_ntop(AF_INET, &end.v4.sin_addr, text, sizeof(text));
	else if (end.any.sa_family == AF_INET6 && ntohs(end.v6.sin6_port) == port)
		(void)inet_ntop(AF_INET6, &end.v6.sin6_addr, text, sizeof(text));
	return text[0] && strcmp(text, address) == 0;
}

int http_connections_find(const struct http_connections *connections, const struct http_ends *ends)
{
	for (size_t i = 0; i < connections->count; i++) {
		int socket = connections->table[i].socket;

		if (is_end(socket, getsockname, ends->local_address, ends->local_port) &&
		    is_end(socket, getpeername, ends->remote_address, ends->remote_port))
			return socket;
	}
	return -1;
}

void http_connections_distrust(struct http_connections *connections)
{
	connections->epoch++;
}

void http_connections_trust(struct http_connections *connections, int socket)
{
	struct http_connection *connection = find(connections, socket);

	if (connection)
		connection->epoch = connections->epoch;
}

/* Of other TLS libraries nobody tells without reading. */
static bool has_records(CURL *easy)
{
	const struct curl_tlssessioninfo *session = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) || !session)
		return false;
	return session->backend == CURLSSLBACKEND_OPENSSL && session->internals &&
	       SSL_has_pending(session->internals);
}

/*
 * A session ticket that comes as late as that costs a connection, and no more: it cannot be told
 * from a reply without reading it.
 */
bool http_connection_is_fit(const struct http_connections *connections, int socket, CURL *easy)
{
	const struct http_connection *connection = find(connections, socket);
	struct pollfd watched = { .fd = socket, .events = POLLIN | POLLRDHUP };

	if (!connection || connection->epoch != connections->epoch)
		return false;
	return poll(&watched, 1, 0) == 0 && !has_records(easy);
}

bool http_connection_has_input(int socket)
{
	char byte;

	return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool http_connection_is_unacknowledged(int socket)
{
	int bytes;

	return !ioctl(socket, SIOCOUTQ, &bytes) && bytes > 0;
}

void http_connection_limit_silence(int socket, unsigned silence_ms)
{
	(void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
}
