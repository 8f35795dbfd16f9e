#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Whose requests are answered: those of this machine's own programs that carry the token.
 *
 * A browser lets a page of any site send requests to 127.0.0.1, and to a name of that site's own
 * that has come to mean 127.0.0.1 (DNS rebinding). It tells so in Host and Origin.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum admission {
	ADMISSION_GRANTED,
	ADMISSION_FOREIGN, /* of another host, or of a page of another site */
	ADMISSION_NO_TOKEN,
};

struct MHD_Connection;

/** What the head of the request that has come over @connection is worth. */
enum admission admission_decide(struct MHD_Connection *connection, const char *token, bool has_tls);

/** Whether the value of a Host header is a name of loopback with @port. */
bool admission_is_own_host(const char *host, uint16_t port, bool has_tls);

/** Whether the value of an Origin header is that of pages that the server itself would serve. */
bool admission_is_own_origin(const char *origin, uint16_t port, bool has_tls);
