#pragma once
/* SPDX-License-Identifier: MIT */
/* The thread that takes connections in, and decides what becomes of each. */

#include <stdint.h>
#include <sys/socket.h>

#include "kapturefs/base/base.h"
#include "kapturefs/sandbox/fault.h"

struct acceptor;

struct acceptor_calls {
	/** What becomes of the next connection. */
	enum fate (*decide)(void *userdata);
	/** Take over @fd, a connection that is to be served. */
	void (*serve)(void *userdata, enum fate fate, int fd, const struct sockaddr *address,
	              socklen_t length);
	void *userdata;
};

/**
 * Begin to accept on 127.0.0.1, @port or, for 0, any free one. @ending is a descriptor that becomes
 * readable at the end. Returns 0, *@ret to be joined with acceptor_join(); -EADDRINUSE or another
 * negative errno.
 */
int acceptor_start(uint16_t port, int ending, const struct acceptor_calls *calls,
                   struct acceptor **ret) must_check;

uint16_t acceptor_port(const struct acceptor *acceptor);

/** Wait for the thread, when @ending is readable, and free. NULL is ignored. */
void acceptor_join(struct acceptor *acceptor);
