/* SPDX-License-Identifier: MIT */

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "kapturefs/base/spelling.h"

enum {
	LENGTH_MAX = 31,
	BEGINNING_MIN = 2,
	LONG_NAME = 6, /* letters; two mistakes leave enough of it */
};

static unsigned least(unsigned left, unsigned right)
{
	return left < right ? left : right;
}

static bool is_same(char left, char right)
{
	return tolower((unsigned char)left) == tolower((unsigned char)right);
}

/* Damerau and Levenshtein's distance, in which no letter is touched twice. */
static unsigned count_mistakes(const char *word, size_t word_length, const char *name,
                               size_t name_length)
{
	unsigned cost[LENGTH_MAX + 1][LENGTH_MAX + 1];

	for (size_t i = 0; i <= word_length; i++)
		cost[i][0] = (unsigned)i;
	for (size_t j = 0; j <= name_length; j++)
		cost[0][j] = (unsigned)j;
	for (size_t i = 1; i <= word_length; i++) {
		for (size_t j = 1; j <= name_length; j++) {
			unsigned replaced = cost[i - 1][j - 1] + !is_same(word[i - 1], name[j - 1]);

			cost[i][j] = least(replaced, 1 + least(cost[i - 1][j], cost[i][j - 1]));
			if (i > 1 && j > 1 && is_same(word[i - 1], name[j - 2]) &&
			    is_same(word[i - 2], name[j - 1]))
				cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
		}
	}
	return cost[word_length][name_length];
}

/* Returns the number of mistakes, or UINT_MAX if nobody would take the one for the other. */
static unsigned judge(const char *word, const char *name)
{
	size_t word_length = strlen(word);
	size_t name_length = strlen(name);
	unsigned mistakes;

	if (word_length > LENGTH_MAX || name_length > LENGTH_MAX)
		return UINT_MAX;
	mistakes = count_mistakes(word, word_length, name, name_length);
	if (mistakes <= (name_length < LONG_NAME ? 1 : 2))
		return mistakes;
	if (word_length >= BEGINNING_MIN && strncasecmp(word, name, word_length) == 0)
		return 1;
	return UINT_MAX;
}

void spelling_try(struct spelling *spelling, const char *name)
{
	unsigned mistakes = judge(spelling->word, name);

	if (mistakes == UINT_MAX || (spelling->nearest && spelling->mistakes <= mistakes))
		return;
	spelling->nearest = name;
	spelling->mistakes = mistakes;
}
