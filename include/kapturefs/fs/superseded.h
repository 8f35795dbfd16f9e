#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Values that were replaced a moment ago, for whoever had been told of them.
 *
 * A reader asks for the size first and for the bytes next, and an answer may come between. As a
 * changed value is another node, a read says which version it means; it gets that, whole, for as
 * long as a reader may be on his way. After that the node shows the present value.
 */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/node.h"
#include "kapturefs/model/record.h"

struct superseded;

enum {
	SUPERSEDED_LIFE_MS = 4000,      /* no longer than it takes versions to come round again */
	SUPERSEDED_SIZE_MAX = 64 << 20, /* bytes of records; the oldest make room */
};

/** Begin empty. Returns 0 or -ENOMEM. */
int superseded_new(struct superseded **ret) must_check;
void superseded_free(struct superseded *superseded);
define_cleanup(struct superseded *, superseded_free);

/**
 * An answer took the place of @record, of the customer with the slot @customer, at @now_ms of any
 * clock that does not jump.
 */
void superseded_add(struct superseded *superseded, uint32_t customer, struct record *record,
                    uint64_t now_ms);

/** The record in which @node, a NODE_FIELD or NODE_JSON, has its version; borrowed, or NULL. */
struct record *superseded_find(const struct superseded *superseded, const struct node *node,
                               uint64_t now_ms);

/** Drop what is kept of @customer. */
void superseded_forget(struct superseded *superseded, uint32_t customer);
