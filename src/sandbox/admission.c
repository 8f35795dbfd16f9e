/* SPDX-License-Identifier: MIT */

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "kapturefs/sandbox/admission.h"

bool admission_is_own_host(const char *host, uint16_t port, bool has_tls)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };
	const uint16_t usual = has_tls ? 443 : 80;
	char digits[sizeof(":65535")];

	snprintf(digits, sizeof(digits), ":%u", port);
	for (size_t i = 0; i < array_length(names); i++) {
		size_t length = strlen(names[i]);

		if (strncasecmp(host, names[i], length) != 0)
			continue;
		/* Clients leave out the port that a scheme has anyway. */
		return strcmp(host + length, digits) == 0 || (port == usual && !host[length]);
	}
	return false;
}

bool admission_is_own_origin(const char *origin, uint16_t port, bool has_tls)
{
	const char *scheme = has_tls ? "https://" : "http://";
	size_t length = strlen(scheme);

	return strncasecmp(origin, scheme, length) == 0 &&
	       admission_is_own_host(origin + length, port, has_tls);
}

/* What the headers of a request say. */
struct heads {
	uint16_t port;
	bool has_tls;
	unsigned hosts;
	unsigned foreign;
};

static enum MHD_Result look_at_header(void *userdata, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
	struct heads *heads = userdata;

	(void)kind;
	if (!value)
		value = "";
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
		heads->hosts++;
		heads->foreign += !admission_is_own_host(value, heads->port, heads->has_tls);
	} else if (strcasecmp(name, MHD_HTTP_HEADER_ORIGIN) == 0) {
		heads->foreign += !admission_is_own_origin(value, heads->port, heads->has_tls);
	}
	return MHD_YES;
}

/* The port that the client has connected to; 0 if it is not known, which is nobody's. */
static uint16_t port_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr_in address = { .sin_port = 0 };
	socklen_t length = sizeof(address);

	if (!info || getsockname(info->connect_fd, (struct sockaddr *)&address, &length))
		return 0;
	return ntohs(address.sin_port);
}

static bool has_token(struct MHD_Connection *connection, const char *token)
{
	static const char scheme[] = "Basic ";
	const size_t length = strlen(scheme);
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                                MHD_HTTP_HEADER_AUTHORIZATION);

	return value && strncasecmp(value, scheme, length) == 0 &&
	       strcmp(value + length, token) == 0;
}

enum admission admission_decide(struct MHD_Connection *connection, const char *token, bool has_tls)
{
	struct heads heads = { .port = port_of(connection), .has_tls = has_tls };

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at_header, &heads);
	if (heads.hosts != 1 || heads.foreign)
		return ADMISSION_FOREIGN;
	return has_token(connection, token) ? ADMISSION_GRANTED : ADMISSION_NO_TOKEN;
}
