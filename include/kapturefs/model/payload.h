#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What an answer of the Get Customer API says.
 *
 * Source: the vendor's page "Get Customer API" and what is known beyond it:
 * the verdict is the body's `status`, compared without regard to case, and the
 * types of its members; `Customer Details` is an object on success and a sentence on
 * failure, of which one says that there is no such customer, see absence.h; `Invalid Auth
 * Key` as `message`, or in place of the customer, means that the token is refused. An id has
 * 1 to 20 digits, as a number or a string, not all of them 0. A customer has at most
 * PAYLOAD_VALUES_MAX values, arrays, objects and what is named twice included.
 */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/record.h"

enum { PAYLOAD_VALUES_MAX = 1 << 16 };

enum payload_verdict {
	PAYLOAD_FOUND,     /* status success, Customer Details is an object with an id */
	PAYLOAD_ABSENT,    /* status failed, Customer Details says that there is no such customer */
	PAYLOAD_REFUSED,   /* Invalid Auth Key */
	PAYLOAD_FAILED,    /* status failed, for a reason that is not documented */
	PAYLOAD_MALFORMED, /* not what the API documents */
	PAYLOAD_TOO_LARGE, /* more values than a customer may have */
};

struct payload {
	enum payload_verdict verdict;
	struct record *record; /* owned; of PAYLOAD_FOUND, else NULL */
	const char *complaint; /* of the last two: what is wrong, static, without customer data */
	bool is_page;   /* ... it is no JSON at all: a page of HTML, a line of text, nothing */
	char *sentence; /* owned; of PAYLOAD_FAILED: what the API says, which may be anything,
	                     * or NULL */
};

/**
 * Read a reply's body; @absent_text is one more sentence by which there is no such customer, or
 * NULL. Returns 0 with *@ret to be ended by payload_fini(), or -ENOMEM.
 */
int payload_read(const char *body, size_t length, const char *absent_text,
                 struct payload *ret) must_check;
void payload_fini(struct payload *payload);

/**
 * Build a record from one customer's object as sent, as record_json() gave it. Returns 0, -EPROTO
 * if it is not such an object, -EFBIG if it has too many values, -ENOMEM.
 */
int payload_read_customer(const char *json, size_t length, struct record **ret) must_check;

/**
 * Read the id of such an object alone, whatever the rest of it takes. Returns 0, -EPROTO as above,
 * -EFBIG if it has too many ids, -ENOMEM.
 */
int payload_read_id(const char *json, size_t length, struct key *ret) must_check;

/** The version of cJSON that is loaded. */
const char *payload_cjson_version(void);
