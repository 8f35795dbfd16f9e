#pragma once
/* SPDX-License-Identifier: MIT */
/* How much each user has of something of which there is a limited number. */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/** Begins zeroed. */
struct tally {
	struct tally_entry *entries; /* of those who have any, in no order */
	size_t count;
	size_t capacity;
};

void tally_fini(struct tally *tally);

/** How many @user has. */
size_t tally_of(const struct tally *tally, uint32_t user) must_check;

/** Make sure that the next tally_add() has room. Returns 0 or -ENOMEM. */
int tally_reserve(struct tally *tally) must_check;

/** @user has one more, for which tally_reserve() has been called. */
void tally_add(struct tally *tally, uint32_t user);

/** @user has one less, of those that were added. */
void tally_remove(struct tally *tally, uint32_t user);
