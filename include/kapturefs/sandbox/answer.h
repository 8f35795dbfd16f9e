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
#include "kapturefs/sandbox/delivery.h"
#include "kapturefs/sandbox/filling.h"

struct fault;

struct answer {
	unsigned status;       /* HTTP */
	const char *type;      /* static; Content-Type, unless there is one among the headers */
	struct buffer headers; /* name NUL value NUL, and so on */
	struct buffer body;
	struct fillings fillings; /* of the body */
	struct fault *fault;      /* the rule that has made it, whose texts it borrows; or NULL */
	uint32_t delay_ms;        /* from the request's arrival to the answer's departure */
	struct delivery delivery;
};

/** Begin with status 200, nothing to say and no delay. */
void answer_init(struct answer *answer);
void answer_fini(struct answer *answer);

/** Say @text with @status instead of what it said. Errors as buffer_append(). */
int answer_say(struct answer *answer, unsigned status, const char *text, size_t length) must_check;

/** The same without a copy: @text must live as long as the answer. */
void answer_borrow(struct answer *answer, unsigned status, const char *text, size_t length);

/**
 * The documented HTTP codes 400 and 404, in the words of the vendor's table, or with
 * @complaint instead of them. Errors as buffer_append().
 */
int answer_mistaken(struct answer *answer, const char *complaint) must_check;
int answer_nowhere(struct answer *answer) must_check;

/** What is documented for a token that is not valid, with @status. Errors as buffer_append(). */
int answer_refused(struct answer *answer, unsigned status) must_check;

/** To somebody who has no business here; see admission.h. Errors as buffer_append(). */
int answer_foreign(struct answer *answer) must_check;

/** Add a header. Errors as buffer_append(). */
int answer_add_header(struct answer *answer, const char *name, const char *value) must_check;

/** The header behind @name, the first for NULL; NULL behind the last. */
const char *answer_next_header(const struct answer *answer, const char *name,
                               const char **ret_value);

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
 * Wait until @until_ns, or for ever if it is 0, or until @client, unless it is -1, closes its
 * half of the connection. Returns whether neither the sandbox nor the client has gone.
 */
bool answer_wait_until(uint64_t until_ns, const struct answer_way *way, int client);

/**
 * Wait for as long as the answer says, and send it. Blocks the calling thread,
 * which must be the connection's own. Returns whether the connection is to live on. The answer must
 * live until libmicrohttpd has notified that the request is complete.
 */
bool answer_send(struct answer *answer, const struct answer_way *way);
