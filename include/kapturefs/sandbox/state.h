#pragma once
/* SPDX-License-Identifier: MIT */
/* What the sandbox's threads share, and the endpoints that look at it. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/sandbox/answer.h"
#include "kapturefs/sandbox/customers.h"
#include "kapturefs/sandbox/fault.h"
#include "kapturefs/sandbox/generator.h"

/** Of requests to the API, since the start or the last reset. */
struct statistics {
	uint64_t requests;
	uint64_t found;
	uint64_t absent;
	uint64_t refused;     /* for their token */
	uint64_t mistaken;    /* for their body */
	uint64_t overruled;   /* by a fault rule that says something else */
	uint64_t connections; /* accepted, whatever was asked on them */
	uint64_t at_once;     /* the most that were under way at one time */
};

struct state {
	const char *token;   /* borrowed */
	uint32_t latency_ms; /* before each answer */
	bool has_tls;

	pthread_mutex_t lock; /* guards what follows */
	struct customers customers;
	struct faults faults;
	struct statistics statistics;
	uint64_t under_way;
};

void state_init(struct state *state, struct generator generator, const char *token,
                uint32_t latency_ms);
void state_fini(struct state *state);

/** Forget counts, rules and changes. Takes the lock. */
void state_reset(struct state *state);

/** What becomes of a new connection. Takes the lock. */
enum fate state_choose_fate(struct state *state);

/**
 * Count a connection that is served. Returns a stamp that tells whether it is outdated, because
 * there is a newer rule for connections. Each takes the lock.
 */
uint64_t state_count_connection(struct state *state);
bool state_is_outdated(struct state *state, uint64_t stamp);

/** Count the begin and the end of a request to the API. Each takes the lock. */
void state_begin_request(struct state *state);
void state_end_request(struct state *state);

/** One request, whole; the strings are NULL where it does not have them. */
struct request {
	const char *method;
	const char *path;
	const char *from; /* of the query */
	const char *count;
	struct buffer body;
};

/** Whether the request is for Get Customer or Pull Customer. */
bool api_is_asked(const char *method, const char *path);

/** Whether it is for the latter. */
bool days_are_asked(const char *method, const char *path);

/** Make up the honest answer to such a request. With the lock. Errors as buffer_append(). */
int days_answer(struct state *state, const struct request *request,
                struct answer *answer) must_check;

/**
 * Make up the answer to a request to the API that carries the token, between state_begin_request()
 * and state_end_request(). Takes the lock. A rule may have it wait on its way, without the lock.
 * Errors as buffer_append(), and -ECANCELED if the sandbox ends meanwhile. Whatever is returned,
 * api_release() must follow when the answer has been sent.
 */
int api_answer(struct state *state, const struct request *request, const struct answer_way *way,
               struct answer *answer) must_check;
void api_release(struct state *state, struct answer *answer);

/** Make up the answer to one that does not. No rule is asked. Errors as buffer_append(). */
int api_refuse(struct state *state, struct answer *answer) must_check;

/**
 * Make up the answer to a request for anything else: the control endpoint below
 * /sandbox/, and 404.
 *
 *   GET  /sandbox/statistics                 the counts of struct statistics and, as `rules`,
 *                                            those of each rule
 *   GET  /sandbox/customers?from=&count=     [{"id", "phone", "email"}, ...] of customers by index
 *   POST /sandbox/behaviour                  rules, see plan_read(); {} forgets all
 *   POST /sandbox/customer                   a change, see message_read_change()
 *   POST /sandbox/reset                      counts, rules and changes are forgotten
 *
 * Takes the lock. Errors as buffer_append().
 */
int control_answer(struct state *state, const struct request *request,
                   struct answer *answer) must_check;
