/* SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/config/source.h"

/*
 * An address is one as inet_pton() has it, whole: `127.1` and `127.0.0.1.5` are for a resolver,
 * which may answer with anything. So is `localhost.`; libcurl itself answers for `localhost`.
 */
static bool is_loopback(const char *host, size_t length)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;
	bool is_v6 = host[0] == '[';

	if (length == strlen("localhost") && strncasecmp(host, "localhost", length) == 0)
		return true;
	snprintf(text, sizeof(text), "%.*s", (int)(is_v6 ? length - 2 : length), host + is_v6);
	if (length >= sizeof(text))
		return false;
	if (!is_v6)
		return inet_pton(AF_INET, text, &v4) == 1 &&
		       ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, text, &v6) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&v6) ||
	        (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET));
}

static bool is_plain(const char *text, size_t length, const char *also)
{
	for (size_t i = 0; i < length; i++) {
		if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= 'A' && text[i] <= 'Z') &&
		    !(text[i] >= '0' && text[i] <= '9') && !strchr(also, text[i]))
			return false;
	}
	return length > 0;
}

/* A name, or an address of either kind. */
static bool is_host(const char *text, size_t length)
{
	if (text[0] != '[')
		return is_plain(text, length, ".-_");
	return length > 2 && text[length - 1] == ']' && is_plain(text + 1, length - 2, ":.");
}

/* The length of `host`, `host:port`, `[v6]` or `[v6]:port` without the port. */
static size_t host_length(const char *authority, size_t length)
{
	const char *colon;

	if (authority[0] == '[') {
		const char *end = memchr(authority, ']', length);

		return end ? (size_t)(end + 1 - authority) : length;
	}
	colon = memchr(authority, ':', length);
	return colon ? (size_t)(colon - authority) : length;
}

/* `:port`, or nothing. */
static bool is_port(const char *text, size_t length)
{
	unsigned port = 0;

	if (length == 0)
		return true;
	if (text[0] != ':' || length == 1 || length > strlen(":65535"))
		return false;
	for (size_t i = 1; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port >= 1 && port <= UINT16_MAX;
}

/* What stands behind a `?` may be a secret, and is not quoted. */
static int check_url(const char *url, struct config_complaint *complaint)
{
	const char *authority = strstr(url, "://") + 3;
	size_t authority_length = strcspn(authority, "/?#");
	size_t host = host_length(authority, authority_length);
	int shown = (int)strcspn(url, "?#");
	bool is_clear = strncmp(url, "http://", 7) == 0;

	if (!is_clear && strncmp(url, "https://", 8) != 0)
		return config_complain(complaint,
		                       "source %.*s: give a URL that begins with https://", shown,
		                       url);
	if (!is_host(authority, host) || !is_port(authority + host, authority_length - host))
		return config_complain(complaint,
		                       "source %.*s: no host and port in the URL; give "
		                       "https://host[:port][/prefix]",
		                       shown, url);
	if (!is_plain(url, strlen(url), ":/.-_~%[]"))
		return config_complain(
		        complaint,
		        "source %.*s: give https://host[:port][/prefix] and nothing more", shown,
		        url);
	if (is_clear && !is_loopback(authority, host))
		return config_complain(
		        complaint, "source %s: http:// would send the token in clear; use https://",
		        url);
	return 0;
}

static int set_url(struct config *config, const char *url, struct config_complaint *complaint)
{
	const char *authority;
	size_t authority_length;
	size_t length = strlen(url);
	char *base_url;
	char *host;
	int r;

	r = check_url(url, complaint);
	if (r)
		return r;
	authority = strstr(url, "://") + 3;
	authority_length = strcspn(authority, "/");
	while (url[length - 1] == '/')
		length--;

	base_url = strndup(url, length);
	host = strndup(authority, authority_length);
	if (!base_url || !host) {
		free(base_url);
		free(host);
		return -ENOMEM;
	}
	for (size_t i = 0; i < authority_length; i++)
		host[i] = (char)tolower((unsigned char)host[i]);
	memcpy(base_url + (authority - url), host, authority_length);
	free(config->base_url);
	free(config->host);
	config->base_url = base_url;
	config->host = host;
	return 0;
}

int config_set_source(struct config *config, const char *source, struct config_complaint *complaint)
{
	const char *domain = strpbrk(source, ".:") ? "" : ".kapturecrm.com";
	char *url;
	int r;

	if (strchr(source, '@'))
		return config_complain(complaint, "source: a user name or password has no place in "
		                                  "it; the token goes into token_file=PATH");
	if (strstr(source, "://"))
		return set_url(config, source, complaint);
	if (!is_plain(source, strlen(source), ".-_[:]"))
		return config_complain(complaint,
		                       "source \"%s\": give a sub domain (acme), a host or a URL",
		                       source);

	if (asprintf(&url, "https://%s%s", source, domain) < 0)
		return -ENOMEM;
	r = set_url(config, url, complaint);
	free(url);
	return r;
}

/* Whether who listens on the way to the proxy hears what goes there. */
static bool is_heard(const char *proxy)
{
	const char *scheme_end = strstr(proxy, "://");
	const char *authority = scheme_end ? scheme_end + 3 : proxy;
	size_t length = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', length);

	if (strncasecmp(proxy, "https:", strlen("https:")) == 0)
		return false;
	if (at) {
		length -= (size_t)(at + 1 - authority);
		authority = at + 1;
	}
	return !is_loopback(authority, host_length(authority, length));
}

int config_check_proxy(const struct config *config, struct config_complaint *complaint)
{
	if (!config->proxy || strncmp(config->base_url, "http://", strlen("http://")) != 0 ||
	    !is_heard(config->proxy))
		return 0;
	return config_complain(complaint,
	                       "option proxy: http:// would send the token in clear to a proxy "
	                       "elsewhere; use https:// in the source, or leave out proxy");
}
