#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Whether the API is there and takes the token, by one question for a customer who cannot exist:
 * what doctor asks, and mounting.
 */

#include <stdbool.h>

#include "kapturefs/config/config.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/store/kapture.h"

enum { QUESTION_CAUSE_SIZE = 512, QUESTION_SENTENCE_SIZE = 512, QUESTION_TEXT_SIZE = 1024 };

struct question;

/** What came of it. */
struct question_outcome {
	int error;       /* 0, or a negative errno of the contract's table */
	bool is_refused; /* the token, not only the question */
	long status;     /* of HTTP, 0 without a reply */
	char cause[QUESTION_CAUSE_SIZE];
	char sentence[QUESTION_SENTENCE_SIZE]; /* the API's own, if it is not documented, or "" */
};

/** Runs once, from the loop. */
typedef void question_done_fn(void *userdata, const struct question_outcome *outcome);

/** Ask on @kapture's loop. Returns 0 with *@ret, or -ENOMEM. */
int question_start(struct kapture *kapture, question_done_fn *done, void *userdata,
                   struct question **ret) must_check;

/** Free it, under way or done. NULL is ignored. */
void question_free(struct question *question);
define_cleanup(struct question *, question_free);

/** Ask on a loop of its own, @retries times more if it may help, and wait. Returns 0 or -errno. */
int question_ask(const struct config *config, const struct config_secrets *secrets,
                 uint32_t retries, struct question_outcome *ret) must_check;

/** The same in a process that has no privilege and no thread of ours. */
int question_ask_apart(const struct config *config, const struct config_secrets *secrets,
                       uint32_t retries, struct question_outcome *ret) must_check;

/**
 * Say in one line what is wrong and how to fix it. Returns whether it is something that does not
 * pass by itself: the token is refused, the host does not exist, the certificate is wrong.
 */
bool question_explain(const struct question_outcome *outcome, const struct config *config,
                      char ret[QUESTION_TEXT_SIZE]);
