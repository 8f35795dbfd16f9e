#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What a reply of the API comes to: the contract's table of errors.
 *
 * The verdict is in the body before it is in the HTTP code; the codes are those of the vendor's
 * page "Get Customer API".
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/io/http.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/store/source.h"

struct kapture_verdict {
	struct source_answer answer;
	bool may_retry;    /* of an error: trying again soon is of use */
	const char *cause; /* of an error: in words, for the log; static */
};

/** An error that is neither retried nor made up for. */
struct kapture_verdict kapture_failure(int error, const char *cause);

/** An error that may pass by itself. */
struct kapture_verdict kapture_trouble(int error, const char *cause);

/**
 * Judge a reply to the question for @key, @payload being what its body says; without a whole
 * reply it is not looked at. The answer's record is the payload's.
 */
struct kapture_verdict kapture_judge(const struct key *key, const struct http_reply *reply,
                                     const struct payload *payload) must_check;
