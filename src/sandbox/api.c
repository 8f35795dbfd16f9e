/* SPDX-License-Identifier: MIT */
/* The endpoint that the vendor's page "Get Customer API" documents. */

#include <string.h>
#include <strings.h>

#include "kapturefs/sandbox/message.h"
#include "kapturefs/sandbox/state.h"

enum { STATUS_OK = 200 };

/* Word for word, the misspelling included. */
static const char refused[] = "{\"message\": \"Invalid Auth Key\",\"status\": \"failed\"}";
static const char absent[] = "{\"Customer Details\": "
                             "\"Information given by you does not exist in our sytsem.\","
                             "\"status\": \"failed\"}";

bool api_is_asked(const char *method, const char *path)
{
	return strcmp(method, "POST") == 0 &&
	       strcmp(path, "/search-customer-by-customer-id.html") == 0;
}

static bool is_authorized(const struct state *state, const char *authorization)
{
	static const char scheme[] = "Basic ";
	const size_t length = strlen(scheme);

	return authorization && strncasecmp(authorization, scheme, length) == 0 &&
	       strcmp(authorization + length, state->token) == 0;
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

	if (!is_authorized(state, request->authorization)) {
		statistics->refused++;
		return answer_say(answer, STATUS_OK, refused, strlen(refused));
	}
	if (!key) {
		statistics->mistaken++;
		return answer_mistaken(answer);
	}
	if (!customers_find(&state->customers, key, &index)) {
		statistics->absent++;
		return answer_say(answer, STATUS_OK, absent, strlen(absent));
	}
	statistics->found++;
	return answer_found(state, index, answer);
}

static int answer_locked(struct state *state, const struct request *request, const struct key *key,
                         struct answer *answer)
{
	bool is_overruled;
	int r;

	r = behaviours_apply(&state->behaviours, key, answer, &is_overruled);
	if (r || !is_overruled)
		return r ? r : answer_honestly(state, request, key, answer);
	state->statistics.overruled++;
	return 0;
}

int api_answer(struct state *state, const struct request *request, struct answer *answer)
{
	struct key key;
	int outcome;
	int r;

	outcome = message_read_request(request->body.data, request->body.length, &key);
	if (outcome < 0)
		return outcome;

	answer->delay_ms = state->latency_ms;
	pthread_mutex_lock(&state->lock);
	r = answer_locked(state, request, outcome ? NULL : &key, answer);
	pthread_mutex_unlock(&state->lock);
	return r;
}
