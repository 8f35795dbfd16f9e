/* SPDX-License-Identifier: MIT */

#include "kapturefs/sandbox/state.h"

void state_init(struct state *state, struct generator generator, const char *token,
                uint32_t latency_ms)
{
	*state = (struct state){ .token = token, .latency_ms = latency_ms };
	pthread_mutex_init(&state->lock, NULL);
	customers_init(&state->customers, generator);
	behaviours_init(&state->behaviours);
}

void state_fini(struct state *state)
{
	customers_reset(&state->customers);
	behaviours_clear(&state->behaviours);
	pthread_mutex_destroy(&state->lock);
}

void state_reset(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	customers_reset(&state->customers);
	behaviours_clear(&state->behaviours);
	state->statistics = (struct statistics){ .requests = 0 };
	pthread_mutex_unlock(&state->lock);
}

void state_count_connection(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	state->statistics.connections++;
	pthread_mutex_unlock(&state->lock);
}

void state_begin_request(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	state->statistics.requests++;
	state->under_way++;
	if (state->under_way > state->statistics.at_once)
		state->statistics.at_once = state->under_way;
	pthread_mutex_unlock(&state->lock);
}

void state_end_request(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	state->under_way--;
	pthread_mutex_unlock(&state->lock);
}
