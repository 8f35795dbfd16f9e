#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A client of the API on a transport that is the test's: http_*() are defined here, so the test
 * hands out every reply. For one source file of a program only; cmocka.h comes first.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "customers.h"
#include "kapturefs/base/list.h"
#include "kapturefs/store/kapture.h"

#define FOUND "{\"Customer Details\":{\"id\":7,\"name\":\"Asha\"},\"status\":\"success\"}"
#define ABSENT                                                                                     \
	"{\"Customer Details\":\"Information given by you does not exist in our sytsem.\","        \
	"\"status\":\"failed\"}"
#define FAILED   "{\"Customer Details\":\"Server is busy\",\"status\":\"failed\"}"
#define REFUSED  "{\"message\":\"Invalid Auth Key\",\"status\":\"failed\"}"
#define REQUESTS 128

struct http_transfer {
	struct list link;
	http_done_fn *done;
	void *userdata;
	char *token;
	char *body;
};

struct fixture;

struct asking {
	struct fixture *fixture;
	struct source_fetch *fetch;
	bool is_answered;
	int error;
	bool may_pass;
	bool is_unfair;
	bool found;
};

struct fixture {
	uv_loop_t loop;
	struct kapture *kapture;
	struct source *source;
	struct metrics metrics;
	struct asking askings[REQUESTS];
	size_t asking_count;
	const char *kept_token; /* what the keeper knows */
	unsigned looks;
};

/* The transport's side: transfers under way, in their order, and how many there ever were. */
static struct list transfers;
static unsigned started;
static uv_loop_t *used_loop; /* stopped whenever something happens that a test may wait for */

int http_new(uv_loop_t *loop, const struct http_settings *settings, struct http **ret)
{
	static char nothing;

	(void)settings;
	used_loop = loop;
	list_init(&transfers);
	started = 0;
	*ret = (struct http *)(void *)&nothing;
	return 0;
}

void http_free(struct http *http)
{
	(void)http;
	assert_true(list_is_empty(&transfers));
}

void http_renew(struct http *http)
{
	(void)http;
}

int http_start(struct http *http, const struct http_request *request, http_done_fn *done,
               void *userdata, struct http_transfer **ret)
{
	struct http_transfer *transfer = calloc(1, sizeof(*transfer));

	(void)http;
	assert_true(request->timeout_ms > 0);
	transfer->done = done;
	transfer->userdata = userdata;
	transfer->token = strdup(request->headers[0] + strlen("Authorization: Basic "));
	transfer->body = strndup(request->body, request->body_length);
	list_insert_before(&transfers, &transfer->link);
	started++;
	uv_stop(used_loop);
	*ret = transfer;
	return 0;
}

void http_transfer_free(struct http_transfer *transfer)
{
	if (!transfer)
		return;
	list_remove(&transfer->link);
	free(transfer->token);
	free(transfer->body);
	free(transfer);
}

static inline struct http_transfer *first_transfer(void)
{
	assert_false(list_is_empty(&transfers));
	return container_of(transfers.next, struct http_transfer, link);
}

static inline void finish(const struct http_reply *reply)
{
	struct http_transfer *transfer = first_transfer();

	transfer->done(transfer->userdata, reply);
}

static inline void reply_with(const char *body)
{
	finish(&(struct http_reply){ .status = 200, .body = body, .body_length = strlen(body) });
}

static inline void reply_with_status(long status, const char *retry_after)
{
	finish(&(struct http_reply){ .status = status, .body = "", .retry_after = retry_after });
}

static inline void reply_with_error(int error)
{
	finish(&(struct http_reply){ .error = error, .complaint = "planted" });
}

static const struct kapture_settings usual = {
	.base_url = "https://x",
	.token = "first",
	.timeout_ms = 20000,
	.retries = 0,
	.rate = 10000000,
	.burst = 1000,
	.http.concurrency_max = 8,
};

static inline struct fixture *begin(const struct kapture_settings *settings)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	assert_int_equal(kapture_new(&fixture->loop, settings, &fixture->kapture), 0);
	fixture->source = kapture_source(fixture->kapture);
	metrics_init(&fixture->metrics);
	kapture_add_metrics(fixture->kapture, &fixture->metrics);
	return fixture;
}

static inline void end(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->asking_count; i++) {
		if (fixture->askings[i].fetch)
			fixture->source->operations->free(fixture->askings[i].fetch);
	}
	kapture_free(fixture->kapture);
	while (uv_run(&fixture->loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	free(fixture);
}

static inline void answered(void *userdata, const struct source_answer *answer)
{
	struct asking *asking = userdata;

	assert_false(asking->is_answered);
	asking->is_answered = true;
	asking->error = answer->error;
	asking->may_pass = answer->may_pass;
	asking->is_unfair = answer->is_unfair;
	asking->found = answer->record != NULL;
	uv_stop(used_loop);
}

static inline struct asking *ask_for(struct fixture *fixture, const char *id,
                                     enum source_hurry hurry)
{
	struct asking *asking = &fixture->askings[fixture->asking_count++];
	const struct source_question question = { .key = make_key(KEY_ID, id), .hurry = hurry };

	asking->fixture = fixture;
	assert_int_equal(fixture->source->operations->start(fixture->source, &question, answered,
	                                                    asking, &asking->fetch),
	                 0);
	assert_false(asking->is_answered);
	return asking;
}

static inline struct asking *ask(struct fixture *fixture)
{
	return ask_for(fixture, "7", SOURCE_IN_A_HURRY);
}

static inline void wait_for_requests(struct fixture *fixture, unsigned count)
{
	while (started < count && uv_run(&fixture->loop, UV_RUN_DEFAULT))
		;
	assert_true(started >= count);
}

static inline void wait_for_answer(struct fixture *fixture, const struct asking *asking)
{
	while (!asking->is_answered && uv_run(&fixture->loop, UV_RUN_DEFAULT))
		;
	assert_true(asking->is_answered);
}

static inline void assert_answered(struct fixture *fixture, const struct asking *asking, int error)
{
	wait_for_answer(fixture, asking);
	assert_int_equal(asking->error, error);
	assert_int_equal(asking->found, !error);
}

/* Ask and fail without a request. */
static inline void assert_held_back(struct fixture *fixture, int error)
{
	unsigned before = started;

	assert_answered(fixture, ask(fixture), error);
	assert_int_equal(started, before);
}

static inline enum source_state state_of(struct fixture *fixture)
{
	return fixture->source->operations->state(fixture->source, KEY_ID, 0);
}

static inline bool metrics_say(struct fixture *fixture, const char *line)
{
	cleanup(buffer_fini) struct buffer text;

	buffer_init(&text, 1 << 16);
	kapture_update_metrics(fixture->kapture);
	assert_int_equal(metrics_print(&fixture->metrics, &text), 0);
	return strstr(text.data, line) != NULL;
}
