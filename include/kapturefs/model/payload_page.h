#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What one answer of the Pull Customer API says: a page of the customers created on a day.
 *
 * Source: the vendor's page "Pull Customer API by Date Range" for the request; its sample of the
 * answer is not known. So the customers are looked for where sibling endpoints have their lists:
 * `message` or `Customer Details`, or the first array of objects among the members of one of these;
 * and only if there is none, among the members of the answer. Of each its `id` is taken or, where
 * that is left out or empty, its `customer_id`, `kapture_customer_id` or `leadId`. Nothing else is
 * kept, or takes memory while the page is read: nobody says that these are the objects that Get
 * Customer answers with, and there may be any number of them, of any size.
 *
 * There is nobody on a page only if the answer says so, on success: with an empty array in one of
 * those places; or, which is less to go by, with a text in place of the list. Not if there are
 * objects in an array elsewhere, which could be the customers; and never on failure.
 *
 * How many customers there are on all pages may be stated as `totalCount`, as Pull Ticket does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/model/roster.h"

struct payload_page {
	enum payload_verdict verdict; /* absent: nobody is (any more) on this page */
	uint32_t count;               /* of PAYLOAD_FOUND: customers on the page */
	uint32_t count_new;           /* ... who were not in the roster yet */
	bool is_documented;           /* ... under `message` or `Customer Details` */
	bool is_text;                 /* of PAYLOAD_ABSENT: by a text, which could mean anything */
	uint64_t total;               /* customers on all pages, 0 if that is not stated */
	const char *complaint;        /* as in payload.h, like is_page */
	bool is_page;
};

/** What was asked for, and what is known from the pages before. */
struct payload_page_question {
	const char *account;
	bool is_documented; /* so was a page before: the list is nowhere else */
};

/**
 * Read a reply's body, the answer to @question, and add whom it finds to @roster, which
 * is of use on PAYLOAD_FOUND and PAYLOAD_ABSENT only. Returns 0, -EFBIG when there are too many for
 * a roster, or -ENOMEM.
 */
int payload_read_page(const char *body, size_t length, const struct payload_page_question *question,
                      struct roster *roster, struct payload_page *ret) must_check;
