#pragma once
/* SPDX-License-Identifier: MIT */
/* Customers for tests of the store, and answers that carry them. */

#include <stdio.h>
#include <string.h>

#include "kapturefs/model/key.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/model/record.h"

/* A record fresh from payload, as the API would send it. */
static inline struct record *make_customer(const char *id, const char *account, const char *name)
{
	struct record *record = NULL;
	char json[512];

	snprintf(json, sizeof(json),
	         "{\"id\":%s,\"cmId\":%s,\"name\":\"%s\",\"maxCreditAmt\":0.0,"
	         "\"contacts\":[{\"id\":%s1,\"isPrimaryContact\":true}]}",
	         id, account, name, id);
	assert_int_equal(payload_read_customer(json, strlen(json), &record), 0);
	return record;
}

static inline struct key make_key(enum key_kind kind, const char *text)
{
	struct key key;

	assert_int_equal(key_parse(kind, text, strlen(text), &key), 0);
	return key;
}

static inline const char *name_of(const struct record *record)
{
	return record_child(record, record_member(record, 0), "name", 4)->value;
}
