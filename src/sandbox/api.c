/* SPDX-License-Identifier: MIT */
/* The endpoint that the vendor's page "Get Customer API" documents. */

#include <errno.h>
#include <string.h>

#include "kapturefs/sandbox/message.h"
#include "kapturefs/sandbox/state.h"

enum {
	STATUS_OK = 200,
	NS_A_MILLISECOND = 1000000,
};

/* Word for word, the misspelling included. */
static const char absent[] = "{\"Customer Details\": "
                             "\"Information given by you does not exist in our sytsem.\","
                             "\"status\": \"failed\"}";

bool api_is_asked(const char *method, const char *path)
{
	return (strcmp(method, "POST") == 0 &&
	        strcmp(path, "/search-customer-by-customer-id.html") == 0) ||
	       days_are_asked(method, path);
}

static int answer_found(const struct state *state, uint32_t index, struct answer *answer)
{
	int r;

	r = buffer_append_text(&answer->body, "{\"Customer Details\": ");
	if (!r)
		r = customers_write(&state->customers, index, &answer->body);
	if (!r)
		r = buffer_append_text(&answer->body, ",\"status\": \"success\"}");
	return r;
}

/* As the API should; @key is NULL if the body names none. With the lock. */
static int answer_honestly(struct state *state, const struct request *request,
                           const struct key *key, struct answer *answer)
{
	struct statistics *statistics = &state->statistics;
	uint32_t index;

	if (days_are_asked(request->method, request->path))
		return days_answer(state, request, answer);
	if (!key) {
		statistics->mistaken++;
		return answer_mistaken(answer, NULL);
	}
	if (!customers_find(&state->customers, key, &index)) {
		statistics->absent++;
		return answer_say(answer, STATUS_OK, absent, strlen(absent));
	}
	statistics->found++;
	return answer_found(state, index, answer);
}

/* Another customer than the one that is asked for. */
static int answer_another(const struct state *state, const struct key *key, struct answer *answer)
{
	const uint32_t count = state->customers.generator.customers;
	uint32_t asked = 0;
	uint32_t index;

	if (key)
		(void)customers_find(&state->customers, key, &asked);
	index = asked + 1 < count ? asked + 1 : 0;
	if (index == asked)
		return answer_say(answer, STATUS_OK, absent, strlen(absent));
	return answer_found(state, index, answer);
}

/* Without having looked. With the lock. */
static int answer_overruled(struct state *state, const struct request *request,
                            const struct key *key, enum content content, struct answer *answer)
{
	struct statistics before = state->statistics;
	int r = 0;

	switch (content_base(content)) {
	case BASE_NOTHING:
		break;
	case BASE_HONEST:
		r = answer_honestly(state, request, key, answer);
		break;
	case BASE_OTHER:
		r = answer_another(state, key, answer);
		break;
	case BASE_ABSENT:
		r = answer_say(answer, STATUS_OK, absent, strlen(absent));
		break;
	case BASE_REFUSED:
		r = answer_refused(answer, STATUS_OK);
		break;
	}
	state->statistics = before;
	state->statistics.overruled++;
	return r;
}

/* Returns whether there is still anybody to answer. */
static bool wait_to_read(const struct fault *fault, const struct answer_way *way)
{
	return !fault || !fault->read_ms ||
	       answer_wait_until(way->received_ns + (uint64_t)fault->read_ms * NS_A_MILLISECOND,
	                         way, -1);
}

static struct fault *choose_fault(struct state *state, const struct key *key)
{
	struct fault *fault;

	pthread_mutex_lock(&state->lock);
	fault = faults_choose(&state->faults, key);
	pthread_mutex_unlock(&state->lock);
	return fault;
}

static int read_answer(struct state *state, const struct request *request, const struct key *key,
                       const struct fault *fault, struct answer *answer)
{
	int r;

	pthread_mutex_lock(&state->lock);
	if (!fault || fault_is_honest(fault))
		r = answer_honestly(state, request, key, answer);
	else
		r = answer_overruled(state, request, key, fault->content, answer);
	pthread_mutex_unlock(&state->lock);
	return r;
}

int api_answer(struct state *state, const struct request *request, const struct answer_way *way,
               struct answer *answer)
{
	struct key key;
	const struct key *asked;
	const struct fault *fault;
	int r;

	r = message_read_request(request->body.data, request->body.length, &key);
	if (r < 0)
		return r;
	asked = r ? NULL : &key;

	answer->delay_ms = state->latency_ms;
	answer->fault = choose_fault(state, asked);
	fault = answer->fault;
	r = wait_to_read(fault, way) ? read_answer(state, request, asked, fault, answer)
	                             : -ECANCELED;
	/* What it says may be large, and take a while to make. */
	return fault && !r ? fault_apply(fault, answer) : r;
}

int api_refuse(struct state *state, struct answer *answer)
{
	answer->delay_ms = state->latency_ms;
	pthread_mutex_lock(&state->lock);
	state->statistics.refused++;
	pthread_mutex_unlock(&state->lock);
	return answer_refused(answer, STATUS_OK);
}

void api_release(struct state *state, struct answer *answer)
{
	if (!answer->fault)
		return;
	pthread_mutex_lock(&state->lock);
	faults_release(steal(&answer->fault));
	pthread_mutex_unlock(&state->lock);
}
