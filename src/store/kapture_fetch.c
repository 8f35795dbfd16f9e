/* SPDX-License-Identifier: MIT */
/*
 * A fetch goes through the states
 *
 *   waiting   in a queue for its turn; its timer runs to the deadline
 *   asking    an HTTP transfer is under way, which has the rest of the time
 *   pausing   a try has failed in a way that may pass; its timer runs to the next
 *   done      the answer was handed over; only freeing is left
 *
 * of which one for a date goes through the first three for each page; see kapture_page.c.
 *
 * It may be freed in each of them. The deadline covers them all. For the queue see kapture_turn.c.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "kapturefs/base/error_name.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/kapture_parts.h"
#include "kapturefs/store/retry.h"

/* Ending */

static void log_failure(const struct source_fetch *fetch, const struct kapture_verdict *verdict)
{
	/*
	 * What was never asked has failed for a reason that is in the log, or stands in a long
	 * queue.
	 */
	enum log_level level = fetch->tries ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;

	log_write(level,
	          "kapture: lookup failed key=%s customer=%s error=%s status=%ld tries=%u "
	          "cause=\"%s\"",
	          key_kind_facts(fetch->question.key.kind)->word,
	          log_hash(fetch->question.key.text).text, error_name(-verdict->answer.error),
	          fetch->status, fetch->tries, verdict->cause);
}

void fetch_conclude(struct source_fetch *fetch, const struct kapture_verdict *verdict)
{
	struct source_answer answer = verdict->answer;

	answer.cause = verdict->cause;
	answer.status = fetch->status;
	if (answer.error)
		log_failure(fetch, verdict);
	else if (fetch->question.key.kind == KEY_DATE)
		answer.roster = &fetch->roster;
	fetch->done(fetch->userdata, &answer);
}

/* Pausing */

static void pause_ended(uv_timer_t *timer)
{
	fetch_wait(container_of(timer, struct source_fetch, timer), true);
}

static uint16_t roll_dice(void)
{
	uint16_t random;

	return getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random) ? random : 0;
}

/* What it borrows goes with the reply. */
static void keep_last(struct source_fetch *fetch, const struct kapture_verdict *verdict)
{
	fetch->last = *verdict;
	fetch->last.answer.sentence = NULL;
}

/* Whether there is a try left and time for it; then the pause before it has begun. */
static bool fetch_pause(struct source_fetch *fetch, const struct kapture_verdict *verdict)
{
	struct kapture *kapture = fetch->kapture;
	uint64_t now_ms = uv_now(kapture->loop);
	uint64_t resume_ms = now_ms + retry_pause_ms(fetch->tries, roll_dice());

	if (resume_ms < kapture->gate.limiter.held_until_ms)
		resume_ms = kapture->gate.limiter.held_until_ms;
	if (!verdict->may_retry || fetch->question.is_once || fetch->tries > kapture->retries ||
	    !fetch_has_time(fetch, resume_ms) ||
	    breaker_state(&kapture->gate.breaker) != BREAKER_CLOSED)
		return false;

	keep_last(fetch, verdict);
	counter_add(&kapture->retried, 1);
	return uv_timer_start(&fetch->timer, pause_ended, resume_ms - now_ms, 0) == 0;
}

/* Asking */

/* Time that a question spent waiting for its turn is not the API's: half of it is a fair share. */
static bool was_unfair(const struct source_fetch *fetch, int error)
{
	return error == -ETIMEDOUT && 2 * fetch->try_time_ms < fetch->kapture->timeout_ms;
}

/*
 * What goes wrong with one customer alone, however often it is asked for, is one failure. What
 * mounting asks is nobody's look-up.
 */
static void note_try(const struct source_fetch *fetch, int error)
{
	struct kapture *kapture = fetch->kapture;
	const struct key *key = &fetch->question.key;
	bool has_failed = error != 0;

	if (fetch->question.is_once || was_unfair(fetch, error))
		return;
	if (has_failed && key_equal(&kapture->failed, key) && kapture->failed.text[0])
		return;
	if (has_failed)
		kapture->failed = *key;
	recent_add(&kapture->recent, uv_now(kapture->loop), has_failed);
}

static void count_try(const struct source_fetch *fetch, const struct source_answer *answer)
{
	struct kapture *kapture = fetch->kapture;
	size_t i = answer->record || fetch->page_records ? KAPTURE_FOUND : KAPTURE_ABSENT;

	if (answer->error) {
		while (i < KAPTURE_OUTCOMES - 1 && kapture_outcomes[i].error != answer->error)
			i++;
	}
	note_try(fetch, answer->error);
	counter_add(&kapture->requests[i], 1);
	histogram_add(&kapture->durations, (uv_hrtime() - fetch->try_started_ns) / 1000);
}

/* A token that was refused and has been replaced since says nothing about the present one. */
static bool try_another_token(struct source_fetch *fetch, const struct kapture_verdict *verdict)
{
	struct kapture *kapture = fetch->kapture;
	enum gate_door door = kapture_door(fetch->question.key.kind);
	uint64_t now_ms = uv_now(kapture->loop);

	if (kapture_look_for_token(kapture, fetch->token_number)) {
		keep_last(fetch, verdict);
		fetch_wait(fetch, true);
		return true;
	}
	if (verdict->blame == KAPTURE_BLAME_ACCESS) {
		gate_replied(&kapture->gate);
		gate_denied(&kapture->gate, door, &fetch->question.key, now_ms);
	} else {
		gate_answered(&kapture->gate, door, false);
		gate_refused(&kapture->gate, door, now_ms);
		if (door == GATE_CUSTOMERS)
			kapture_judge_token(kapture, false);
	}
	return false;
}

/* What a failure says of the API. Returns whether another try has begun. */
static bool settle_failure(struct source_fetch *fetch, struct kapture_verdict *verdict,
                           uint64_t pause_ms)
{
	struct kapture *kapture = fetch->kapture;
	int error = verdict->answer.error;
	uint64_t now_ms = uv_now(kapture->loop);

	if (verdict->blame == KAPTURE_BLAME_TOKEN || verdict->blame == KAPTURE_BLAME_ACCESS)
		return try_another_token(fetch, verdict);
	if (error == -EBUSY || verdict->blame == KAPTURE_BLAME_API)
		gate_slow_down(&kapture->gate, error, error == -EBUSY, pause_ms, now_ms);
	if (fetch_pause(fetch, verdict))
		return true;
	if (was_unfair(fetch, error)) {
		/* Another try may have failed for its own reason. */
		verdict->answer.is_unfair = fetch->tries == 1;
		return false;
	}
	if (verdict->blame == KAPTURE_BLAME_API)
		gate_failed(&kapture->gate, &fetch->question.key, error, now_ms);
	else if (fetch->status)
		gate_replied(&kapture->gate);
	return false;
}

/* Go on to the next try, or hand the answer over. @pause_ms is what the server has asked for. */
static void settle(struct source_fetch *fetch, struct kapture_verdict *verdict, uint64_t pause_ms)
{
	struct kapture *kapture = fetch->kapture;

	if (verdict->answer.error) {
		if (settle_failure(fetch, verdict, pause_ms))
			return;
	} else {
		bool is_accepted = fetch->token_number == kapture->token_number;

		gate_answered(&kapture->gate, kapture_door(fetch->question.key.kind), is_accepted);
		if (is_accepted)
			kapture_judge_token(kapture, true);
		if (fetch_next_page(fetch, verdict))
			return;
		if (!verdict->answer.record && fetch_next_form(fetch, verdict))
			return;
	}
	fetch_conclude(fetch, verdict);
}

static uint64_t read_retry_after(const struct http_reply *reply)
{
	uint64_t pause_ms;

	if (!reply->retry_after ||
	    !retry_after_ms(reply->retry_after, (int64_t)time(NULL) * 1000, &pause_ms))
		return 0;
	return pause_ms;
}

/* Judge @reply; the verdict is good for as long as *@ret_payload. */
static struct kapture_verdict judge(struct source_fetch *fetch, const struct http_reply *reply,
                                    struct payload *ret_payload)
{
	struct kapture *kapture = fetch->kapture;
	struct kapture_verdict verdict;
	int r = 0;

	if (fetch->question.key.kind == KEY_DATE) {
		r = fetch_read_page(fetch, reply, &verdict);
	} else {
		if (!reply->error)
			r = payload_read(reply->body, reply->body_length, kapture->absent_text,
			                 ret_payload);
		if (!r)
			verdict = kapture_judge(&fetch->question.key, reply, ret_payload);
	}
	if (r == -EFBIG)
		return kapture_failure(r, "there are too many customers");
	return r ? kapture_trouble(r, "out of memory") : verdict;
}

/* The words are the reply's, which goes; and who cannot read a body may want to know its coding. */
static void keep_cause(struct source_fetch *fetch, const struct http_reply *reply,
                       struct kapture_verdict *verdict)
{
	if (!verdict->cause)
		return;
	if (verdict->answer.error == -EPROTO && !reply->error && reply->coding)
		snprintf(fetch->cause, sizeof(fetch->cause),
		         "%s; its Content-Encoding is not known: %s", verdict->cause,
		         reply->coding);
	else
		snprintf(fetch->cause, sizeof(fetch->cause), "%s", verdict->cause);
	verdict->cause = fetch->cause;
}

static void log_try(const struct source_fetch *fetch, const struct http_reply *reply,
                    const struct source_answer *answer)
{
	const struct key *key = &fetch->question.key;
	double took_ms = (double)(uv_hrtime() - fetch->try_started_ns) / 1e6;

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	log_debug("kapture: request key=%s customer=%s status=%ld error=%s ms=%.1f bytes=%zu "
	          "connection=%s try=%u",
	          key_kind_facts(key->kind)->word, log_hash(key->text).text, reply->status,
	          answer->error ? error_name(-answer->error) : "none", took_ms, reply->received,
	          reply->connection, fetch->tries);
}

static void try_done(void *userdata, const struct http_reply *reply)
{
	struct source_fetch *fetch = userdata;
	struct kapture *kapture = fetch->kapture;
	uint64_t pause_ms = read_retry_after(reply);
	struct payload payload = { 0 };
	struct kapture_verdict verdict = judge(fetch, reply, &payload);

	keep_cause(fetch, reply, &verdict);
	verdict.answer.retry_after_ms = pause_ms;
	fetch->status = reply->status;
	count_try(fetch, &verdict.answer);
	log_try(fetch, reply, &verdict.answer);

	http_transfer_free(steal(&fetch->transfer));
	kapture->asking--;
	settle(fetch, &verdict, pause_ms);
	payload_fini(&payload);
	kapture_take_turns_in(kapture, 0);
}

void fetch_try(struct source_fetch *fetch)
{
	struct kapture *kapture = fetch->kapture;
	uint64_t left_ms = fetch_time_left(fetch);
	uint64_t time_ms = left_ms ? left_ms : 1;
	const struct http_request request = {
		.url = fetch->question.key.kind == KEY_DATE ? kapture->page_url : kapture->url,
		.headers = (const char *const *)kapture->headers,
		.body = fetch->body,
		.body_length = strlen(fetch->body),
		.timeout_ms = time_ms,
	};
	struct kapture_verdict verdict;
	int r;

	fetch->tries++;
	/* What the first page shows is the oldest of what the answer says. */
	if (!fetch->pages)
		fetch->sent = source_draw(&kapture->source);
	fetch->token_number = kapture->token_number;
	fetch->try_started_ns = uv_hrtime();
	fetch->try_time_ms = time_ms;
	r = http_start(kapture->http, &request, try_done, fetch, &fetch->transfer);
	if (!r) {
		kapture->asking++;
		return;
	}

	verdict = kapture_trouble(r, "out of memory");
	fetch_conclude(fetch, &verdict);
}

/* Life cycle */

static void fetch_closed(uv_handle_t *handle)
{
	struct source_fetch *fetch = container_of((uv_timer_t *)handle, struct source_fetch, timer);

	roster_fini(&fetch->roster);
	free(fetch->body);
	free(fetch);
}

void kapture_free_fetch(struct source_fetch *fetch)
{
	fetch_leave_queue(fetch);
	if (fetch->transfer) {
		http_transfer_free(steal(&fetch->transfer));
		fetch->kapture->asking--;
		kapture_take_turns_in(fetch->kapture, 0);
	}
	uv_close((uv_handle_t *)&fetch->timer, fetch_closed);
}

uint64_t kapture_sent(const struct source_fetch *fetch)
{
	return fetch->sent;
}

int kapture_start(struct source *source, const struct source_question *question,
                  source_done_fn *done, void *userdata, struct source_fetch **ret)
{
	struct kapture *kapture = container_of(source, struct kapture, source);
	struct source_fetch *fetch;
	int r;

	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;

	fetch->kapture = kapture;
	fetch->question = *question;
	fetch->done = done;
	fetch->userdata = userdata;
	fetch->deadline_ms = uv_now(kapture->loop) + kapture->timeout_ms;
	list_init(&fetch->link);
	uv_timer_init(kapture->loop, &fetch->timer);
	r = fetch_write_request(fetch);
	if (r) {
		kapture_free_fetch(fetch);
		return r;
	}

	if (gate_is_closed(&kapture->gate, kapture_door(question->key.kind)) &&
	    kapture->keeper.look)
		kapture->keeper.look(kapture->keeper.userdata);
	fetch_wait(fetch, false);
	*ret = fetch;
	return 0;
}
