/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#include "kapturefs/store/kapture_verdict.h"

static const char refused[] = "the API refuses the token";
static const char unknown_words[] =
        "the API reports a failure in words that are not documented; kapturefs doctor shows "
        "them, see absent_text";

/* The first row that has the status counts. */
static const struct status_row {
	long first;
	long last;
	int error;
	bool may_retry;
	enum kapture_blame blame;
	const char *cause;
} statuses[] = {
	{ 403, 403, -EACCES, false, KAPTURE_BLAME_ACCESS, "the API denies access" },
	{ 400, 400, -EINVAL, false, KAPTURE_BLAME_NOTHING, "the API calls the request invalid" },
	{ 429, 429, -EBUSY, true, KAPTURE_BLAME_NOTHING, "the API asks for fewer requests" },
	{ 500, 599, -EIO, true, KAPTURE_BLAME_API, "the API reports a fault of its own" },
	{ 300, 399, -EPROTO, false, KAPTURE_BLAME_NOTHING,
	  "the API redirects, which is never followed" },
	{ 0, 199, -EIO, false, KAPTURE_BLAME_NOTHING,
	  "the API answers with an unexpected HTTP code" },
	{ 400, 999, -EIO, false, KAPTURE_BLAME_NOTHING,
	  "the API answers with an unexpected HTTP code" },
};

/* What becomes of a transfer without a whole reply. */
static const struct transport_row {
	int error;
	bool may_retry;
	enum kapture_blame blame;
} transports[] = {
	{ -EHOSTUNREACH, true, KAPTURE_BLAME_API },
	{ -ETIMEDOUT, true, KAPTURE_BLAME_API },
	/* The connection broke. */
	{ -EIO, true, KAPTURE_BLAME_API },
	/* The API is not reached, or somebody else is in its place; that does not change soon. */
	{ -EPROTO, false, KAPTURE_BLAME_API },
	/* What is lacking here is not the API's fault. */
	{ -EMFILE, true, KAPTURE_BLAME_NOTHING },
};

struct kapture_verdict kapture_failure(int error, const char *cause)
{
	return (struct kapture_verdict){
		.answer = { .error = error, .may_pass = true },
		.cause = cause,
	};
}

struct kapture_verdict kapture_trouble(int error, const char *cause)
{
	struct kapture_verdict verdict = kapture_failure(error, cause);

	verdict.may_retry = true;
	return verdict;
}

struct kapture_verdict kapture_refusal(const char *cause)
{
	return (struct kapture_verdict){
		.answer.error = -EACCES,
		.blame = KAPTURE_BLAME_TOKEN,
		.cause = cause,
	};
}

static struct kapture_verdict judge_transport(const struct http_reply *reply)
{
	struct kapture_verdict verdict = kapture_failure(reply->error, reply->complaint);

	for (size_t i = 0; i < array_length(transports); i++) {
		if (transports[i].error == reply->error) {
			verdict.may_retry = transports[i].may_retry && !reply->is_lasting;
			verdict.blame = transports[i].blame;
		}
	}
	/* It is there, for a reply has begun; what is wrong with that is this reply's. */
	if (reply->error == -EPROTO && reply->status)
		verdict.blame = KAPTURE_BLAME_NOTHING;
	return verdict;
}

/* Without the documented body there is only the HTTP code to go by. */
static struct kapture_verdict judge_status(long status, const struct payload *payload)
{
	for (size_t i = 0; i < array_length(statuses); i++) {
		const struct status_row *row = &statuses[i];
		struct kapture_verdict verdict = kapture_failure(row->error, row->cause);

		if (status < row->first || status > row->last)
			continue;
		verdict.may_retry = row->may_retry;
		verdict.blame = row->blame;
		return verdict;
	}
	if (payload->verdict == PAYLOAD_FAILED)
		return kapture_failure(-EIO, unknown_words);
	return kapture_failure(payload->verdict == PAYLOAD_TOO_LARGE ? -EFBIG : -EPROTO,
	                       payload->complaint);
}

/*
 * A page in place of JSON comes from whatever stands before the API, or from one that is down;
 * HTTP codes by which it is one question's matter come first.
 */
static struct kapture_verdict judge_other(long status, const struct payload *payload)
{
	struct kapture_verdict verdict = judge_status(status, payload);

	if (payload->is_page && verdict.answer.error != -EINVAL && verdict.answer.error != -EBUSY &&
	    verdict.blame == KAPTURE_BLAME_NOTHING)
		verdict.blame = KAPTURE_BLAME_API;
	verdict.answer.sentence = payload->sentence;
	return verdict;
}

/* An absence in a reply that says that the API does not work is none. */
static bool may_be_absence(long status)
{
	return status < 500 && status != 429;
}

struct kapture_verdict kapture_judge(const struct key *key, const struct http_reply *reply,
                                     const struct payload *payload)
{
	if (reply->error)
		return judge_transport(reply);
	if (reply->status == 401)
		return kapture_refusal(refused);

	switch (payload->verdict) {
	case PAYLOAD_FOUND:
		if (key->kind == KEY_ID && strcmp(record_id(payload->record), key->text) != 0)
			return kapture_failure(-EPROTO, "the answer is another customer's");
		return (struct kapture_verdict){ .answer.record = payload->record };
	case PAYLOAD_ABSENT:
		if (!may_be_absence(reply->status))
			break;
		return (struct kapture_verdict){ .cause = NULL };
	case PAYLOAD_REFUSED:
		return kapture_refusal(refused);
	case PAYLOAD_FAILED:
	case PAYLOAD_MALFORMED:
	case PAYLOAD_TOO_LARGE:
		break;
	}
	return judge_other(reply->status, payload);
}
