#pragma once
/* SPDX-License-Identifier: MIT */
/* The part of payload that makes a record of a customer's object. */

#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/record.h"

struct cJSON;

/**
 * Build a record from @customer, parsed from the armoured text and used up by
 * it, which was sent as @length bytes at @json. Returns 0; -EPROTO if it is not an
 * object with an id; -ENOMEM.
 */
int payload_build(struct cJSON *customer, const char *json, size_t length,
                  struct record **ret) must_check;
