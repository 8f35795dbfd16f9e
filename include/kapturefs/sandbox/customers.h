#pragma once
/* SPDX-License-Identifier: MIT */
/* The sandbox's customers: generated, but for what tests have changed. Not locked. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/model/key.h"
#include "kapturefs/sandbox/generator.h"
#include "kapturefs/sandbox/members.h"

/** A change to one customer; every part of it may be missing. */
struct change {
	struct members set;     /* members and their new values */
	struct members removed; /* names */
	bool has_deleted;
	bool is_deleted; /* gone, or there again */
};

void change_fini(struct change *change);

struct changed_customer;

struct customers {
	struct generator generator;
	struct changed_customer *changed; /* by index, ascending */
	size_t changed_count;
};

void customers_init(struct customers *customers, struct generator generator);

/** Forget every change. */
void customers_reset(struct customers *customers);

/**
 * Find a customer that is not deleted. Its keys are the generated ones, whatever
 * has been changed in its contacts: so it can be made to look like the answer to another question.
 */
bool customers_find(const struct customers *customers, const struct key *key, uint32_t *ret);

bool customers_is_deleted(const struct customers *customers, uint32_t index);

/** Append the object of customer @index. Errors as buffer_append(). */
int customers_write(const struct customers *customers, uint32_t index,
                    struct buffer *buffer) must_check;

/**
 * Change customer @index, deleted or not, once more. Returns 0, or -ENOMEM with
 * part of the change made.
 */
int customers_change(struct customers *customers, uint32_t index,
                     const struct change *change) must_check;
