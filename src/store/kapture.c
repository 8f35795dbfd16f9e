/* SPDX-License-Identifier: MIT */
/* What belongs to the account rather than to one question: see kapture_fetch.c for those. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/store/kapture_parts.h"

/* The endpoints of the vendor's pages "Get Customer API" and "Pull Customer API by Date Range". */
#define ENDPOINT      "/search-customer-by-customer-id.html"
#define PAGE_ENDPOINT "/select-customer-between-start-and-end-dates.html"

#define AUTHORIZATION "Authorization: Basic "

const struct kapture_outcome kapture_outcomes[KAPTURE_OUTCOMES] = {
	[KAPTURE_FOUND] = { 0, "outcome=\"found\"" },
	[KAPTURE_ABSENT] = { 0, "outcome=\"absent\"" },
	{ -EACCES, "outcome=\"refused\"" },
	{ -EINVAL, "outcome=\"invalid\"" },
	{ -EBUSY, "outcome=\"throttled\"" },
	{ -EIO, "outcome=\"fault\"" },
	{ -EHOSTUNREACH, "outcome=\"unreachable\"" },
	{ -EPROTO, "outcome=\"malformed\"" },
	{ -EFBIG, "outcome=\"too_big\"" },
	{ -ETIMEDOUT, "outcome=\"timeout\"" },
	{ 1, "outcome=\"other\"" },
};

/* How many of the same user's questions go before one of @caller with that place. */
static uint64_t count_own_before(const struct list *queue, uint64_t caller, uint64_t place)
{
	uint64_t count = 0;

	for (struct list *link = queue->next; link != queue; link = link->next) {
		const struct source_fetch *fetch = container_of(link, struct source_fetch, link);

		count += share_user(fetch->question.caller) == share_user(caller) &&
		         fetch->place.of_session <= place;
	}
	return count;
}

/*
 * How many go before a question of @caller, as far as @most of them: those of other users until it
 * is the turn of this one, as often as there are own questions that go first.
 */
static uint64_t count_before(struct kapture *kapture, uint64_t caller, uint64_t most)
{
	const struct list *queue = &kapture->queues[SOURCE_IN_A_HURRY];
	struct share_place place = shares_next_place(&kapture->shares, caller);
	uint64_t own = most ? count_own_before(queue, caller, place.of_session) : 0;
	uint64_t count = 0;

	for (struct list *link = queue->next; link != queue && count < most; link = link->next) {
		const struct source_fetch *fetch = container_of(link, struct source_fetch, link);
		bool is_own = share_user(fetch->question.caller) == share_user(caller);

		if (fetch->place.of_user > place.of_user || (is_own && !own))
			break;
		own -= is_own;
		count++;
	}
	return count;
}

enum gate_door kapture_door(enum key_kind kind)
{
	return kind == KEY_DATE ? GATE_DAYS : GATE_CUSTOMERS;
}

static enum source_state kapture_state(struct source *source, enum key_kind kind, uint64_t caller)
{
	struct kapture *kapture = container_of(source, struct kapture, source);
	uint64_t now_ms = uv_now(kapture->loop);
	uint64_t budget = limiter_budget(&kapture->gate.limiter, now_ms);
	uint64_t reserve = shares_reserve(&kapture->shares, caller, now_ms);

	if (gate_is_closed(&kapture->gate, kapture_door(kind)))
		return SOURCE_REFUSED;
	if (budget <= reserve || budget - reserve <= count_before(kapture, caller, budget))
		return SOURCE_BUSY;
	return SOURCE_READY;
}

static uint64_t kapture_epoch(struct source *source)
{
	struct kapture *kapture = container_of(source, struct kapture, source);

	if (kapture->keeper.look)
		kapture->keeper.look(kapture->keeper.userdata);
	return kapture->epoch;
}

static const struct source_operations operations = {
	.start = kapture_start,
	.sent = kapture_sent,
	.hurry = kapture_hurry,
	.join = kapture_join,
	.free = kapture_free_fetch,
	.state = kapture_state,
	.epoch = kapture_epoch,
};

/* The token */

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

int kapture_set_token(struct kapture *kapture, const char *token)
{
	char *header;

	if (asprintf(&header, AUTHORIZATION "%s", token) < 0)
		return -ENOMEM;

	wipe(kapture->headers[0]);
	kapture->headers[0] = header;
	kapture->token_number++;
	kapture_open_doors(kapture);
	return 0;
}

void kapture_change(struct kapture *kapture, const struct kapture_settings *settings)
{
	kapture->timeout_ms = settings->timeout_ms;
	kapture->retries = settings->retries;
	gate_change(&kapture->gate, settings->rate, settings->burst, uv_now(kapture->loop));
	kapture_take_turns_in(kapture, 0);
}

void kapture_renew_connections(struct kapture *kapture)
{
	http_renew(kapture->http);
}

void kapture_open_doors(struct kapture *kapture)
{
	gate_open_doors(&kapture->gate);
	kapture->epoch++;
}

void kapture_set_keeper(struct kapture *kapture, struct kapture_keeper keeper)
{
	kapture->keeper = keeper;
}

void kapture_judge_token(struct kapture *kapture, bool is_accepted)
{
	if (!kapture->keeper.judged || (kapture->token_judged == kapture->token_number &&
	                                kapture->is_token_accepted == is_accepted))
		return;
	kapture->token_judged = kapture->token_number;
	kapture->is_token_accepted = is_accepted;
	kapture->keeper.judged(kapture->keeper.userdata,
	                       kapture->headers[0] + strlen(AUTHORIZATION), is_accepted);
}

bool kapture_look_for_token(struct kapture *kapture, uint64_t number)
{
	if (kapture->token_number == number && kapture->keeper.look)
		kapture->keeper.look(kapture->keeper.userdata);
	return kapture->token_number != number;
}

/* Life cycle */

static size_t count_lines(const char *const *lines)
{
	size_t count = 0;

	while (lines && lines[count])
		count++;
	return count;
}

/* The token's header first, then the type, then the configured ones. */
static int copy_headers(struct kapture *kapture, const struct kapture_settings *settings)
{
	size_t count = count_lines(settings->headers);

	kapture->headers = calloc(count + 3, sizeof(char *));
	if (!kapture->headers)
		return -ENOMEM;

	if (kapture_set_token(kapture, settings->token))
		return -ENOMEM;
	kapture->headers[1] = strdup("Content-Type: application/json");
	if (!kapture->headers[1])
		return -ENOMEM;

	for (size_t i = 0; i < count; i++) {
		kapture->headers[i + 2] = strdup(settings->headers[i]);
		if (!kapture->headers[i + 2])
			return -ENOMEM;
	}
	return 0;
}

static int copy_settings(struct kapture *kapture, const struct kapture_settings *settings)
{
	kapture->phone_country = settings->phone_country;
	kapture->timeout_ms = settings->timeout_ms;
	kapture->retries = settings->retries;
	kapture->asking_max = settings->http.concurrency_max;
	if (asprintf(&kapture->url, "%s" ENDPOINT, settings->base_url) < 0) {
		kapture->url = NULL;
		return -ENOMEM;
	}
	if (asprintf(&kapture->page_url, "%s" PAGE_ENDPOINT, settings->base_url) < 0) {
		kapture->page_url = NULL;
		return -ENOMEM;
	}
	if (settings->request_members) {
		kapture->request_members = strdup(settings->request_members);
		if (!kapture->request_members)
			return -ENOMEM;
	}
	if (settings->absent_text) {
		kapture->absent_text = strdup(settings->absent_text);
		if (!kapture->absent_text)
			return -ENOMEM;
	}
	return copy_headers(kapture, settings);
}

int kapture_new(uv_loop_t *loop, const struct kapture_settings *settings, struct kapture **ret)
{
	cleanup(kapture_freep) struct kapture *kapture = NULL;
	int r;

	kapture = calloc(1, sizeof(*kapture));
	if (!kapture)
		return -ENOMEM;

	kapture->source.operations = &operations;
	kapture->loop = loop;
	for (size_t i = 0; i < array_length(kapture->queues); i++)
		list_init(&kapture->queues[i]);
	list_init(&kapture->ended);
	gate_init(&kapture->gate, settings->rate, settings->burst, uv_now(loop));
	shares_init(&kapture->shares, settings->rate, settings->burst);
	uv_timer_init(loop, &kapture->turn);
	uv_timer_init(loop, &kapture->end);
	kapture->end.data = kapture;
	r = copy_settings(kapture, settings);
	if (r)
		return r;
	r = http_new(loop, &settings->http, &kapture->http);
	if (r)
		return r;

	*ret = steal(&kapture);
	return 0;
}

static void kapture_closed(uv_handle_t *handle)
{
	struct kapture *kapture = container_of((uv_timer_t *)handle, struct kapture, turn);

	for (char **header = kapture->headers; header && *header; header++)
		wipe(*header);
	free(kapture->headers);
	wipe(kapture->request_members);
	free(kapture->absent_text);
	free(kapture->url);
	free(kapture->page_url);
	free(kapture);
}

static void end_closed(uv_handle_t *handle)
{
	struct kapture *kapture = handle->data;

	uv_close((uv_handle_t *)&kapture->turn, kapture_closed);
}

void kapture_free(struct kapture *kapture)
{
	if (!kapture)
		return;

	assert(!kapture->queued_count && list_is_empty(&kapture->ended) && !kapture->asking);
	http_free(kapture->http);
	uv_timer_stop(&kapture->turn);
	uv_close((uv_handle_t *)&kapture->end, end_closed);
}

struct source *kapture_source(struct kapture *kapture)
{
	return &kapture->source;
}

/* Metrics */

void kapture_add_metrics(struct kapture *kapture, struct metrics *metrics)
{
	const struct {
		struct counter *counter;
		enum metric_type type;
		const char *name;
		const char *help;
	} table[] = {
		{ &kapture->retried, METRIC_COUNTER, "kapturefs_api_retries_total",
		  "Requests repeated after one that failed in a way that may pass." },
		{ &kapture->throttled, METRIC_COUNTER, "kapturefs_api_throttled_total",
		  "Questions that had to wait for the rate limit." },
		{ &kapture->held_back, METRIC_COUNTER, "kapturefs_api_held_back_total",
		  "Questions not asked because the API fails or refuses the token." },
		{ &kapture->budget, METRIC_GAUGE, "kapturefs_api_budget",
		  "Requests that may go out now." },
		{ &kapture->rate, METRIC_GAUGE, "kapturefs_api_rate_thousandths",
		  "Thousandths of a request a second that may go out in the long run." },
		{ &kapture->connections, METRIC_GAUGE, "kapturefs_api_connections_max",
		  "Requests that may be under way." },
		{ &kapture->queued, METRIC_GAUGE, "kapturefs_api_queued",
		  "Questions that wait for their turn." },
		{ &kapture->breaker_state, METRIC_GAUGE, "kapturefs_api_breaker_state",
		  "Whether the API is left alone because it fails: 0 no, 1 it is probed, 2 yes." },
		{ &kapture->door_state, METRIC_GAUGE, "kapturefs_api_token_state",
		  "Whether the token was refused: 0 no, 1 it is tried again, 2 yes." },
		{ &kapture->day_door_state, METRIC_GAUGE, "kapturefs_api_token_state_for_days",
		  "The same for the customers of a day." },
	};

	for (size_t i = 0; i < array_length(kapture_outcomes); i++)
		metrics_add_counter(metrics, &kapture->requests[i], METRIC_COUNTER,
		                    "kapturefs_api_requests_total", kapture_outcomes[i].label,
		                    "Requests to the API by what came of them.");
	metrics_add_histogram(metrics, &kapture->durations, "kapturefs_api_request_seconds", "",
	                      "From the start of a request to the API to the end of its reply.");
	for (size_t i = 0; i < array_length(table); i++)
		metrics_add_counter(metrics, table[i].counter, table[i].type, table[i].name, "",
		                    table[i].help);
}

void kapture_update_metrics(struct kapture *kapture)
{
	uint64_t now_ms = uv_now(kapture->loop);

	counter_set(&kapture->budget, limiter_budget(&kapture->gate.limiter, now_ms));
	counter_set(&kapture->rate, kapture->gate.limiter.rate);
	counter_set(&kapture->connections, kapture->asking_max);
	counter_set(&kapture->queued, kapture->queued_count);
	counter_set(&kapture->breaker_state, breaker_state(&kapture->gate.breaker));
	counter_set(&kapture->door_state, breaker_state(&kapture->gate.doors[GATE_CUSTOMERS]));
	counter_set(&kapture->day_door_state, breaker_state(&kapture->gate.doors[GATE_DAYS]));
}

struct kapture_standing kapture_stand(struct kapture *kapture)
{
	uint64_t now_ms = uv_now(kapture->loop);
	struct limiter *limiter = &kapture->gate.limiter;

	return (struct kapture_standing){
		.breaker = breaker_state(&kapture->gate.breaker),
		.error = kapture->gate.breaker.error,
		.door = breaker_state(&kapture->gate.doors[GATE_CUSTOMERS]),
		.day_door = breaker_state(&kapture->gate.doors[GATE_DAYS]),
		.budget = limiter_budget(limiter, now_ms),
		.burst = limiter_burst(limiter),
		.rate = limiter_rate(limiter, now_ms),
		.rate_configured = limiter->rate,
		.queued = kapture->queued_count,
		.held_ms = limiter->held_until_ms > now_ms ? limiter->held_until_ms - now_ms : 0,
		.recent = recent_sum(&kapture->recent, now_ms),
	};
}

size_t kapture_list_callers(const struct kapture *kapture, struct share_count *ret, size_t max)
{
	return shares_list(&kapture->shares, uv_now(kapture->loop), ret, max);
}
