/* SPDX-License-Identifier: MIT */
/*
 * Where one character ends and the next begins is told by the bytes themselves, so that a word
 * that occurs in a text has the same characters there: all but those that it cuts at its ends,
 * which are not asked for.
 */

#include <string.h>
#include <xxhash.h>

#include "kapturefs/store/cache_gram.h"

enum {
	BORDER = ' ',
	GRAM_MAX = 4, /* characters */
	NUMBERS_MAX = 3,
	WORD_MAX = 256, /* characters that are asked for */
};

/* Characters */

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

static size_t length_of(unsigned char first)
{
	return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The next character, or what is left of it; returns how many bytes of it are missing. */
static size_t take_character(const char **place, const char *end, uint32_t *ret)
{
	unsigned char first = (unsigned char)*(*place)++;
	size_t missing = length_of(first) - 1;

	*ret = first;
	for (; missing && *place < end && is_continuation((unsigned char)**place); missing--)
		*ret = *ret << 8 | (unsigned char)*(*place)++;
	return *place < end ? 0 : missing;
}

static bool is_mark(uint32_t character)
{
	return character < 0x80 && character != BORDER &&
	       !gram_is_in_word((unsigned char)character);
}

static uint32_t plain(uint32_t character)
{
	return is_mark(character) ? BORDER : character;
}

static bool is_digit(uint32_t character)
{
	return character >= '0' && character <= '9';
}

/* Numbers */

/* Fours come in company. */
static unsigned numbers_of(size_t length)
{
	return length == GRAM_MAX ? 2 : NUMBERS_MAX;
}

static unsigned number_gram(const uint32_t *characters, size_t length, uint32_t ret[NUMBERS_MAX])
{
	uint64_t hash = XXH3_64bits(characters, length * sizeof(*characters));
	uint32_t first = (uint32_t)hash;
	uint32_t stride = (uint32_t)(hash >> 32);
	unsigned count = numbers_of(length);

	for (unsigned i = 0; i < count; i++)
		ret[i] = (uint32_t)((uint64_t)(first + i * stride) * GRAM_NUMBERS >> 32);
	return count;
}

/* Grams */

static void make_plain(const uint32_t *characters, size_t length, uint32_t ret[GRAM_MAX])
{
	for (size_t i = 0; i < length; i++)
		ret[i] = plain(characters[i]);
}

/*
 * The gram in which the mark at @place is itself, and every other a border. Not all are counted:
 * a letter and a mark are told by what is beside them. Returns false if this is not.
 */
static bool make_marked(const uint32_t *characters, size_t length, size_t place,
                        uint32_t ret[GRAM_MAX])
{
	bool is_at_end = place == 0 || place == length - 1;
	bool has_border = false;

	if (length >= GRAM_MAX || !is_mark(characters[place]))
		return false;
	make_plain(characters, length, ret);
	for (size_t i = 0; i < length; i++)
		has_border |= i != place && ret[i] == BORDER;
	ret[place] = characters[place];
	return length == 1 || has_border || (length == 3 && is_at_end);
}

/* Of a text */

struct taker {
	gram_fn *take;
	void *userdata;
};

static void hand_over(const struct taker *taker, const uint32_t *characters, size_t length)
{
	uint32_t numbers[NUMBERS_MAX];
	unsigned count = number_gram(characters, length, numbers);

	for (unsigned i = 0; i < count; i++)
		taker->take(taker->userdata, numbers[i]);
}

static bool is_four(const uint32_t last[GRAM_MAX])
{
	if (is_digit(last[0]) && is_digit(last[1]) && is_digit(last[2]) && is_digit(last[3]))
		return true;
	/* A word of two: its beginning and its end may be of two others. */
	return last[0] == BORDER && last[3] == BORDER && last[1] != BORDER && last[2] != BORDER;
}

static void hand_marked(const struct taker *taker, const uint32_t *characters, size_t length)
{
	uint32_t gram[GRAM_MAX];

	for (size_t place = 0; place < length; place++) {
		if (make_marked(characters, length, place, gram))
			hand_over(taker, gram, length);
	}
}

/* All that end with the last of the characters, of which there are @count. */
static void hand_last(const struct taker *taker, const uint32_t last[GRAM_MAX], size_t count)
{
	const uint32_t *end = last + GRAM_MAX;
	uint32_t gram[GRAM_MAX];

	make_plain(last, GRAM_MAX, gram);
	for (size_t length = 1; length <= count && length <= GRAM_MAX; length++) {
		hand_marked(taker, end - length, length);
		if (length == 2 || length == 3 || (length == 4 && is_four(gram)))
			hand_over(taker, gram + GRAM_MAX - length, length);
	}
}

static void shift(uint32_t last[GRAM_MAX], uint32_t character)
{
	memmove(last, last + 1, (GRAM_MAX - 1) * sizeof(*last));
	last[GRAM_MAX - 1] = character;
}

void gram_each(const char *text, size_t length, gram_fn *take, void *userdata)
{
	const struct taker taker = { take, userdata };
	uint32_t last[GRAM_MAX] = { 0, 0, 0, BORDER };
	const char *end = text + length;
	size_t count = 1;
	uint32_t character;

	while (text < end) {
		(void)take_character(&text, end, &character);
		shift(last, character);
		hand_last(&taker, last, ++count);
	}
	shift(last, BORDER);
	hand_last(&taker, last, ++count);
}

/* Of a word */

struct word {
	uint32_t characters[WORD_MAX + 2]; /* with a border at both ends */
	size_t count;                      /* without */
	bool begins_cut;
	bool ends_cut;
};

static void read_word(const char *text, size_t length, struct word *ret)
{
	const char *end = text + length;
	uint32_t character;

	*ret = (struct word){ .characters = { BORDER } };
	while (text < end && is_continuation((unsigned char)*text)) {
		ret->begins_cut = true;
		text++;
	}
	while (text < end && !ret->ends_cut) {
		if (ret->count == WORD_MAX || take_character(&text, end, &character))
			ret->ends_cut = true;
		else
			ret->characters[++ret->count] = character;
	}
	ret->characters[ret->count + 1] = BORDER;
}

/* Not more than @most numbers of the gram; all of one that tells a mark from others. */
static void ask(struct gram_set *set, const uint32_t *characters, size_t length, unsigned most)
{
	uint32_t gram[GRAM_MAX] = { 0 };
	uint32_t numbers[NUMBERS_MAX];
	bool is_marked = false;
	unsigned count;

	for (size_t place = 0; !is_marked && place < length; place++)
		is_marked = make_marked(characters, length, place, gram);
	if (is_marked)
		most = NUMBERS_MAX;
	else
		make_plain(characters, length, gram);
	count = number_gram(gram, length, numbers);
	for (unsigned i = 0; i < count && i < most && set->count < GRAMS_ASKED_MAX; i++)
		set->numbers[set->count++] = (uint16_t)numbers[i];
}

static bool is_digits(const uint32_t *characters, size_t length)
{
	while (length && is_digit(characters[length - 1]))
		length--;
	return length == 0;
}

/* A gram that is asked for alone has to tell more than one of many. */
static unsigned most_of(const struct word *word)
{
	return word->count < 5 ? NUMBERS_MAX : 1;
}

/* Fours first, which are the rarest; what they contain is not asked for again. */
static void ask_part(const struct word *word, struct gram_set *set)
{
	const uint32_t *inner = word->characters + 1;

	if (word->count == 2 || (word->count == 1 && is_mark(*inner)))
		ask(set, inner, word->count, NUMBERS_MAX);
	for (size_t i = 0; i + 4 <= word->count; i++) {
		if (is_digits(inner + i, 4))
			ask(set, inner + i, 4, word->count < 7 ? NUMBERS_MAX : 1);
	}
	for (size_t i = 0; i + 3 <= word->count; i++) {
		bool is_in_four = is_digits(inner + i, 3) &&
		                  ((i && is_digit(inner[i - 1])) ||
		                   (i + 3 < word->count && is_digit(inner[i + 3])));

		if (!is_in_four)
			ask(set, inner + i, 3, most_of(word));
	}
}

static void ask_whole(const struct word *word, struct gram_set *set)
{
	const uint32_t *all = word->characters;

	if (word->count == 1)
		ask(set, all, 3, NUMBERS_MAX);
	if (word->count == 2 && plain(all[1]) != BORDER && plain(all[2]) != BORDER)
		ask(set, all, 4, NUMBERS_MAX);
}

void gram_ask(const char *word, size_t length, struct gram_word *ret)
{
	struct word read;
	size_t border; /* characters, with the border */
	unsigned most; /* numbers */

	*ret = (struct gram_word){ 0 };
	read_word(word, length, &read);
	if (read.count == 0)
		return;
	border = read.count == 1 ? 2 : 3;
	most = read.count < 4 ? NUMBERS_MAX : 1;
	ask_part(&read, &ret->part);
	if (!read.begins_cut)
		ask(&ret->beginning, read.characters, border, most);
	if (!read.ends_cut)
		ask(&ret->end, read.characters + read.count + 2 - border, border, most);
	if (!read.begins_cut && !read.ends_cut)
		ask_whole(&read, &ret->whole);
}
