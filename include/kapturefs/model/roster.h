#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The ids of the customers created on one day. Each has a place, which it keeps whatever comes and
 * goes later, so that a node can be made of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/base/string_set.h"
#include "kapturefs/model/key.h"

enum { ROSTER_PLACES_MAX = (1 << 20) - 1 };

/** Zero to begin with: nobody. A place is one more than an id's in the set. */
struct roster {
	struct string_set ids; /* as keys spell them, those that are gone as well */
	bool *gone;            /* one an id: it has been here, and its place stays */
	uint32_t gone_capacity;
	uint32_t present; /* ids that are not gone */
	bool is_vague;    /* it ends, or begins, with a text in place of a list: good for its ttl
	                   * only, and not against anybody who was there before; not written */
};

void roster_fini(struct roster *roster);

/** The outcome of roster_add() for an id that is there already. */
enum { ROSTER_KNOWN = 1 };

/**
 * Add the customer with @id, as a key spells it; at its old place, if it has one. Returns 0,
 * ROSTER_KNOWN, -EFBIG when all places are taken, or -ENOMEM.
 */
int roster_add(struct roster *roster, const char *id) must_check;

/**
 * Have @roster say what @now does: whoever is only in one of them goes, or comes. Returns 0 with
 * *@ret_changed saying whether anybody did, -EFBIG, or -ENOMEM; on failure @roster is of no use.
 */
int roster_follow(struct roster *roster, const struct roster *now, bool *ret_changed) must_check;

/** @id goes, if it is there; its place stays. */
void roster_remove(struct roster *roster, const char *id);

/** The place of @id, or 0 if it is not there. */
uint32_t roster_find(const struct roster *roster, const char *id, size_t length);

/** Who is at @place; NULL for nobody. */
const char *roster_at(const struct roster *roster, uint32_t place);

/**
 * Append the roster as a text: a newline, and an id and a newline for each place, with a `-` in
 * front of what is gone. Errors as buffer_append().
 */
int roster_write(const struct roster *roster, struct buffer *buffer) must_check;

/** Read such a text into the empty *@ret. Returns 0, -EILSEQ if it is none, or -ENOMEM. */
int roster_read(const char *text, size_t length, struct roster *ret) must_check;
