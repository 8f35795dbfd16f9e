/* SPDX-License-Identifier: MIT */
/* The endpoint by which tests look behind the sandbox, and change it while it runs. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kapturefs/sandbox/message.h"
#include "kapturefs/sandbox/plan.h"
#include "kapturefs/sandbox/state.h"

enum {
	ROWS_DEFAULT = 100,
	ROWS_MAX = 100000,
};

static int answer_done(struct answer *answer)
{
	return buffer_append_text(&answer->body, "{}");
}

static int write_statistics(const struct state *state, struct buffer *buffer)
{
	const struct statistics *now = &state->statistics;
	int r;

	r = buffer_print(buffer,
	                 "{\"requests\":%" PRIu64 ",\"found\":%" PRIu64 ",\"absent\":%" PRIu64
	                 ",\"refused\":%" PRIu64 ",\"mistaken\":%" PRIu64 ",\"overruled\":%" PRIu64
	                 ",\"connections\":%" PRIu64 ",\"at_once\":%" PRIu64 ",\"rules\":",
	                 now->requests, now->found, now->absent, now->refused, now->mistaken,
	                 now->overruled, now->connections, now->at_once);
	if (!r)
		r = faults_write(&state->faults, buffer);
	return r ? r : buffer_append_text(buffer, "}");
}

static int answer_statistics(struct state *state, const struct request *request,
                             struct answer *answer)
{
	int r;

	(void)request;
	pthread_mutex_lock(&state->lock);
	r = write_statistics(state, &answer->body);
	pthread_mutex_unlock(&state->lock);
	return r;
}

static int answer_reset(struct state *state, const struct request *request, struct answer *answer)
{
	(void)request;
	state_reset(state);
	return answer_done(answer);
}

static int write_rows(const struct generator *generator, uint64_t from, uint64_t count,
                      struct buffer *buffer)
{
	int r;

	r = buffer_append_text(buffer, "[");
	for (uint64_t i = from; !r && i < generator->customers && i - from < count; i++) {
		struct sandbox_keys keys;

		generator_keys(generator, (uint32_t)i, &keys);
		r = buffer_print(buffer, "%s{\"id\":\"%s\",\"phone\":\"%s\",\"email\":\"%s\"}",
		                 i > from ? "," : "", keys.id, keys.phone, keys.email);
	}
	return r ? r : buffer_append_text(buffer, "]");
}

static int answer_customers(struct state *state, const struct request *request,
                            struct answer *answer)
{
	uint64_t from = 0;
	uint64_t count = ROWS_DEFAULT;

	if (request->from && !message_read_number(request->from, 0, UINT32_MAX, &from))
		return answer_mistaken(answer, NULL);
	if (request->count && !message_read_number(request->count, 0, ROWS_MAX, &count))
		return answer_mistaken(answer, NULL);
	/* The generator never changes, so this needs no lock. */
	return write_rows(&state->customers.generator, from, count, &answer->body);
}

/* Whether it is `{}`, one rule about nothing: the way to forget all. */
static bool is_nothing(const struct faults *rules)
{
	const struct fault *first = container_of(rules->list.next, struct fault, link);

	return rules->added == 1 && first->is_empty;
}

static int answer_behaviour(struct state *state, const struct request *request,
                            struct answer *answer)
{
	struct plan_complaint complaint;
	struct faults rules;
	int r;

	faults_init(&rules, 0);
	r = plan_read(request->body.data, request->body.length, state->has_tls, &rules, &complaint);
	if (r)
		return r < 0 ? r : answer_mistaken(answer, complaint.text);

	pthread_mutex_lock(&state->lock);
	if (is_nothing(&rules))
		faults_clear(&state->faults);
	else
		faults_add_all(&state->faults, &rules);
	pthread_mutex_unlock(&state->lock);
	faults_clear(&rules);
	return answer_done(answer);
}

static int answer_customer(struct state *state, const struct request *request,
                           struct answer *answer)
{
	cleanup(change_fini) struct change change = { .has_deleted = false };
	uint32_t index;
	struct key id;
	int r;

	r = message_read_change(request->body.data, request->body.length, &id, &change);
	if (r)
		return r < 0 ? r : answer_mistaken(answer, NULL);
	if (!generator_find(&state->customers.generator, &id, &index))
		return answer_nowhere(answer);

	pthread_mutex_lock(&state->lock);
	r = customers_change(&state->customers, index, &change);
	pthread_mutex_unlock(&state->lock);
	return r ? r : answer_done(answer);
}

static const struct {
	const char *method;
	const char *path;
	int (*answer)(struct state *state, const struct request *request, struct answer *answer);
} resources[] = {
	{ "GET", "/sandbox/statistics", answer_statistics },
	{ "GET", "/sandbox/customers", answer_customers },
	{ "POST", "/sandbox/behaviour", answer_behaviour },
	{ "POST", "/sandbox/customer", answer_customer },
	{ "POST", "/sandbox/reset", answer_reset },
};

int control_answer(struct state *state, const struct request *request, struct answer *answer)
{
	for (size_t i = 0; i < array_length(resources); i++) {
		if (strcmp(request->path, resources[i].path) == 0 &&
		    strcmp(request->method, resources[i].method) == 0)
			return resources[i].answer(state, request, answer);
	}
	return answer_nowhere(answer);
}
