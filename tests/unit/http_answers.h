#pragma once
/* SPDX-License-Identifier: MIT */
/* What a server may answer. */

#include "http_server.h"

static inline void answer_hello(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static inline void answer_empty_408(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
}

static inline void answer_empty_404(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static const char *retry_after_line; /* what answer_busy() says of it */

static inline void answer_busy(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n"
	                "HTTP/1.1 503 Service Unavailable\r\n");
	send_text(peer, retry_after_line);
	send_text(peer, "Content-Length: 0\r\n\r\n");
}

static inline void answer_redirect(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
}

static inline void answer_short(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	hang_up(peer);
}

static inline void answer_no_http(struct peer *peer)
{
	send_text(peer, "220 mail.test ESMTP\r\n");
	hang_up(peer);
}

static inline void answer_many_headers(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 2000; i++)
		send_text(peer, "X-Padding: 0123456789012345678901234567890123456789\r\n");
}

static inline void answer_bad_gzip(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
	                "Content-Length: 5\r\n\r\nhello");
}

/* 10,000 and 30,000 times the letter a. */
static const char small_gzip[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xed\xc1\x01\x0d\x00\x00\x00\xc2\xa0\xac"
        "\xef\x5f\xc2\x1c\x6e\x40\x01\x00\x00\x00\x00\x00\x00\x00\x00\xc0\xbf\x01\x97\xd4"
        "\x7e\x46\x10\x27\x00\x00";
static const char large_gzip[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac"
        "\xeb\x5f\xc2\x12\x9e\x40\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7c\x0c\x41\xbf\x93"
        "\x66\x30\x75\x00\x00";

static inline void answer_gzip(struct peer *peer, const char *bytes, size_t length)
{
	char head[96];

	snprintf(head, sizeof(head),
	         "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
	         length);
	send_text(peer, head);
	send_bytes(peer, bytes, length);
}

static inline void answer_small_gzip(struct peer *peer)
{
	answer_gzip(peer, small_gzip, sizeof(small_gzip) - 1);
}

static inline void answer_large_gzip(struct peer *peer)
{
	answer_gzip(peer, large_gzip, sizeof(large_gzip) - 1);
}

static inline void answer_large_chunks(struct peer *peer)
{
	char chunk[0x1000 + 8];

	send_text(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	memset(chunk, 'a', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
	for (int i = 0; i < 6; i++)
		send_bytes(peer, chunk, sizeof(chunk));
}

static inline void answer_and_stop(struct peer *peer)
{
	send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
}
