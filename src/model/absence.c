/* SPDX-License-Identifier: MIT */

#include <stdint.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/model/absence.h"
#include "kapturefs/model/fold.h"

static const char documented[] = "informationgivenbyyoudoesnotexist";

static int read_letters(const char *sentence, struct buffer *ret)
{
	buffer_init(ret, SIZE_MAX);
	return fold_append_letters(ret, sentence, strlen(sentence));
}

int absence_is_long_enough(const char *sentence)
{
	cleanup(buffer_fini) struct buffer letters;
	uint32_t character;
	size_t count = 0;
	int r;

	r = read_letters(sentence, &letters);
	if (r)
		return r;
	for (size_t at = 0; at < letters.length; count++)
		at += utf8_decode(letters.data + at, letters.length - at, &character);
	return count >= ABSENCE_LETTERS_MIN;
}

int absence_is_said(const char *sentence, const char *configured)
{
	cleanup(buffer_fini) struct buffer letters;
	cleanup(buffer_fini) struct buffer others;
	int r;

	buffer_init(&others, SIZE_MAX);
	r = read_letters(sentence, &letters);
	if (!r && configured)
		r = read_letters(configured, &others);
	if (r)
		return r;
	if (letters.length >= strlen(documented) &&
	    memcmp(letters.data, documented, strlen(documented)) == 0)
		return 1;
	return others.length && letters.length == others.length &&
	       memcmp(letters.data, others.data, letters.length) == 0;
}
