#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of kapture: what its files share, and nobody else uses. */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/list.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/io/turns.h"
#include "kapturefs/store/gate.h"
#include "kapturefs/store/kapture.h"
#include "kapturefs/store/share.h"

enum {
	KAPTURE_OUTCOMES = 11,
	/* The rows for answers that are no errors. */
	KAPTURE_FOUND = 0,
	KAPTURE_ABSENT,
};

/* What one request came to, by the errno that it would be; found and absent have none. */
struct kapture_outcome {
	int error;
	const char *label;
};

extern const struct kapture_outcome kapture_outcomes[KAPTURE_OUTCOMES];

struct kapture {
	struct source source;
	uv_loop_t *loop;
	struct http *http;
	char *url;
	char *page_url;
	char **headers;        /* the first carries the token */
	uint64_t token_number; /* which token it is */
	uint64_t token_judged; /* ... and which one was the last that the keeper was told of */
	bool is_token_accepted;
	uint64_t epoch; /* how often the doors were opened */
	char *request_members;
	uint32_t phone_country;
	char *absent_text; /* or NULL */
	uint64_t timeout_ms;
	uint32_t retries;
	uint32_t asking_max;
	uint32_t asking; /* requests under way */
	struct kapture_keeper keeper;
	struct gate gate;
	struct shares shares;
	struct list queues[SOURCE_HURRIES]; /* of fetches; of those in a hurry by their places */
	struct list ended;                  /* those whose turn never came, until they are told */
	struct turn_share ending;
	uv_timer_t end; /* of those; runs while there are any */
	uint64_t queued_count;
	uv_timer_t turn; /* due when the next of them may go */
	struct counter requests[KAPTURE_OUTCOMES];
	struct counter retried;
	struct counter throttled;
	struct counter held_back;
	struct counter budget;
	struct counter rate;
	struct counter connections;
	struct counter queued;
	struct counter breaker_state;
	struct counter door_state;
	struct counter day_door_state;
	struct histogram durations;
	struct recent recent;
	struct key failed; /* the key of the last request that failed */
};

/** One question under way. */
struct source_fetch {
	struct kapture *kapture;
	struct list link;
	struct source_question question; /* its hurry as it is now */
	struct share_place place;        /* among those that wait in a hurry */
	char *body;
	struct roster roster;  /* of a date: whom the pages so far have shown */
	uint32_t records;      /* on those pages, somebody shown twice counting twice */
	uint32_t pages;        /* that have been read */
	uint32_t page_records; /* on the last of them */
	bool is_last_page;     /* none comes after it */
	bool is_documented;    /* as in payload_page.h: so is a page's list */
	bool is_international; /* of a phone number: asked for with the code of its country */
	struct http_transfer *transfer;
	uv_timer_t timer;
	uint64_t deadline_ms;    /* of the loop's clock */
	uint64_t try_started_ns; /* of uv_hrtime() */
	uint64_t try_time_ms;    /* that the last try was given */
	uint64_t token_number;   /* of the last try */
	uint64_t sent;           /* as its source_operations tell */
	uint32_t tries;
	bool was_throttled;
	long status;                 /* of the last try, 0 without a reply */
	struct kapture_verdict last; /* of the last try, if that failed */
	char cause[256];             /* of the last try, in words */
	source_done_fn *done;
	void *userdata;
};

/* The source's operations on fetches. */
int kapture_start(struct source *source, const struct source_question *question,
                  source_done_fn *done, void *userdata, struct source_fetch **ret) must_check;
uint64_t kapture_sent(const struct source_fetch *fetch);
void kapture_hurry(struct source_fetch *fetch, enum source_hurry hurry);
void kapture_join(struct source_fetch *fetch, uint64_t caller);
void kapture_free_fetch(struct source_fetch *fetch);

/** Make up the request for what @fetch asks for. Returns 0, -EINVAL, -ENOMEM. */
int fetch_write_request(struct source_fetch *fetch) must_check;

/**
 * Judge the reply to a question for a date. Returns 0, -EFBIG, or -ENOMEM.
 */
int fetch_read_page(struct source_fetch *fetch, const struct http_reply *reply,
                    struct kapture_verdict *ret) must_check;

/**
 * Whether more pages are to be asked for after one that was read, or *@verdict says why they cannot
 * be; if so, that has begun.
 */
bool fetch_next_page(struct source_fetch *fetch, struct kapture_verdict *verdict) must_check;

/**
 * Whether a phone number that the API does not know is to be asked for once more, with the code of
 * its country, or *@verdict says why it cannot be; if so, that has begun.
 */
bool fetch_next_form(struct source_fetch *fetch, struct kapture_verdict *verdict) must_check;

/** Ask what @fetch asks for, once. */
void fetch_try(struct source_fetch *fetch);

/** Hand the answer over; @fetch may be gone after that. */
void fetch_conclude(struct source_fetch *fetch, const struct kapture_verdict *verdict);

/** How many ms are left until the deadline. */
uint64_t fetch_time_left(const struct source_fetch *fetch);

/** Whether there will be time enough at @at_ms, of the loop's clock, for an answer to come. */
bool fetch_has_time(const struct source_fetch *fetch, uint64_t at_ms) must_check;

/** Have @fetch wait for its turn, before all others or after them. */
void fetch_wait(struct source_fetch *fetch, bool is_first);

/** Have it wait no longer; nothing happens if it does not. */
void fetch_leave_queue(struct source_fetch *fetch);

/** The door by which a question about a key of @kind goes. */
enum gate_door kapture_door(enum key_kind kind);

/** Look in @wait_ms, and not now, whose turn it is. */
void kapture_take_turns_in(struct kapture *kapture, uint64_t wait_ms);

/** Tell the keeper how the API takes the token, if that is news. */
void kapture_judge_token(struct kapture *kapture, bool is_accepted);

/** Have the keeper look for another token. Returns whether there is one since token @number. */
bool kapture_look_for_token(struct kapture *kapture, uint64_t number) must_check;
