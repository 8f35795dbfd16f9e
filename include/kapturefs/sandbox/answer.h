#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox answers to one request, and how: a value that is made up
 * first and sent in one place.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct answer {
	unsigned status; /* HTTP */
	struct buffer body;
	uint32_t delay_ms; /* from the request's arrival to the answer's departure */
	bool is_withheld;  /* it is never sent */
};

/** Begin with status 200, nothing to say and no delay. */
void answer_init(struct answer *answer);
void answer_fini(struct answer *answer);

/** Say @text with @status instead of what it said. Errors as buffer_append(). */
int answer_say(struct answer *answer, unsigned status, const char *text, size_t length) must_check;

/**
 * The documented HTTP codes 400 and 404, in the words of the vendor's table.
 * Errors as buffer_append().
 */
int answer_mistaken(struct answer *answer) must_check;
int answer_nowhere(struct answer *answer) must_check;

struct MHD_Connection;

/** Where and when an answer goes out. */
struct answer_way {
	struct MHD_Connection *connection;
	int ending;           /* a descriptor that becomes readable when the sandbox ends */
	uint64_t received_ns; /* answer_clock_ns() when the request was there */
};

/** The clock that delays are counted by. */
uint64_t answer_clock_ns(void);

/**
 * Wait for as long as the answer says, and send it. Blocks the calling thread,
 * which must be the connection's own. Returns whether the connection is to live on.
 */
bool answer_send(struct answer *answer, const struct answer_way *way);
