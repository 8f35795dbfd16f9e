#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Values that were replaced, for whoever had been told of them.
 *
 * A reader asks for the size first and for the bytes next, and an answer may come between; or he
 * reads slowly. As a changed value is another node, a read says which version it means, and gets
 * that, whole, for as long as there is room: nobody can know who still reads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/node.h"
#include "kapturefs/model/record.h"

struct superseded;

/** Begin empty; what takes more than @size_max bytes makes the oldest go. Returns 0 or -ENOMEM. */
int superseded_new(size_t size_max, struct superseded **ret) must_check;
void superseded_free(struct superseded *superseded);
define_cleanup(struct superseded *, superseded_free);

/**
 * An answer took the place of @record, of the customer with the slot @customer, at @now_ms of any
 * clock that does not jump; @at_once if somebody waits to see it. Where there is no memory, it is
 * not kept.
 */
void superseded_add(struct superseded *superseded, uint32_t customer, struct record *record,
                    bool at_once, uint64_t now_ms);

/** The record in which @node, a NODE_FIELD or NODE_JSON, has its version; borrowed, or NULL. */
struct record *superseded_find(const struct superseded *superseded, const struct node *node);

/** The same, of what was replaced at @since_ms or later, by nothing that had to be seen at once. */
struct record *superseded_find_young(const struct superseded *superseded, const struct node *node,
                                     uint64_t since_ms);

/** Drop what is kept of @customer. */
void superseded_forget(struct superseded *superseded, uint32_t customer);
