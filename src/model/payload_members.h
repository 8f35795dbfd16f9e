#pragma once
/* SPDX-License-Identifier: MIT */
/* The part of payload that makes a record of a customer's object. */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/record.h"

struct cJSON;

/**
 * Build a record from @customer, parsed from the armoured text and used up by
 * it, which was sent as @length bytes at @json. Returns 0; -EPROTO if it is not an
 * object with an id; -EFBIG if it has too many values; -ENOMEM.
 */
int payload_build(struct cJSON *customer, const char *json, size_t length,
                  struct record **ret) must_check;

/** The id of @customer, an object: false if it has none that a key can be. */
bool payload_find_id(const struct cJSON *customer, struct key *ret) must_check;
