#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What one answer of the Pull Customer API says: a page of the customers created on a day.
 *
 * Source: the vendor's page "Pull Customer API by Date Range" for the request; its sample of the
 * answer is not known. So the customers are looked for where sibling endpoints have their lists:
 * the first array of objects among the members of the answer, then of its `message`, then of its
 * `Customer Details`. Of each its `id` is taken or, where that is left out or empty, its
 * `customer_id`, `kapture_customer_id` or `leadId`. Nothing else is kept: nobody says that these
 * are the objects that Get Customer answers with.
 *
 * There is nobody on a page only if the answer says so: with an empty array in one of those places
 * or `message` as a string, on success; with `Customer Details` as a string, on failure. Not if
 * there are objects in an array elsewhere, which could be the customers.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/model/roster.h"

struct payload_page {
	enum payload_verdict verdict; /* absent: nobody is (any more) on this page */
	uint32_t count;               /* of PAYLOAD_FOUND: customers on the page */
	uint32_t count_new;           /* ... who were not in the roster yet */
	const char *complaint; /* of PAYLOAD_MALFORMED: what is wrong, static, without customer data
	                        */
};

/**
 * Read a reply's body, asked for of the account @account, and add whom it finds to @roster, which
 * is of use on PAYLOAD_FOUND and PAYLOAD_ABSENT only. Returns 0, -EFBIG when there are too many for
 * a roster, or -ENOMEM.
 */
int payload_read_page(const char *body, size_t length, const char *account, struct roster *roster,
                      struct payload_page *ret) must_check;
