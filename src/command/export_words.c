/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#include "kapturefs/command/export_parts.h"
#include "kapturefs/model/fold.h"
#include "kapturefs/model/payload.h"

enum { TEXT_SIZE_MAX = 64 << 20 };

void export_words_init(struct export_words *words)
{
	*words = (struct export_words){ 0 };
	buffer_init(&words->text, TEXT_SIZE_MAX);
	buffer_init(&words->folded, TEXT_SIZE_MAX);
}

void export_words_fini(struct export_words *words)
{
	buffer_fini(&words->text);
	buffer_fini(&words->folded);
}

int export_words_add(struct export_words *words, const char *text)
{
	char *place = NULL;
	int r;

	r = fold_append(&words->text, text, strlen(text));
	if (!r)
		r = buffer_append_text(&words->text, "");
	if (r)
		return r;
	for (char *word = strtok_r(words->text.data, " ", &place); word;
	     word = strtok_r(NULL, " ", &place)) {
		if (words->count == EXPORT_WORDS_MAX)
			return -E2BIG;
		words->words[words->count++] = word;
	}
	return 0;
}

static int fold_values(struct export_words *words, const struct record *record)
{
	int r = 0;

	buffer_clear(&words->folded);
	for (uint32_t i = 0; !r && i < record_member_count(record); i++) {
		const struct member *member = record_member(record, i);

		/* The newline at its end keeps it from the next. */
		if (member->value_length)
			r = fold_append(&words->folded, member->value, member->value_length);
	}
	return r;
}

int export_words_match(struct export_words *words, const char *json, size_t length)
{
	cleanup(record_unrefp) struct record *record = NULL;
	int r;

	if (!words->count)
		return 1;
	r = payload_read_customer(json, length, &record);
	if (!r)
		r = fold_values(words, record);
	for (size_t i = 0; !r && i < words->count; i++) {
		if (!memmem(words->folded.data, words->folded.length, words->words[i],
		            strlen(words->words[i])))
			return 0;
	}
	return r ? r : 1;
}
