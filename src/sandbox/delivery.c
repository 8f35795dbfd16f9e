/* SPDX-License-Identifier: MIT */
/*
 * The answer is written out whole, head and framed body, then sent up to where
 * it breaks off. On a connection with TLS the bytes go through the session that
 * libmicrohttpd has opened: what breaks off is HTTP, below which TLS is well.
 */

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "kapturefs/sandbox/answer.h"

enum {
	HEAD_SIZE_MAX = 1 << 28,
	PADDING_SIZE = 1000,
	CHUNK_SIZE = 16384,
	ENDLESS_SIZE = 1 << 16,
	NS_A_MILLISECOND = 1000000,
	UNSENT_WAIT_MS = 1000,
};

bool delivery_is_special(const struct delivery *delivery)
{
	return delivery->is_raw || delivery->framing || delivery->length_by || delivery->interim ||
	       delivery->padding || delivery->drip_bytes || delivery->ending;
}

/* The connection that is written to. */
struct wire {
	const struct answer_way *way;
	int fd;
	gnutls_session_t tls; /* or NULL */
};

/* Wait until there is room for more. */
static bool wait_for_room(const struct wire *wire)
{
	struct pollfd watched[] = {
		{ .fd = wire->way->ending, .events = POLLIN },
		{ .fd = wire->fd, .events = POLLOUT },
	};

	while (poll(watched, array_length(watched), -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return !watched[0].revents && !(watched[1].revents & (POLLERR | POLLHUP));
}

/* As send(), whatever is below. */
static ssize_t send_some(const struct wire *wire, const char *bytes, size_t length)
{
	ssize_t sent;

	if (!wire->tls)
		return send(wire->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	sent = gnutls_record_send(wire->tls, bytes, length);
	if (sent >= 0)
		return sent;
	errno = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED ? EAGAIN : EPIPE;
	return -1;
}

static bool send_all(const struct wire *wire, const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent = send_some(wire, bytes, length);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (sent < 0 && !wait_for_room(wire))
			return false;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
	return true;
}

/* In the pieces and with the pauses that the delivery wants. */
static bool drip(const struct wire *wire, const struct delivery *delivery, const char *bytes,
                 size_t length)
{
	size_t piece = delivery->drip_bytes ? delivery->drip_bytes : length;

	for (size_t sent = 0; sent < length; sent += piece) {
		size_t left = length - sent;

		if (!send_all(wire, bytes + sent, left < piece ? left : piece))
			return false;
		if (delivery->drip_ms && left > piece &&
		    !answer_wait_until(answer_clock_ns() +
		                               (uint64_t)delivery->drip_ms * NS_A_MILLISECOND,
		                       wire->way, wire->fd))
			return false;
	}
	return true;
}

/* What was sent is to arrive before the reset does, which overtakes it. */
static void wait_until_arrived(int fd)
{
	int unacknowledged;
	const struct timespec pause = { .tv_nsec = NS_A_MILLISECOND };

	for (int i = 0; i < UNSENT_WAIT_MS; i++) {
		if (ioctl(fd, SIOCOUTQ, &unacknowledged) || !unacknowledged)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

void delivery_reset(int fd)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	wait_until_arrived(fd);
	/* Linux tells the other side so: closing would first say that all is well. */
	(void)connect(fd, &nowhere, sizeof(nowhere));
}

static void end(const struct wire *wire, enum ending ending)
{
	switch (ending) {
	case ENDING_NONE:
	case ENDING_CUT:
		return;
	case ENDING_RESET:
		delivery_reset(wire->fd);
		return;
	case ENDING_HALF_CLOSE:
		(void)shutdown(wire->fd, SHUT_WR);
		break;
	case ENDING_STALL:
		break;
	}
	/* Who closes its half of the connection may still wait for an answer, but not for ever. */
	(void)answer_wait_until(0, wire->way, wire->fd);
}

static int write_padding(struct buffer *wire, uint32_t count)
{
	char line[PADDING_SIZE];
	int r = 0;

	memset(line, 'x', sizeof(line));
	memcpy(line, "X-Padding: ", strlen("X-Padding: "));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	for (uint32_t i = 0; !r && i < count; i++)
		r = buffer_append(wire, line, sizeof(line));
	return r;
}

static int write_framing(const struct answer *answer, struct buffer *wire)
{
	int64_t length = (int64_t)answer->body.length + answer->delivery.length_by;

	switch (answer->delivery.framing) {
	case FRAMING_LENGTH:
		return buffer_print(wire, "Content-Length: %" PRId64 "\r\n",
		                    length > 0 ? length : 0);
	case FRAMING_CHUNKED:
	case FRAMING_ENDLESS:
	case FRAMING_WRONG_CHUNK:
		return buffer_append_text(wire, "Transfer-Encoding: chunked\r\n");
	case FRAMING_CLOSE:
		break;
	}
	return buffer_append_text(wire, "Connection: close\r\n");
}

static int write_headers(const struct answer *answer, struct buffer *wire)
{
	const char *type = answer->type;
	const char *value = NULL;
	int r = 0;

	for (const char *name = answer_next_header(answer, NULL, &value); name && !r;
	     name = answer_next_header(answer, name, &value)) {
		if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_TYPE) == 0)
			type = NULL;
		r = buffer_print(wire, "%s: %s\r\n", name, value);
	}
	if (!r && type)
		r = buffer_print(wire, "Content-Type: %s\r\n", type);
	return r;
}

static int write_head(const struct answer *answer, struct buffer *wire)
{
	const struct delivery *delivery = &answer->delivery;
	const char *reason = MHD_get_reason_phrase_for(answer->status);
	int r = 0;

	for (uint32_t i = 0; !r && i < delivery->interim; i++)
		r = buffer_append_text(wire, "HTTP/1.1 102 Processing\r\n\r\n");
	if (!r)
		r = buffer_print(wire, "HTTP/1.1 %u %s\r\n", answer->status, reason ? reason : "");
	if (!r)
		r = write_headers(answer, wire);
	if (!r)
		r = write_padding(wire, delivery->padding);
	if (!r)
		r = write_framing(answer, wire);
	return r ? r : buffer_append_text(wire, "\r\n");
}

static int write_chunks(const struct buffer *body, struct buffer *wire)
{
	int r = 0;

	for (size_t at = 0; !r && at < body->length; at += CHUNK_SIZE) {
		size_t length = body->length - at < CHUNK_SIZE ? body->length - at : CHUNK_SIZE;

		r = buffer_print(wire, "%zx\r\n", length);
		if (!r)
			r = buffer_append(wire, body->data + at, length);
		if (!r)
			r = buffer_append_text(wire, "\r\n");
	}
	return r;
}

/* Many times, for fewer and larger pieces. Nothing, for ever, would be an end. */
static int write_endless(const struct buffer *body, struct buffer *wire)
{
	size_t begin = wire->length;
	int r = 0;

	while (!r && wire->length - begin < ENDLESS_SIZE)
		r = body->length ? write_chunks(body, wire)
		                 : buffer_append_text(wire, "1\r\n \r\n");
	return r;
}

static int write_body(const struct answer *answer, struct buffer *wire)
{
	int r;

	switch (answer->delivery.framing) {
	case FRAMING_LENGTH:
	case FRAMING_CLOSE:
		return buffer_append(wire, answer->body.data, answer->body.length);
	case FRAMING_CHUNKED:
		r = write_chunks(&answer->body, wire);
		return r ? r : buffer_append_text(wire, "0\r\n\r\n");
	case FRAMING_ENDLESS:
		return write_endless(&answer->body, wire);
	case FRAMING_WRONG_CHUNK:
		r = buffer_append_text(wire, "fffffffffffffffff\r\n");
		return r ? r : buffer_append(wire, answer->body.data, answer->body.length);
	}
	return 0;
}

/* How many of the @length bytes, @head of them the head's, still go out. */
static size_t limit_of(const struct delivery *delivery, size_t head, size_t length)
{
	if (!delivery->ending)
		return length;
	switch (delivery->place) {
	case PLACE_BYTES:
		break;
	case PLACE_HEADERS:
		return head / 2;
	case PLACE_BODY:
		return head + (length - head) / 2;
	case PLACE_END:
		return length - 1;
	}
	return delivery->bytes < length ? (size_t)delivery->bytes : length;
}

static void send_on(const struct wire *wire, const struct delivery *delivery,
                    const struct buffer *bytes, size_t head)
{
	size_t limit = limit_of(delivery, head, bytes->length);

	if (!drip(wire, delivery, bytes->data, limit))
		return;
	if (delivery->framing == FRAMING_ENDLESS && limit == bytes->length) {
		while (drip(wire, delivery, bytes->data + head, bytes->length - head))
			continue;
		return;
	}
	end(wire, delivery->ending);
}

static struct wire wire_of(struct MHD_Connection *connection, const struct answer_way *way)
{
	struct wire wire = { .way = way, .fd = -1 };
	const union MHD_ConnectionInfo *info;
	const int yes = 1;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info)
		wire.fd = info->connect_fd;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info)
		wire.tls = info->tls_session;
	(void)setsockopt(wire.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return wire;
}

void delivery_send(struct answer *answer, const struct answer_way *way)
{
	cleanup(buffer_fini) struct buffer bytes;
	struct wire wire = wire_of(way->connection, way);
	size_t head;

	buffer_init(&bytes, HEAD_SIZE_MAX);
	if (write_head(answer, &bytes))
		return;
	head = bytes.length;
	if (!write_body(answer, &bytes))
		send_on(&wire, &answer->delivery, &bytes, head);
}

int delivery_write_sequel(const struct answer *answer, struct buffer *wire)
{
	size_t begin = wire->length;
	int r;

	switch (answer->delivery.sequel) {
	case SEQUEL_REPLY:
	case SEQUEL_HALF:
		r = write_head(answer, wire);
		if (!r)
			r = write_body(answer, wire);
		if (answer->delivery.sequel == SEQUEL_HALF)
			wire->length = begin + (wire->length - begin) / 2;
		return r;
	case SEQUEL_TIMEOUT:
		return buffer_append_text(wire, "HTTP/1.1 408 Request Timeout\r\n"
		                                "Content-Length: 0\r\n\r\n");
	case SEQUEL_NONE:
	case SEQUEL_DEAF:
	case SEQUELS:
		break;
	}
	return 0;
}

void delivery_follow(struct MHD_Connection *connection, const struct buffer *bytes)
{
	const struct wire wire = wire_of(connection, NULL);
	const int no = 0;

	/* libmicrohttpd corks: what is small would be held until the next request moves it on. */
	(void)setsockopt(wire.fd, IPPROTO_TCP, TCP_CORK, &no, sizeof(no));
	(void)send_some(&wire, bytes->data, bytes->length);
}

/* A filter that lets nothing pass: packets are dropped before TCP sees and acknowledges them. */
void delivery_deafen(struct MHD_Connection *connection)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	const struct sock_fprog filter = { .len = 1, .filter = &nothing };
	const struct wire wire = wire_of(connection, NULL);

	(void)setsockopt(wire.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}
