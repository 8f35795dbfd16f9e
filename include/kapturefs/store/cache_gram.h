#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What a folded text is made of, as numbers: its pairs and triples of characters and, as there are
 * only a thousand triples of digits, its fours of digits. Everything that is no part of a word is
 * one character, the border, which also stands before and behind the text: so grams tell where
 * words begin and end. For who asks for a part of an address there are some more, in which one of
 * the marks is itself. A number stands for several grams, and a gram that is asked for alone has
 * several numbers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum {
	GRAM_NUMBERS = 16368, /* all are below */
	GRAM_VERSION = 4,     /* another for every change of them, or of how they are kept; even */
	GRAMS_ASKED_MAX = 24,
};

/** Takes a number, which may come more than once. */
typedef void gram_fn(void *userdata, uint32_t number);

/** Hand all numbers of @text to @take. */
void gram_each(const char *text, size_t length, gram_fn *take, void *userdata);

struct gram_set {
	uint16_t numbers[GRAMS_ASKED_MAX];
	size_t count;
};

/** The numbers of each text with a word in it, or with a word that is or begins or ends so. */
struct gram_word {
	struct gram_set part;
	struct gram_set beginning;
	struct gram_set end;
	struct gram_set whole;
};

/** The numbers that are to be looked for, of @word, which is any bytes; not all of a long one. */
void gram_ask(const char *word, size_t length, struct gram_word *ret);

/** Whether the byte is part of a word, in a folded text. */
static inline bool gram_is_in_word(unsigned char byte)
{
	return byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}
