/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kapturefs/io/http_exchange.h"

enum {
	HEADERS_SIZE_MAX = 64 << 10,
	/* What a server says that has waited long enough for a request: RFC 9110, 15.5.9. */
	STATUS_REQUEST_TIMEOUT = 408,
};

void http_exchange_init(struct http_exchange *exchange, struct http_connections *connections,
                        size_t body_size_max)
{
	*exchange = (struct http_exchange){ .connections = connections, .socket = -1 };
	buffer_init(&exchange->body, body_size_max);
	http_coding_init(&exchange->coding);
}

void http_exchange_fini(struct http_exchange *exchange)
{
	buffer_fini(&exchange->body);
	http_coding_fini(&exchange->coding);
}

/* The connection */

/* Whether the request may go over a connection that was kept; the first one that is tried. */
static bool may_use_kept(const struct http_exchange *exchange)
{
	return !exchange->has_looked && exchange->socket >= 0 &&
	       http_connection_is_fit(exchange->connections, exchange->socket, exchange->easy);
}

/*
 * When a kept connection has ended without a reply, curl chooses another, which may be new, and
 * comes here again. What has ended one kept connection may have ended all: a router has forgotten
 * them, or the network is another one now.
 */
int http_exchange_look(void *userdata, char *remote_address, char *local_address, int remote_port,
                       int local_port)
{
	struct http_exchange *exchange = userdata;
	const struct http_ends ends = { local_address, remote_address, local_port, remote_port };

	exchange->socket = http_connections_find(exchange->connections, &ends);
	if (exchange->has_looked && !exchange->is_repeated)
		http_connections_distrust(exchange->connections);
	if (http_handle_is_kept(exchange->easy)) {
		exchange->is_unfit = !may_use_kept(exchange);
		if (exchange->is_unfit)
			return CURL_PREREQFUNC_ABORT;
		http_connection_limit_silence(exchange->socket, exchange->silence_ms);
	} else if (exchange->is_plain && http_connection_has_input(exchange->socket)) {
		exchange->verdict = http_verdict(-EPROTO, "the server spoke before it was asked");
		return CURL_PREREQFUNC_ABORT;
	} else {
		http_connections_trust(exchange->connections, exchange->socket);
		exchange->is_repeated |= exchange->has_looked;
	}
	exchange->has_looked = true;
	return CURL_PREREQFUNC_OK;
}

/*
 * A reply to a request acknowledges the request, for the server has read it. One that does not was
 * on its way before the request arrived.
 */
static bool is_early(const struct http_exchange *exchange)
{
	return exchange->socket >= 0 && http_handle_is_kept(exchange->easy) &&
	       http_connection_is_unacknowledged(exchange->socket);
}

/* The reply */

static bool has_prefix(const char *bytes, size_t length, const char *prefix)
{
	size_t prefix_length = strlen(prefix);

	return length >= prefix_length && strncasecmp(bytes, prefix, prefix_length) == 0;
}

static void note_retry_after(struct http_exchange *exchange, const char *value, size_t length)
{
	while (length && strchr(" \t", *value)) {
		value++;
		length--;
	}
	while (length && strchr(" \t\r\n", value[length - 1]))
		length--;
	if (length < sizeof(exchange->retry_after))
		snprintf(exchange->retry_after, sizeof(exchange->retry_after), "%.*s", (int)length,
		         value);
}

/* Keep what matters of one header line, which curl hands over whole and without a NUL. */
static void note_header(struct http_exchange *exchange, const char *bytes, size_t length)
{
	static const char retry_after[] = "Retry-After:";
	static const char coding[] = "Content-Encoding:";

	/* Another reply begins, the one before was a 1xx. */
	if (has_prefix(bytes, length, "HTTP/")) {
		exchange->retry_after[0] = '\0';
		http_coding_fini(&exchange->coding);
	}
	if (has_prefix(bytes, length, retry_after))
		note_retry_after(exchange, bytes + strlen(retry_after),
		                 length - strlen(retry_after));
	if (has_prefix(bytes, length, coding))
		http_coding_note(&exchange->coding, bytes + strlen(coding),
		                 length - strlen(coding));
}

size_t http_exchange_take_header(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_exchange *exchange = userdata;

	if (!exchange->headers_size) {
		exchange->is_unfit = is_early(exchange);
		if (exchange->is_unfit)
			return 0;
		exchange->began(exchange);
	}
	note_header(exchange, bytes, size * count);
	exchange->headers_size += size * count;
	exchange->recent_size += size * count;
	if (exchange->headers_size <= HEADERS_SIZE_MAX)
		return size * count;

	exchange->verdict = http_verdict(-EPROTO, "too many headers");
	return 0;
}

static const char *describe(int error)
{
	switch (error) {
	case -EFBIG:
		return "the reply is too large";
	case -EPROTO:
		return "the reply is not packed as it says";
	default:
		return "out of memory";
	}
}

/* What counts is how large it is unpacked: a small reply that unpacks to a large one ends here. */
size_t http_exchange_take_body(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_exchange *exchange = userdata;
	int r;

	exchange->recent_size += size * count;
	r = http_coding_unpack(&exchange->coding, bytes, size * count, &exchange->body);
	if (!r)
		return size * count;

	exchange->verdict = http_verdict(r, describe(r));
	return CURL_WRITEFUNC_ERROR;
}

/* Whether it may be for want of a file that it ended so. */
static bool may_lack_files(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	       code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CACERT_BADFILE;
}

struct http_verdict http_exchange_judge(const struct http_exchange *exchange, CURLcode code)
{
	if (exchange->verdict.error)
		return exchange->verdict;
	if (code == CURLE_OK && !http_coding_is_whole(&exchange->coding))
		return http_verdict(-EPROTO, "the packed reply was cut short");
	if (may_lack_files(code) && http_connections_lack_files(exchange->connections))
		return http_verdict(-EMFILE, "no more files can be open here; raise ulimit -n, or "
		                             "LimitNOFILE= of the service");
	return http_handle_judge(exchange->easy, code, exchange->proxy);
}

/* Repeating */

/* Whether what came, or that nothing came, is the connection's fault and says nothing else. */
static bool is_no_answer(const struct http_exchange *exchange, CURLcode code)
{
	long status = 0;

	if (exchange->is_unfit)
		return true;
	if (!exchange->headers_size)
		return http_handle_was_stale(exchange->easy, code);
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	return code == CURLE_OK && status == STATUS_REQUEST_TIMEOUT &&
	       http_handle_is_kept(exchange->easy);
}

/*
 * curl repeats a request by itself when it notices the end of a kept connection while receiving,
 * but not in the other cases.
 */
bool http_exchange_must_repeat(struct http_exchange *exchange, CURLcode code)
{
	if (exchange->is_repeated || exchange->verdict.error || !is_no_answer(exchange, code))
		return false;

	if (http_handle_was_stale(exchange->easy, code))
		http_connections_distrust(exchange->connections);
	buffer_clear(&exchange->body);
	http_coding_fini(&exchange->coding);
	exchange->headers_size = 0;
	exchange->recent_size = 0;
	exchange->retry_after[0] = '\0';
	exchange->is_unfit = false;
	exchange->is_repeated = true;
	return true;
}
