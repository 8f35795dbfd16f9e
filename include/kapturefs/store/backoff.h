#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What has failed and is left alone for a while: for 1 s after a failure, for twice as long with
 * each in a row up to 30 s, or for as long as the API asks for if that is longer. The clock is the
 * caller's, in ms, and never goes back. Memory is bounded: where too many fail, those whose time is
 * over first, or next, are not known any more. Why something failed is known for longer than it is
 * left alone: until it is answered, or its room is needed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"

/** Whom a question is about: a customer, by slot, or with 0 whomever @key would lead to. */
struct backoff_subject {
	uint32_t customer;
	const struct key *key;
};

/** What the last failure was. */
struct backoff_failure {
	int error;     /* a negative errno */
	bool may_pass; /* as in source.h */
	uint64_t retry_after_ms;
	uint64_t epoch; /* the source's, see source.h: what failed in another one is tried again */
	const char *cause; /* in words, or NULL; copied, and borrowed of what is found */
	long status;       /* of HTTP, 0 without a reply */
};

struct backoff;

/** Begin. Returns 0 or -ENOMEM. */
int backoff_new(struct backoff **ret) must_check;
void backoff_free(struct backoff *backoff);

/** The subject has failed at @now_ms. */
void backoff_fail(struct backoff *backoff, struct backoff_subject subject,
                  const struct backoff_failure *failure, uint64_t now_ms);

/** The same, but it counts for nothing: only why is kept, unless it is left alone. */
void backoff_note(struct backoff *backoff, struct backoff_subject subject,
                  const struct backoff_failure *failure, uint64_t now_ms);

/** The last failure of the subject if it is left alone at @now_ms; else NULL. */
const struct backoff_failure *backoff_find(const struct backoff *backoff,
                                           struct backoff_subject subject, uint64_t now_ms);

/** The same, whether or not it is left alone. */
const struct backoff_failure *backoff_last(const struct backoff *backoff,
                                           struct backoff_subject subject);

/** How long it is left alone yet; 0 if it is not. */
uint64_t backoff_left_ms(const struct backoff *backoff, struct backoff_subject subject,
                         uint64_t now_ms);

/** The subject has not failed, or is to be asked for again: the row is over. */
void backoff_end(struct backoff *backoff, struct backoff_subject subject);
