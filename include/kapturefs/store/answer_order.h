#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Which answers count when tries overlap.
 *
 * The API reads a customer at some moment between a try's departure and its answer's arrival. Of
 * two tries that overlap nobody here can tell which was read first, whichever was asked or answered
 * first. So an answer counts only if its try was sent after what it would replace was stored, for
 * then it was read later. Before and after are by the numbers of source_draw(), never by a clock: a
 * try draws one when it is sent, and so does whoever stores or forgets.
 *
 * What was stored is noted by key; that of a customer's values is the key by its id. A note is
 * needed for as long as a try is under way that was sent before it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/roster.h"

/** When something was stored, and by a try that was sent when. */
struct answer_note {
	uint64_t stored; /* 0: before any try under way was sent */
	uint64_t sent;   /* 0: nobody knows, or it was forgotten */
	bool is_forgotten;
};

/** Zero to begin with. */
struct answer_order {
	struct answer_entry *entries; /* by the hash of their key */
	size_t count;
	size_t capacity; /* a power of two, or 0 */
	size_t forgotten_count;
	uint64_t floor; /* whatever has no note may have been stored as late as this */
};

void answer_order_fini(struct answer_order *order);

/** What is known of @key. */
struct answer_note answer_order_find(const struct answer_order *order, const struct key *key);

/** Whether @key has been stored or forgotten since a try was sent with the number @sent. */
bool answer_order_is_late(const struct answer_order *order, const struct key *key, uint64_t sent);

/** Whether a customer in @roster has been forgotten since. */
bool answer_order_has_forgotten(const struct answer_order *order, const struct roster *roster,
                                uint64_t sent);

/** Whether there is no room for another note without forgetting or growing. */
bool answer_order_is_full(const struct answer_order *order);

/**
 * Drop what was stored before @oldest, the lowest number of the tries under way, and make room.
 * Where there is no memory for it, every try under way counts as late.
 */
void answer_order_prune(struct answer_order *order, uint64_t oldest);

/** Note what became of @key; as answer_order_prune() if it is full. */
void answer_order_note(struct answer_order *order, const struct key *key,
                       const struct answer_note *note);

/** Anything may have been stored or forgotten until now, at @stored. */
void answer_order_note_all(struct answer_order *order, uint64_t stored);
