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

/** What an error says of the API as a whole, and not of one question alone. */
enum kapture_blame {
	KAPTURE_BLAME_NOTHING, /* nothing: it is this reply's, or ours */
	KAPTURE_BLAME_API,     /* it cannot be reached, or does not work */
	KAPTURE_BLAME_TOKEN,   /* it refuses the token */
	KAPTURE_BLAME_ACCESS,  /* it denies access, to this key or to all */
};

struct kapture_verdict {
	struct source_answer answer;
	bool may_retry;           /* of an error: trying again soon is of use */
	enum kapture_blame blame; /* of an error */
	const char *cause;        /* of an error: in words, for the log; as long as the fetch */
};

/** An error of one reply, which trying again soon does not change. */
struct kapture_verdict kapture_failure(int error, const char *cause);

/** An error that may be gone soon. */
struct kapture_verdict kapture_trouble(int error, const char *cause);

/** The API refuses the token: the only error that is definite. */
struct kapture_verdict kapture_refusal(const char *cause);

/**
 * Judge a reply to the question for @key, @payload being what its body says; without a whole
 * reply it is not looked at. The answer's record is the payload's.
 */
struct kapture_verdict kapture_judge(const struct key *key, const struct http_reply *reply,
                                     const struct payload *payload) must_check;
