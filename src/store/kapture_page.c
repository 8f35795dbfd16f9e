/* SPDX-License-Identifier: MIT */
/*
 * What is asked, the pages in which a date is answered, and the second form of a phone number.
 *
 * A page comes after the other until one is empty, a stated total is reached, or one brings nobody
 * new; each has its own turn, tries and time. What is not known of the API, and what is made of it:
 *
 *   whether the last day of the range is included   the range is that of the vendor's sample, a
 *                                                   day and the next, which has to be 24 hours
 *   how many customers a page has at most           a page that is short of `limit` is no end
 *   whether pages stay put while customers come     who is shown twice counts once
 *   whether `offset` does anything                  a page of nobody new is an end after one that
 *                                                   was not full, and an error after one that was
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/model/date.h"
#include "kapturefs/model/json_writer.h"
#include "kapturefs/model/payload_page.h"
#include "kapturefs/store/kapture_parts.h"

enum {
	REQUEST_SIZE_MAX = 1 << 20,
	PAGE_RECORDS = 100, /* what the API documents as its own choice */
};

/* Asking */

/* The page asks for one of the three members, so one is sent. */
static int write_key(const struct source_fetch *fetch, struct buffer *body)
{
	const struct key *key = &fetch->question.key;
	int r = buffer_print(body, "\"%s\":", key_kind_facts(key->kind)->request_member);

	/* It is digits alone. */
	if (!r && fetch->is_international)
		return buffer_print(body, "\"%" PRIu32 "%s\"", fetch->kapture->phone_country,
		                    key->text);
	return r ? r : json_append_string(body, key->text, strlen(key->text));
}

static int write_account(const char *account, struct buffer *body)
{
	int r = buffer_append_text(body, "\"cm_id\":");

	if (r)
		return r;
	/* A number in the vendor's sample, a string in its table. */
	if (!account[strspn(account, "0123456789")])
		return buffer_append_text(body, account);
	return json_append_string(body, account, strlen(account));
}

static int write_page(const struct source_fetch *fetch, struct buffer *body)
{
	const struct source_question *question = &fetch->question;
	char next[DATE_SIZE];
	int32_t day;
	int r;

	if (!question->account[0] ||
	    date_parse(question->key.text, strlen(question->key.text), &day))
		return -EINVAL;
	date_print(day + 1, next);
	r = write_account(question->account, body);
	if (!r)
		r = buffer_print(body,
		                 ",\"createStartDate\":\"%s\",\"createEndDate\":\"%s\","
		                 "\"limit\":\"%d\",\"offset\":\"%u\"",
		                 question->key.text, next, PAGE_RECORDS, fetch->records);
	return r;
}

/* Get Customer takes an array of exactly one object, Pull Customer the object alone. */
int fetch_write_request(struct source_fetch *fetch)
{
	cleanup(buffer_fini) struct buffer body;
	const char *more = fetch->kapture->request_members;
	bool is_page = fetch->question.key.kind == KEY_DATE;
	int r;

	buffer_init(&body, REQUEST_SIZE_MAX);
	r = buffer_append_text(&body, is_page ? "{" : "[{");
	if (!r)
		r = is_page ? write_page(fetch, &body) : write_key(fetch, &body);
	if (!r && more)
		r = buffer_print(&body, ",%s", more);
	if (!r)
		r = buffer_append_text(&body, is_page ? "}" : "}]");
	if (r)
		return r;

	free(fetch->body);
	fetch->body = buffer_steal(&body);
	return 0;
}

/* Answers */

/* Note what @page says of the question as a whole. Returns the verdict on it alone. */
static struct kapture_verdict judge_page(struct source_fetch *fetch, const struct http_reply *reply,
                                         const struct payload_page *page)
{
	struct payload payload = { .verdict = page->verdict,
		                   .complaint = page->complaint,
		                   .is_page = page->is_page };
	bool was_full = fetch->page_records >= PAGE_RECORDS;

	/* That there is nobody is only said by a reply that says nothing else is wrong. */
	if (page->verdict == PAYLOAD_ABSENT && reply->status >= 400)
		payload.verdict = PAYLOAD_FAILED;
	if (page->count && !page->count_new && was_full)
		return kapture_failure(-EPROTO, "the pages do not go on");
	fetch->roster.is_vague |= page->is_text;
	fetch->is_documented |= page->is_documented;
	fetch->is_last_page =
	        !page->count_new || (page->total && fetch->roster.present >= page->total);
	return kapture_judge(&fetch->question.key, reply, &payload);
}

int fetch_read_page(struct source_fetch *fetch, const struct http_reply *reply,
                    struct kapture_verdict *ret)
{
	const struct payload_page_question question = {
		.account = fetch->question.account,
		.is_documented = fetch->is_documented,
	};
	struct payload_page page = { .count = 0 };
	int r = 0;

	if (!reply->error)
		r = payload_read_page(reply->body, reply->body_length, &question, &fetch->roster,
		                      &page);
	if (r) {
		fetch->page_records = 0;
		return r;
	}
	*ret = judge_page(fetch, reply, &page);
	fetch->page_records = page.count;
	return 0;
}

/* Its own turn, tries and time; false, with *@verdict, if it cannot be. */
static bool ask_next(struct source_fetch *fetch, struct kapture_verdict *verdict)
{
	int r = fetch_write_request(fetch);

	if (r) {
		*verdict = kapture_trouble(r, "out of memory");
		return false;
	}
	fetch->tries = 0;
	fetch->deadline_ms = uv_now(fetch->kapture->loop) + fetch->kapture->timeout_ms;
	fetch_wait(fetch, false);
	return true;
}

bool fetch_next_page(struct source_fetch *fetch, struct kapture_verdict *verdict)
{
	if (fetch->question.key.kind != KEY_DATE || fetch->is_last_page)
		return false;
	fetch->records += fetch->page_records;
	fetch->pages++;
	return ask_next(fetch, verdict);
}

bool fetch_next_form(struct source_fetch *fetch, struct kapture_verdict *verdict)
{
	const struct key *key = &fetch->question.key;
	uint32_t country = fetch->kapture->phone_country;
	char code[sizeof("4294967295")];

	if (key->kind != KEY_PHONE || !country || fetch->is_international)
		return false;
	snprintf(code, sizeof(code), "%" PRIu32, country);
	if (strlen(code) + strlen(key->text) > KEY_DIGITS_MAX)
		return false;
	fetch->is_international = true;
	return ask_next(fetch, verdict);
}
