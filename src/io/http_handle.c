/* SPDX-License-Identifier: MIT */
/*
 * Names are resolved in libcurl's threads. With CURLOPT_QUICK_EXIT, a transfer
 * that ends while its name is being resolved lets go of the thread, which frees
 * what it holds as soon as getaddrinfo() returns. Without it, libcurl joins the
 * thread, and the loop stands still for as long as a name server keeps silent.
 *
 * curl's own low-speed limit also counts the time in which a server thinks
 * before it answers, so http.c watches for stalls itself.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "kapturefs/io/http_coding.h"
#include "kapturefs/io/http_handle.h"

enum { CONNECTION_LIFE_S = 600 };

/* Defaults that matter are set all the same. */
static const struct {
	CURLoption option;
	long value;
} rules[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_QUICK_EXIT, 1 },
	{ CURLOPT_POST, 1 },
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_UNRESTRICTED_AUTH, 0 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_PROXY_SSL_VERIFYPEER, 1 },
	{ CURLOPT_PROXY_SSL_VERIFYHOST, 2 },
	{ CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	/* A connection that nobody shares can be looked at, and closed, before each request. */
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_TCP_KEEPALIVE, 1 },
	{ CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S },
};

static curl_socket_t open_socket(void *userdata, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
	int fd = http_connections_open(userdata, address);

	(void)purpose;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *userdata, curl_socket_t socket)
{
	return http_connections_close(userdata, socket);
}

/* For curl, 0 is no limit and INT_MAX the largest one. */
static long to_limit(uint64_t duration_ms)
{
	if (duration_ms == 0)
		return 1;
	return duration_ms > INT_MAX ? INT_MAX : (long)duration_ms;
}

/* Without the NULLs, curl would trust the system's directory of authorities as well. */
static int set_authorities(CURL *easy, const char *cafile)
{
	int failed = 0;

	if (!cafile)
		return 0;
	failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, cafile) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, cafile) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL) != CURLE_OK;
	/* Whose session is resumed is not judged again, though the authorities may be others. */
	failed |= curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L) != CURLE_OK;
	return failed;
}

static int set_sockets(CURL *easy, struct http_connections *connections)
{
	int failed = 0;

	failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, connections) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, connections) != CURLE_OK;
	return failed;
}

/*
 * Of two TLS sessions, one in the other, libcurl shows only one: what stands in the other cannot be
 * seen, so such a connection is used once.
 */
static bool is_used_once(const struct http_settings *settings)
{
	return settings->proxy && strncasecmp(settings->proxy, "https:", 6) == 0;
}

static int set_rules(CURL *easy, const struct http_settings *settings)
{
	const char *proxy = settings->proxy ? settings->proxy : "";
	long connect_ms = to_limit(settings->connect_timeout_ms);
	long once = is_used_once(settings);
	int failed = set_authorities(easy, settings->cafile);

	for (size_t i = 0; i < array_length(rules); i++)
		failed |= curl_easy_setopt(easy, rules[i].option, rules[i].value) != CURLE_OK;
	/* Set at all, and be it to nothing, the environment has no say. */
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY, proxy) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "") != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, once) != CURLE_OK;
	return failed;
}

CURL *http_handle_new(const struct http_settings *settings, struct http_connections *connections)
{
	CURL *easy = curl_easy_init();

	if (easy && (set_rules(easy, settings) || set_sockets(easy, connections))) {
		curl_easy_cleanup(easy);
		return NULL;
	}
	return easy;
}

void http_headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *line = headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(headers);
}

static int add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (!longer)
		return -ENOMEM;
	*headers = longer;
	return 0;
}

/* Whether there is a header of the name that @line has. */
static bool has_header(const char *const *headers, const char *line)
{
	size_t length = strcspn(line, ":") + 1;

	for (; headers && *headers; headers++) {
		if (strncasecmp(*headers, line, length) == 0)
			return true;
	}
	return false;
}

/* curl does not unpack, for it refuses a reply whose Content-Encoding it does not know. */
int http_headers_new(const char *const *lines, struct curl_slist **ret)
{
	static const char codings[] = "Accept-Encoding: " HTTP_CODINGS;
	cleanup(http_headers_freep) struct curl_slist *headers = NULL;
	int r;

	/* curl would ask for leave before it sends a large body. */
	r = add_header(&headers, "Expect:");
	if (!r && !has_header(lines, codings))
		r = add_header(&headers, codings);
	for (; !r && lines && *lines; lines++)
		r = add_header(&headers, *lines);
	if (r)
		return r;
	*ret = steal(&headers);
	return 0;
}

int http_handle_load(CURL *easy, const struct http_load *load)
{
	const char *protocol = strncasecmp(load->url, "https:", 6) == 0 ? "https" : "http";
	curl_off_t length = (curl_off_t)load->body_length;
	long timeout_ms = to_limit(load->timeout_ms);
	long fresh = load->fresh;
	long age_s = load->authorities_age_s;
	int failed = 0;

	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocol) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_URL, load->url) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, load->headers) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, load->body) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, length) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fresh) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, age_s) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, load->look) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, load->userdata) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, load->take_header) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, load->userdata) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, load->take_body) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, load->userdata) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, load->userdata) != CURLE_OK;
	return failed ? -ENOMEM : 0;
}

void http_handle_unload(CURL *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
}

const char *http_handle_connection(CURL *easy)
{
	long connections = 0;
	long sent = 0;

	if (curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent) || !sent ||
	    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections))
		return "none";
	return connections ? "new" : "reused";
}

/* curl sees that it is dead before it would use it, and closes it. */
void http_handle_hang_up(CURL *easy)
{
	curl_socket_t left = CURL_SOCKET_BAD;

	if (!curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &left) && left != CURL_SOCKET_BAD)
		(void)shutdown(left, SHUT_RDWR);
}

/*
 * OpenSSL's results as curl hands them on: X509_V_ERR_CERT_NOT_YET_VALID and
 * X509_V_ERR_CERT_HAS_EXPIRED; and 1, which is where curl begins, and stays
 * when the chain is good but the host does not match.
 */
enum { VERIFY_NOT_REACHED = 1, VERIFY_NOT_YET_VALID = 9, VERIFY_EXPIRED = 10 };

static const char *describe_refused_certificate(CURL *easy)
{
	long result = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
	switch (result) {
	case VERIFY_NOT_REACHED:
		return "the certificate is for another host";
	case VERIFY_NOT_YET_VALID:
	case VERIFY_EXPIRED:
		return "the certificate has expired or is not valid yet, or the clock is wrong";
	default:
		return "the certificate is of no known authority";
	}
}

static const char unknown_host[] = "the name cannot be resolved";
static const char unknown_proxy[] = "the proxy's name cannot be resolved";

static const struct {
	CURLcode code;
	int error;
	const char *complaint;
} verdicts[] = {
	{ CURLE_OK, 0, "" },
	{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, unknown_host },
	{ CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, unknown_proxy },
	{ CURLE_COULDNT_CONNECT, -EHOSTUNREACH, "no connection" },
	{ CURLE_PROXY, -EHOSTUNREACH, "no connection through the proxy" },
	{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, "timed out" },
	{ CURLE_GOT_NOTHING, -EIO, "the connection was closed without a reply" },
	{ CURLE_RECV_ERROR, -EIO, "the connection broke while receiving" },
	{ CURLE_SEND_ERROR, -EIO, "the connection broke while sending" },
	{ CURLE_OUT_OF_MEMORY, -ENOMEM, "out of memory" },
	{ CURLE_PARTIAL_FILE, -EPROTO, "the reply was cut short" },
	{ CURLE_SSL_CONNECT_ERROR, -EPROTO, "the TLS handshake failed" },
	{ CURLE_SSL_CACERT_BADFILE, -EPROTO, "the certificate authorities cannot be read" },
};

bool http_is_unknown_host(const char *complaint)
{
	return strcmp(complaint, unknown_host) == 0 || strcmp(complaint, unknown_proxy) == 0;
}

struct http_verdict http_verdict(int error, const char *complaint)
{
	struct http_verdict verdict = { .error = error };

	snprintf(verdict.complaint, sizeof(verdict.complaint), "%s", complaint);
	return verdict;
}

/* Without the name and the password that a URL may have. */
static const char *place_of(const char *proxy, int *ret_length)
{
	const char *place = strstr(proxy, "://");
	const char *at;

	place = place ? place + 3 : proxy;
	*ret_length = (int)strcspn(place, "/?#");
	at = memrchr(place, '@', (size_t)*ret_length);
	if (at) {
		*ret_length -= (int)(at + 1 - place);
		place = at + 1;
	}
	return place;
}

/* What a proxy means that answers with @status, where it should connect us to the server. */
static const struct {
	long first;
	long last;
	const char *meaning;
	bool is_lasting;
} refusals[] = {
	{ 407, 407,
	  "it wants a password; write proxy=http://NAME:PASSWORD@HOST:PORT into the configuration "
	  "file, mode 600",
	  true },
	{ 403, 403, "it does not allow this server; ask its administrator", true },
	{ 500, 599, "it cannot reach the server", false },
	{ 0, 999, "it may be no proxy for HTTPS", true },
};

static struct http_verdict judge_proxy(const char *proxy, long status)
{
	struct http_verdict verdict = { .error = -EHOSTUNREACH };
	size_t row = 0;
	int length;
	const char *place = place_of(proxy, &length);

	while (status < refusals[row].first || status > refusals[row].last)
		row++;
	verdict.is_lasting = refusals[row].is_lasting;
	snprintf(verdict.complaint, sizeof(verdict.complaint),
	         "the proxy %.*s answers HTTP %ld: %s", length < 80 ? length : 80, place, status,
	         refusals[row].meaning);
	return verdict;
}

/*
 * The status with which a proxy has refused to connect us, or 0. To one that passes on requests
 * without TLS, 407 is all that is known to be its own.
 */
static long refusal_of_proxy(CURL *easy, CURLcode code)
{
	long connect_status = 0;
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK)
		return status == 407 ? status : 0;
	return connect_status / 100 == 2 ? 0 : connect_status;
}

/* Whether it is the proxy with which there was no talking. */
static bool is_of_proxy(CURL *easy, CURLcode code)
{
	curl_off_t secured_us = 0;
	char *url = NULL;

	if (code == CURLE_COULDNT_CONNECT)
		return true;
	if (code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR && code != CURLE_GOT_NOTHING)
		return false;
	(void)curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &secured_us);
	(void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
	return url && strncasecmp(url, "https:", 6) == 0 && !http_handle_is_kept(easy) &&
	       !secured_us;
}

struct http_verdict http_handle_judge(CURL *easy, CURLcode code, const char *proxy)
{
	long status = proxy ? refusal_of_proxy(easy, code) : 0;

	if (status)
		return judge_proxy(proxy, status);
	if (proxy && is_of_proxy(easy, code))
		return http_verdict(-EHOSTUNREACH, "no connection through the proxy");
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return http_verdict(-EPROTO, describe_refused_certificate(easy));
	for (size_t i = 0; i < array_length(verdicts); i++) {
		if (verdicts[i].code == code)
			return http_verdict(verdicts[i].error, verdicts[i].complaint);
	}
	/* The rest is TLS and HTTP, for which curl's words are fixed texts. */
	return http_verdict(-EPROTO, curl_easy_strerror(code));
}

bool http_handle_is_kept(CURL *easy)
{
	long connections = 1;

	return !curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections) && connections == 0;
}

bool http_handle_was_stale(CURL *easy, CURLcode code)
{
	static const CURLcode ends[] = {
		CURLE_SEND_ERROR,         CURLE_RECV_ERROR,           CURLE_GOT_NOTHING,
		CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL,
	};

	for (size_t i = 0; i < array_length(ends); i++) {
		if (code == ends[i])
			return http_handle_is_kept(easy);
	}
	return false;
}

const char *http_curl_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

const char *http_openssl_version(void)
{
	static const char name[] = "OpenSSL/";
	const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return library && strncmp(library, name, strlen(name)) == 0 ? library + strlen(name) : "";
}
