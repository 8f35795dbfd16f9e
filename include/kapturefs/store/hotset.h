#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Customers kept parsed in memory, the least recently used dropped beyond a number of bytes. The
 * one that was put last stays whatever its size: the kernel asks for it many times in a row.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/store/cache.h"

struct hotset;

/** Begin empty. Returns 0 or -ENOMEM. */
int hotset_new(size_t size_max, struct hotset **ret) must_check;

/** Drop everything; NULL is ignored. */
void hotset_free(struct hotset *hotset);
define_cleanup(struct hotset *, hotset_free);

/**
 * The customer with @slot, a reference of its record included, and true; or false. It now counts
 * as just used.
 */
bool hotset_find(struct hotset *hotset, uint32_t slot, struct cache_customer *ret);

/**
 * Keep @customer, taking a reference of its record, in place of what was kept for its slot.
 * Without memory, nothing is kept.
 */
void hotset_put(struct hotset *hotset, const struct cache_customer *customer);

/** Forget the customer with @slot, if kept. */
void hotset_remove(struct hotset *hotset, uint32_t slot);

/** Forget all customers. */
void hotset_clear(struct hotset *hotset);

/** Bytes that the kept records take. */
size_t hotset_size(const struct hotset *hotset);
