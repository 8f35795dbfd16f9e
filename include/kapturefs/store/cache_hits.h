#pragma once
/* SPDX-License-Identifier: MIT */
/* How well a folded text matches some words, and the best of those that do. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

/* How a word occurs in a text. The worse is the less. */
enum {
	HIT_NONE,
	HIT_PART,
	HIT_END,
	HIT_BEGINNING,
	HIT_WHOLE,
};

enum { HITS_WORDS_MAX = 16 };

struct hits_words {
	struct buffer text; /* folded; the words stand in it */
	const char *words[HITS_WORDS_MAX];
	size_t lengths[HITS_WORDS_MAX];
	size_t count; /* 0: nobody matches */
};

/** Take what stands between the blanks of @text. Returns 0 or a negative errno. */
int hits_words_init(struct hits_words *words, const char *text) must_check;
void hits_words_fini(struct hits_words *words);

/**
 * 0 if not all words occur in @text; what is greater is better: first by how they occur, and then
 * by how early, for the name stands first.
 */
uint32_t hits_score(const struct hits_words *words, const char *text, size_t length);

/** The sum of how the words occur, of a score. */
unsigned hits_class(uint32_t score);

/* While they are added, a heap with the worst at the top. */
struct hits {
	struct hit {
		uint32_t slot;
		uint32_t score;
	} * all;
	size_t count;
	size_t count_max;
};

/** Begin without any, to keep @count_max. Returns 0 or -ENOMEM. */
int hits_init(struct hits *hits, size_t count_max) must_check;
void hits_fini(struct hits *hits);

/** Add one, which may be there already, unless all that are kept are better. */
void hits_add(struct hits *hits, uint32_t slot, uint32_t score);

/** Whether none that is of @class or a worse one is needed. */
bool hits_suffice(const struct hits *hits, unsigned class);

/** Write the slots into @ret, the best first, and let go of them. Returns how many. */
size_t hits_conclude(struct hits *hits, uint32_t *ret);
