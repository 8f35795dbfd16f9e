/* SPDX-License-Identifier: MIT */
/*
 * The answer is written out, head and framed body, piece by piece and up to where it breaks off. On
 * a connection with TLS the bytes go through the session that libmicrohttpd has opened: what breaks
 * off is HTTP, below which TLS is well.
 */

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "kapturefs/sandbox/answer.h"

enum {
	HEAD_SIZE_MAX = 1 << 22,
	PADDING_SIZE = 1000,
	CHUNK_SIZE = 16384,
	ENDLESS_SIZE = 1 << 16,
	PIECE_SIZE = 1 << 16,
	SEQUEL_SIZE_MAX = 1 << 20, /* more than goes out without waiting */
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

/* An answer on its way out, or, without a piece, only counted. */
struct sender {
	const struct wire *wire;
	char *piece; /* what has not gone out yet */
	size_t size; /* of a piece */
	size_t filled;
	uint32_t pause_ms; /* between two pieces */
	uint64_t left;     /* until it breaks off */
	uint64_t count;    /* of bytes so far */
	bool has_begun;
	bool is_broken; /* the client or the sandbox has gone */
};

/* Send the piece that there is. */
static void flush(struct sender *sender)
{
	const struct wire *wire = sender->wire;
	uint64_t pause_ns = (uint64_t)sender->pause_ms * NS_A_MILLISECOND;

	if (!sender->filled || sender->is_broken)
		return;
	if (sender->has_begun && pause_ns &&
	    !answer_wait_until(answer_clock_ns() + pause_ns, wire->way, wire->fd))
		sender->is_broken = true;
	else
		sender->is_broken = !send_all(wire, sender->piece, sender->filled);
	sender->has_begun = true;
	sender->filled = 0;
}

/* Bytes that fillings belong into. Returns whether more can come. */
static bool put_filled(struct sender *sender, const struct fillings *fillings,
                       const struct buffer *bytes, uint64_t from, uint64_t length)
{
	sender->count += length;
	while (sender->piece && sender->left && length && !sender->is_broken) {
		size_t piece = sender->size - sender->filled;

		piece = sender->left < piece ? (size_t)sender->left : piece;
		piece = length < piece ? (size_t)length : piece;
		fillings_read(fillings, bytes, from, sender->piece + sender->filled, piece);
		sender->filled += piece;
		sender->left -= piece;
		from += piece;
		length -= piece;
		if (sender->filled == sender->size && sender->wire)
			flush(sender);
	}
	return !sender->piece || (sender->left && !sender->is_broken);
}

static bool put_text(struct sender *sender, const char *text)
{
	static const struct fillings none = { .count = 0 };
	struct buffer bytes = { .data = (char *)(uintptr_t)text, .length = strlen(text) };

	return put_filled(sender, &none, &bytes, 0, bytes.length);
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

/* The head of an answer. */
struct head {
	struct buffer bytes;
	struct fillings fillings;
	char padding[PADDING_SIZE];
};

static void head_fini(struct head *head)
{
	buffer_fini(&head->bytes);
}

static void add_padding(struct head *head, uint32_t count)
{
	char *line = head->padding;

	memset(line, 'x', PADDING_SIZE);
	memcpy(line, "X-Padding: ", strlen("X-Padding: "));
	memcpy(line + PADDING_SIZE - 2, "\r\n", 2);
	fillings_add(&head->fillings, &(struct filling){ head->bytes.length, line, PADDING_SIZE,
	                                                 (uint64_t)PADDING_SIZE * count });
}

static uint64_t body_length(const struct answer *answer)
{
	return fillings_length(&answer->fillings, &answer->body);
}

static int write_framing(const struct answer *answer, struct buffer *wire)
{
	int64_t length = (int64_t)body_length(answer) + answer->delivery.length_by;

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

static int write_head(const struct answer *answer, struct head *head)
{
	const struct delivery *delivery = &answer->delivery;
	const char *reason = MHD_get_reason_phrase_for(answer->status);
	struct buffer *bytes = &head->bytes;
	int r = 0;

	for (uint32_t i = 0; !r && i < delivery->interim; i++)
		r = buffer_append_text(bytes, "HTTP/1.1 102 Processing\r\n\r\n");
	if (!r)
		r = buffer_print(bytes, "HTTP/1.1 %u %s\r\n", answer->status, reason ? reason : "");
	if (!r)
		r = write_headers(answer, bytes);
	if (r)
		return r;
	add_padding(head, delivery->padding);
	r = write_framing(answer, bytes);
	return r ? r : buffer_append_text(bytes, "\r\n");
}

/* @head must be ended by head_fini(), whatever is returned. */
static int make_head(const struct answer *answer, struct head *head)
{
	buffer_init(&head->bytes, HEAD_SIZE_MAX);
	head->fillings.count = 0;
	return write_head(answer, head);
}

static bool put_head(struct sender *sender, const struct head *head)
{
	return put_filled(sender, &head->fillings, &head->bytes, 0,
	                  fillings_length(&head->fillings, &head->bytes));
}

static bool put_chunks(struct sender *sender, const struct answer *answer)
{
	const uint64_t whole = body_length(answer);
	char size[24];
	bool can_more = true;

	for (uint64_t at = 0; can_more && at < whole; at += CHUNK_SIZE) {
		uint64_t length = whole - at < CHUNK_SIZE ? whole - at : CHUNK_SIZE;

		snprintf(size, sizeof(size), "%" PRIx64 "\r\n", length);
		can_more = put_text(sender, size) &&
		           put_filled(sender, &answer->fillings, &answer->body, at, length) &&
		           put_text(sender, "\r\n");
	}
	return can_more;
}

/* Many times, for fewer and larger pieces. Nothing, for ever, would be an end. */
static bool put_endless(struct sender *sender, const struct answer *answer)
{
	const uint64_t begin = sender->count;
	bool can_more = true;

	while (can_more && sender->count - begin < ENDLESS_SIZE)
		can_more = body_length(answer) ? put_chunks(sender, answer)
		                               : put_text(sender, "1\r\n \r\n");
	return can_more;
}

static bool put_body(struct sender *sender, const struct answer *answer)
{
	switch (answer->delivery.framing) {
	case FRAMING_CHUNKED:
		return put_chunks(sender, answer) && put_text(sender, "0\r\n\r\n");
	case FRAMING_ENDLESS:
		return put_endless(sender, answer);
	case FRAMING_WRONG_CHUNK:
		if (!put_text(sender, "fffffffffffffffff\r\n"))
			return false;
		break;
	case FRAMING_LENGTH:
	case FRAMING_CLOSE:
		break;
	}
	return put_filled(sender, &answer->fillings, &answer->body, 0, body_length(answer));
}

/* How long the answer is, of endless ones what is repeated; @ret_head: of that, the head. */
static uint64_t measure(const struct answer *answer, const struct head *head, uint64_t *ret_head)
{
	struct sender sender = { .wire = NULL };

	(void)put_head(&sender, head);
	*ret_head = sender.count;
	(void)put_body(&sender, answer);
	return sender.count;
}

/* How many of the @length bytes, @head of them the head's, still go out. */
static uint64_t limit_of(const struct delivery *delivery, uint64_t head, uint64_t length)
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
	return delivery->bytes < length ? delivery->bytes : length;
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

static void send_on(struct sender *sender, const struct answer *answer, const struct head *head)
{
	uint64_t head_length;
	uint64_t length = measure(answer, head, &head_length);
	uint64_t limit = limit_of(&answer->delivery, head_length, length);
	bool is_endless = answer->delivery.framing == FRAMING_ENDLESS && limit == length;

	sender->left = is_endless ? UINT64_MAX : limit;
	if (put_head(sender, head)) {
		while (put_body(sender, answer) && is_endless)
			continue;
	}
	flush(sender);
	if (!sender->is_broken)
		end(sender->wire, answer->delivery.ending);
}

void delivery_send(struct answer *answer, const struct answer_way *way)
{
	const struct delivery *delivery = &answer->delivery;
	const struct wire wire = wire_of(way->connection, way);
	struct sender sender = {
		.wire = &wire,
		.size = delivery->drip_bytes ? delivery->drip_bytes : PIECE_SIZE,
		.pause_ms = delivery->drip_ms,
	};
	cleanup(head_fini) struct head head;

	if (make_head(answer, &head))
		return;
	sender.piece = malloc(sender.size);
	if (!sender.piece)
		return;
	send_on(&sender, answer, &head);
	free(sender.piece);
}

/* The answer once more, up to its middle for SEQUEL_HALF, into a piece that the caller frees. */
static void collect(const struct answer *answer, struct sender *sender)
{
	cleanup(head_fini) struct head head;
	uint64_t head_length;
	uint64_t length;

	if (make_head(answer, &head))
		return;
	length = measure(answer, &head, &head_length);
	if (answer->delivery.sequel == SEQUEL_HALF)
		length /= 2;
	if (length > SEQUEL_SIZE_MAX)
		length = SEQUEL_SIZE_MAX;
	sender->size = (size_t)length;
	sender->left = length;
	sender->piece = malloc(sender->size);
	if (sender->piece && put_head(sender, &head))
		(void)put_body(sender, answer);
}

void delivery_follow(struct MHD_Connection *connection, const struct answer *answer)
{
	const struct wire wire = wire_of(connection, NULL);
	struct sender sender = { .wire = NULL };
	const int no = 0;

	switch (answer->delivery.sequel) {
	case SEQUEL_REPLY:
	case SEQUEL_HALF:
		collect(answer, &sender);
		break;
	case SEQUEL_TIMEOUT:
		sender.piece = strdup("HTTP/1.1 408 Request Timeout\r\n"
		                      "Content-Length: 0\r\n\r\n");
		sender.filled = sender.piece ? strlen(sender.piece) : 0;
		break;
	case SEQUEL_NONE:
	case SEQUEL_DEAF:
	case SEQUELS:
		return;
	}
	/* libmicrohttpd corks: what is small would be held until the next request moves it on. */
	(void)setsockopt(wire.fd, IPPROTO_TCP, TCP_CORK, &no, sizeof(no));
	(void)send_some(&wire, sender.piece, sender.filled);
	free(sender.piece);
}

/* A filter that lets nothing pass: packets are dropped before TCP sees and acknowledges them. */
void delivery_deafen(struct MHD_Connection *connection)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	const struct sock_fprog filter = { .len = 1, .filter = &nothing };
	const struct wire wire = wire_of(connection, NULL);

	(void)setsockopt(wire.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}
