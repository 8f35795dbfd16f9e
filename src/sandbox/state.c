/* SPDX-License-Identifier: MIT */

#include "kapturefs/sandbox/state.h"

void state_init(struct state *state, struct generator generator, const char *token,
                uint32_t latency_ms)
{
	*state = (struct state){ .token = token, .latency_ms = latency_ms };
	pthread_mutex_init(&state->lock, NULL);
	customers_init(&state->customers, generator);
	faults_init(&state->faults, generator.seed);
}

void state_fini(struct state *state)
{
	customers_reset(&state->customers);
	faults_clear(&state->faults);
	pthread_mutex_destroy(&state->lock);
}

void state_reset(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	customers_reset(&state->customers);
	faults_clear(&state->faults);
	state->statistics = (struct statistics){ .requests = 0 };
	pthread_mutex_unlock(&state->lock);
}

enum fate state_choose_fate(struct state *state)
{
	enum fate fate;

	pthread_mutex_lock(&state->lock);
	fate = faults_choose_fate(&state->faults);
	pthread_mutex_unlock(&state->lock);
	return fate;
}

uint64_t state_count_connection(struct state *state)
{
	uint64_t stamp;

	pthread_mutex_lock(&state->lock);
	state->statistics.connections++;
	stamp = state->faults.serial;
	pthread_mutex_unlock(&state->lock);
	return stamp;
}

bool state_is_outdated(struct state *state, uint64_t stamp)
{
	bool is_outdated;

	pthread_mutex_lock(&state->lock);
	is_outdated = faults_connections_since(&state->faults) > stamp;
	pthread_mutex_unlock(&state->lock);
	return is_outdated;
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
