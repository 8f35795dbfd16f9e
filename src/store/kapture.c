/* SPDX-License-Identifier: MIT */
/*
 * A fetch goes through the states
 *
 *   asking    an HTTP transfer is under way
 *   pausing   a try has failed in a way that may pass; the timer runs
 *   done      the answer was handed over; only freeing is left
 *
 * and may be freed in each of them. The deadline covers all tries.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/log.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/store/kapture.h"

/* The endpoint of the vendor's page "Get Customer API". */
#define ENDPOINT "/search-customer-by-customer-id.html"

enum {
	REQUEST_SIZE_MAX = 1 << 20,
	PAUSE_FIRST_MS = 200,
	PAUSE_MAX_MS = 5000,
};

struct kapture {
	struct source source;
	uv_loop_t *loop;
	struct http *http;
	char *url;
	char **headers;
	char *request_members;
	uint64_t timeout_ms;
	uint32_t retries;
};

struct source_fetch {
	struct kapture *kapture;
	struct key key;
	char *body;
	struct http_transfer *transfer;
	uv_timer_t pause;
	uint64_t deadline_ms; /* of the loop's clock */
	uint32_t tries;
	source_done_fn *done;
	void *userdata;
};

/* What one try came to. */
struct verdict {
	struct source_answer answer;
	const char *cause;
	long status; /* of HTTP, 0 without a reply */
};

static struct verdict failure(int error, bool may_pass, const char *cause)
{
	return (struct verdict){ { .error = error, .may_pass = may_pass }, cause, 0 };
}

/* Without the documented body there is only the HTTP code to go by; the page's table of error codes. */
static struct verdict judge_status(long status, const struct payload *payload)
{
	if (status == 401 || status == 403)
		return failure(-EACCES, false, "the API refuses the token");
	if (status == 400)
		return failure(-EINVAL, false, "the API calls the request invalid");
	if (status == 429)
		return failure(-EBUSY, true, "the API asks for fewer requests");
	if (status >= 500 && status <= 599)
		return failure(-EIO, true, "the API reports a fault of its own");
	if (status >= 300 && status <= 399)
		return failure(-EPROTO, false, "the API redirects, which is never followed");
	if (status < 200 || status > 299)
		return failure(-EIO, false, "the API answers with an unexpected HTTP code");
	if (payload->verdict == PAYLOAD_FAILED)
		return failure(-EIO, false, "the API reports a failure without a known reason");
	return failure(-EPROTO, false, payload->complaint);
}

/* The verdict is in the body before it is in the HTTP code. */
static struct verdict judge(const struct key *key, long status, const struct payload *payload)
{
	switch (payload->verdict) {
	case PAYLOAD_FOUND:
		if (key->kind == KEY_ID && strcmp(record_id(payload->record), key->text) != 0)
			return failure(-EPROTO, false, "the answer is another customer's");
		return (struct verdict){ { .record = payload->record }, NULL, 0 };
	case PAYLOAD_ABSENT:
		return (struct verdict){ { .record = NULL }, NULL, 0 };
	case PAYLOAD_REFUSED:
		return failure(-EACCES, false, "the API refuses the token");
	case PAYLOAD_FAILED:
	case PAYLOAD_MALFORMED:
		break;
	}
	return judge_status(status, payload);
}

static void fetch_conclude(struct source_fetch *fetch, const struct verdict *verdict)
{
	if (verdict->answer.error)
		log_warning(
		        "kapture: lookup failed key=%s error=%s status=%ld tries=%u cause=\"%s\"",
		        key_kind_facts(fetch->key.kind)->word,
		        strerrorname_np(-verdict->answer.error), verdict->status, fetch->tries,
		        verdict->cause);
	fetch->done(fetch->userdata, &verdict->answer);
}

static void fetch_try(struct source_fetch *fetch);

static void pause_ended(uv_timer_t *timer)
{
	fetch_try(timer->data);
}

/* Exponential, and random in its upper half, so that many clients do not come back together. */
static uint64_t pause_length(uint32_t tries)
{
	uint64_t pause_ms = tries > 5 ? PAUSE_MAX_MS : (uint64_t)PAUSE_FIRST_MS << (tries - 1);
	uint16_t random = 0;

	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return pause_ms / 2 + pause_ms / 2 * random / UINT16_MAX;
}

/* Whether there is a try left and time for it; then the pause before it has begun. */
static bool fetch_pause(struct source_fetch *fetch)
{
	uint64_t pause_ms = pause_length(fetch->tries);

	if (fetch->tries > fetch->kapture->retries)
		return false;
	if (uv_now(fetch->kapture->loop) + pause_ms >= fetch->deadline_ms)
		return false;

	return uv_timer_start(&fetch->pause, pause_ended, pause_ms, 0) == 0;
}

static void try_done(void *userdata, const struct http_reply *reply)
{
	struct source_fetch *fetch = userdata;
	struct payload payload = { 0 };
	struct verdict verdict;
	int r;

	if (reply->error) {
		bool may_pass = reply->error == -EHOSTUNREACH || reply->error == -ETIMEDOUT ||
		                reply->error == -EIO;

		verdict = failure(reply->error, may_pass, reply->complaint);
	} else {
		r = payload_read(reply->body, reply->body_length, &payload);
		verdict = r ? failure(r, true, "out of memory")
		            : judge(&fetch->key, reply->status, &payload);
		verdict.status = reply->status;
	}

	http_transfer_free(steal(&fetch->transfer));
	if (!verdict.answer.may_pass || !fetch_pause(fetch))
		fetch_conclude(fetch, &verdict);
	payload_fini(&payload);
}

static void fetch_try(struct source_fetch *fetch)
{
	struct kapture *kapture = fetch->kapture;
	uint64_t now_ms = uv_now(kapture->loop);
	struct http_request request = {
		.url = kapture->url,
		.headers = (const char *const *)kapture->headers,
		.body = fetch->body,
		.body_length = strlen(fetch->body),
		.timeout_ms = fetch->deadline_ms > now_ms ? fetch->deadline_ms - now_ms : 1,
	};
	struct verdict verdict;
	int r;

	fetch->tries++;
	r = http_start(kapture->http, &request, try_done, fetch, &fetch->transfer);
	if (!r)
		return;

	verdict = failure(r, true, "out of memory");
	fetch_conclude(fetch, &verdict);
}

/* The first try is a turn of the loop away, so that done never runs inside start. */
static int fetch_begin(struct source_fetch *fetch)
{
	fetch->pause.data = fetch;
	return uv_timer_start(&fetch->pause, pause_ended, 0, 0);
}

/* An array of exactly one object; the page asks for one of the three members, so one is sent. */
static int write_request(const struct kapture *kapture, const struct key *key, char **ret)
{
	cleanup(buffer_fini) struct buffer body;
	int r;

	buffer_init(&body, REQUEST_SIZE_MAX);
	r = buffer_print(&body, "[{\"%s\":", key_kind_facts(key->kind)->request_member);
	if (!r)
		r = json_append_string(&body, key->text, strlen(key->text));
	if (!r && kapture->request_members)
		r = buffer_print(&body, ",%s", kapture->request_members);
	if (!r)
		r = buffer_append_text(&body, "}]");
	if (r)
		return r;

	*ret = buffer_steal(&body);
	return 0;
}

static void fetch_closed(uv_handle_t *handle)
{
	struct source_fetch *fetch = container_of(handle, struct source_fetch, pause);

	free(fetch->body);
	free(fetch);
}

static void kapture_free_fetch(struct source_fetch *fetch)
{
	http_transfer_free(steal(&fetch->transfer));
	uv_close((uv_handle_t *)&fetch->pause, fetch_closed);
}

static int kapture_start(struct source *source, const struct key *key, source_done_fn *done,
                         void *userdata, struct source_fetch **ret)
{
	struct kapture *kapture = container_of(source, struct kapture, source);
	struct source_fetch *fetch;
	int r;

	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;

	fetch->kapture = kapture;
	fetch->key = *key;
	fetch->done = done;
	fetch->userdata = userdata;
	fetch->deadline_ms = uv_now(kapture->loop) + kapture->timeout_ms;
	uv_timer_init(kapture->loop, &fetch->pause);
	r = write_request(kapture, key, &fetch->body);
	if (!r)
		r = fetch_begin(fetch);
	if (r) {
		kapture_free_fetch(fetch);
		return r;
	}

	*ret = fetch;
	return 0;
}

static const struct source_operations operations = {
	.start = kapture_start,
	.free = kapture_free_fetch,
};

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

	if (asprintf(&kapture->headers[0], "Authorization: Basic %s", settings->token) < 0) {
		kapture->headers[0] = NULL;
		return -ENOMEM;
	}
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
	kapture->timeout_ms = settings->timeout_ms;
	kapture->retries = settings->retries;
	if (asprintf(&kapture->url, "%s" ENDPOINT, settings->base_url) < 0) {
		kapture->url = NULL;
		return -ENOMEM;
	}
	if (settings->request_members) {
		kapture->request_members = strdup(settings->request_members);
		if (!kapture->request_members)
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
	r = copy_settings(kapture, settings);
	if (r)
		return r;
	r = http_new(loop, &settings->http, &kapture->http);
	if (r)
		return r;

	*ret = steal(&kapture);
	return 0;
}

void kapture_free(struct kapture *kapture)
{
	if (!kapture)
		return;

	http_free(kapture->http);
	for (char **header = kapture->headers; header && *header; header++) {
		explicit_bzero(*header, strlen(*header));
		free(*header);
	}
	free(kapture->headers);
	free(kapture->request_members);
	free(kapture->url);
	free(kapture);
}

struct source *kapture_source(struct kapture *kapture)
{
	return &kapture->source;
}
