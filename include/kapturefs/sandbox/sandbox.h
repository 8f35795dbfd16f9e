#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the Kapture API: generated customers behind the documented
 * endpoint, on loopback, for trying kapturefs and for testing scripts without an account.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

struct faults;

struct sandbox; /* a running server, on threads of its own */

struct sandbox_settings {
	uint16_t port; /* 0: any free one */
	uint32_t customers;
	uint64_t seed;       /* equal seeds generate equal customers, and roll equal dice */
	uint32_t latency_ms; /* before each answer */
	const char *token;   /* what the Authorization header must carry; borrowed */
	bool has_tls;
	struct faults *faults; /* taken over and left empty; NULL: none */
};

/**
 * Start serving on 127.0.0.1. Returns 0 with *@ret to be stopped by
 * sandbox_stop(), -EADDRINUSE or another negative errno.
 */
int sandbox_start(const struct sandbox_settings *settings, struct sandbox **ret) must_check;

/** Stop, answering nothing more. NULL is ignored. */
void sandbox_stop(struct sandbox *sandbox);
define_cleanup(struct sandbox *, sandbox_stop);

uint16_t sandbox_port(const struct sandbox *sandbox);

/** The authority that its certificate is of, PEM; NULL without TLS. Lives as long as it does. */
const char *sandbox_authority(const struct sandbox *sandbox);

/**
 * The keys of the customer at @index (below settings' customers), for examples;
 * "" where it has none.
 */
struct sandbox_keys {
	char id[24];
	char phone[24];
	char email[96];
};
void sandbox_customer_keys(const struct sandbox *sandbox, uint32_t index, struct sandbox_keys *ret);
