/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/fold.h"
#include "kapturefs/store/cache_gram.h"
#include "kapturefs/store/cache_hits.h"

enum {
	TEXT_SIZE_MAX = 16 << 20,
	CLASS_SHIFT = 16, /* above all that the places of words can add up to */
};

/* Words */

static void split(struct hits_words *words)
{
	char *place = NULL;

	for (char *word = strtok_r(words->text.data, " ", &place); word;
	     word = strtok_r(NULL, " ", &place)) {
		if (words->count == HITS_WORDS_MAX) {
			words->count = 0;
			return;
		}
		words->lengths[words->count] = strlen(word);
		words->words[words->count++] = word;
	}
}

int hits_words_init(struct hits_words *words, const char *text)
{
	int r;

	words->count = 0;
	buffer_init(&words->text, TEXT_SIZE_MAX);
	r = fold_append(&words->text, text, strlen(text));
	if (!r)
		r = buffer_append_text(&words->text, "");
	if (r) {
		buffer_fini(&words->text);
		return r;
	}
	split(words);
	return 0;
}

void hits_words_fini(struct hits_words *words)
{
	buffer_fini(&words->text);
}

/* Scores */

static bool is_part_of_word(const char *text, size_t length, size_t place)
{
	return place < length && gram_is_in_word((unsigned char)text[place]);
}

static uint32_t class_at(const char *text, size_t length, size_t place, size_t word_length)
{
	bool begins = place == 0 || !is_part_of_word(text, length, place - 1);
	bool ends = !is_part_of_word(text, length, place + word_length);

	return begins ? ends ? HIT_WHOLE : HIT_BEGINNING : ends ? HIT_END : HIT_PART;
}

/* Of the place where the word occurs best; 0 if it does not. */
static uint32_t score_word(const char *text, size_t length, const char *word, size_t word_length)
{
	const char *there = memmem(text, length, word, word_length);
	uint32_t best = HIT_NONE;
	size_t best_place = 0;

	while (there && best < HIT_WHOLE) {
		size_t place = (size_t)(there - text);
		uint32_t class = class_at(text, length, place, word_length);

		if (class > best) {
			best = class;
			best_place = place;
		}
		there = memmem(there + 1, length - place - 1, word, word_length);
	}
	if (best == HIT_NONE)
		return 0;
	return (best << CLASS_SHIFT) + (best_place < 256 ? 255 - (uint32_t)best_place : 0);
}

uint32_t hits_score(const struct hits_words *words, const char *text, size_t length)
{
	uint32_t score = 0;

	/* No bytes are no blob. */
	if (!text)
		return 0;
	for (size_t i = 0; i < words->count; i++) {
		uint32_t more = score_word(text, length, words->words[i], words->lengths[i]);

		if (!more)
			return 0;
		score += more;
	}
	return score;
}

unsigned hits_class(uint32_t score)
{
	return score >> CLASS_SHIFT;
}

/* The heap */

int hits_init(struct hits *hits, size_t count_max)
{
	*hits = (struct hits){ .count_max = count_max };
	hits->all = calloc(count_max, sizeof(*hits->all));
	return hits->all ? 0 : -ENOMEM;
}

void hits_fini(struct hits *hits)
{
	free(steal(&hits->all));
	hits->count = 0;
}

static bool is_worse(const struct hit *left, const struct hit *right)
{
	return left->score < right->score ||
	       (left->score == right->score && left->slot > right->slot);
}

static void swap(struct hit *left, struct hit *right)
{
	struct hit kept = *left;

	*left = *right;
	*right = kept;
}

static void sift_up(struct hit *hits, size_t place)
{
	while (place && is_worse(&hits[place], &hits[(place - 1) / 2])) {
		swap(&hits[place], &hits[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
}

static void sift_down(struct hit *hits, size_t count)
{
	size_t place = 0;

	for (;;) {
		size_t worst = place;

		for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < count; child++)
			worst = is_worse(&hits[child], &hits[worst]) ? child : worst;
		if (worst == place)
			return;
		swap(&hits[place], &hits[worst]);
		place = worst;
	}
}

static bool is_there(const struct hits *hits, uint32_t slot)
{
	for (size_t i = 0; i < hits->count; i++) {
		if (hits->all[i].slot == slot)
			return true;
	}
	return false;
}

void hits_add(struct hits *hits, uint32_t slot, uint32_t score)
{
	const struct hit hit = { slot, score };
	bool is_full = hits->count == hits->count_max;

	if (is_full && !is_worse(&hits->all[0], &hit))
		return;
	if (is_there(hits, slot))
		return;
	if (!is_full) {
		hits->all[hits->count] = hit;
		sift_up(hits->all, hits->count++);
	} else {
		hits->all[0] = hit;
		sift_down(hits->all, hits->count);
	}
}

bool hits_suffice(const struct hits *hits, unsigned class)
{
	return hits->count == hits->count_max && hits_class(hits->all[0].score) >= class;
}

/* Take the worst off the heap again and again: the best comes last, and stands first. */
size_t hits_conclude(struct hits *hits, uint32_t *ret)
{
	size_t count = hits->count;

	while (hits->count) {
		ret[hits->count - 1] = hits->all[0].slot;
		hits->all[0] = hits->all[--hits->count];
		sift_down(hits->all, hits->count);
	}
	hits_fini(hits);
	return count;
}
