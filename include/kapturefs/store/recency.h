#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Of questions that are under way at a time, the later one may be answered first, and both may be
 * about one customer, by different keys: then the later question has the newer answer, whichever
 * comes last.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The customers answered for while an earlier question was under way. Zero to begin with. */
struct recency {
	struct recency_entry *entries;
	size_t count;
	size_t capacity;
};

void recency_fini(struct recency *recency);

/**
 * The question with @number, which ascends, is answered with the customer @id. Returns whether a
 * later one was already. Without memory it may return false instead.
 */
bool recency_is_late(struct recency *recency, const char *id, uint64_t number);

/** Questions before the one with @oldest are not under way any more. */
void recency_prune(struct recency *recency, uint64_t oldest);
