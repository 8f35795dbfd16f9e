/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that keeps what is searched: for each customer a row with its values, folded. A
 * row that is deleted is gone.
 */

#include <errno.h>
#include <string.h>

#include "kapturefs/model/fold.h"
#include "kapturefs/model/key.h"
#include "kapturefs/store/cache_parts.h"

/* Another for every change of how words are folded. */
#define WORDS_VERSION "3"

/* The outcomes of comparing, besides CACHE_NONE. */
enum {
	WORDS_SAME = 2,
	WORDS_OTHER,
};

enum {
	CUSTOMERS_A_STEP = 16,
	TEXT_SIZE_MAX = 16 << 20,
};

/* Words */

static bool is_searched(const struct member *member)
{
	static const char *const names[] = {
		"name",  "contactPerson", "phone",   "additionalPhone", "email",        "city",
		"state", "customerCode",  "pinCode", "remarks",         "crossRemarks",
	};

	if (member_is_directory(member) || member->value_length == 0)
		return false;
	for (size_t i = 0; i < array_length(names); i++) {
		if (strcmp(member->name, names[i]) == 0)
			return true;
	}
	return false;
}

/* The digits of a phone number with separators, which people leave out or set elsewhere. */
static int fold_digits(const struct member *member, struct buffer *text)
{
	size_t length = member->value_length - 1;
	struct key key;

	if (strcmp(member->name, "phone") != 0 && strcmp(member->name, "additionalPhone") != 0)
		return 0;
	if (key_parse(KEY_PHONE, member->value, length, &key) ||
	    key_is_spelled(&key, member->value, length))
		return 0;
	return buffer_print(text, "%s ", key.text);
}

/* Each value ends in its newline, which is folded to a blank, so that no word spans two. */
static int fold_record(const struct record *record, struct buffer *text)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < record_member_count(record); i++) {
		const struct member *member = record_member(record, i);

		if (!is_searched(member))
			continue;
		r = fold_append(text, member->value, member->value_length);
		if (!r)
			r = fold_digits(member, text);
	}
	return r;
}

int cache_find_words(struct cache *cache, sqlite3_stmt *statement, uint32_t slot, const char **ret,
                     size_t *ret_length)
{
	int r;

	rows_bind_integer(statement, 1, slot);
	r = rows_step(cache, statement);
	if (r)
		return r;
	if (sqlite3_column_int64(statement, 0) != slot)
		return CACHE_NONE;
	*ret = sqlite3_column_blob(statement, 1);
	*ret_length = (size_t)sqlite3_column_bytes(statement, 1);
	return 0;
}

/* Returns CACHE_NONE if nothing is known, and WORDS_SAME or WORDS_OTHER. */
static int compare(struct cache *cache, uint32_t slot, const struct buffer *text)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	const char *known;
	size_t length;
	int r;

	r = cache_find_words(cache, statement, slot, &known, &length);
	if (r)
		return r;
	if (length == text->length && (!length || memcmp(known, text->data, length) == 0))
		return WORDS_SAME;
	cache_searches_change(cache, known, length);
	return WORDS_OTHER;
}

static int write_text(struct cache *cache, uint32_t slot, const struct buffer *text)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_WORDS];

	rows_bind_integer(statement, 1, slot);
	rows_bind_blob(statement, 2, text->data ? text->data : "", text->length);
	cache->written_bytes += text->length;
	return rows_execute(cache, statement);
}

int cache_write_words(struct cache *cache, uint32_t slot, const struct record *record)
{
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, TEXT_SIZE_MAX);
	r = fold_record(record, &text);
	if (!r)
		r = compare(cache, slot, &text);
	if (r < 0 || r == WORDS_SAME)
		return r < 0 ? r : 0;
	cache_searches_change(cache, text.data, text.length);
	r = write_text(cache, slot, &text);
	return r ? r : sieve_note(cache, slot, SIEVE_CHANGED);
}

/* Whom searches have found is gone. */
static int end_searches_with(struct cache *cache, uint32_t slot)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	const char *known;
	size_t length;
	int r;

	if (list_is_empty(&cache->searches))
		return 0;
	r = cache_find_words(cache, statement, slot, &known, &length);
	if (!r)
		cache_searches_change(cache, known, length);
	return r < 0 ? r : 0;
}

int cache_delete_words(struct cache *cache, uint32_t slot)
{
	int64_t before = rows_changes(cache);
	int r;

	r = end_searches_with(cache, slot);
	if (!r)
		r = rows_run_on(cache, DELETE_WORDS, slot, 0);
	if (r || rows_changes(cache) == before)
		return r;
	return sieve_note(cache, slot, SIEVE_GONE);
}

/* Words of customers that were stored by a version that had none, or folded them otherwise */

int cache_take_words(struct cache *cache)
{
	char text[PROPERTY_SIZE];
	int r = rows_read_property(cache, "words", text);

	cache->words_from = r || strcmp(text, WORDS_VERSION) != 0;
	return r < 0 ? r : 0;
}

int cache_found_words(struct cache *cache)
{
	cache->words_from = 0;
	return rows_write_property(cache, "words", WORDS_VERSION);
}

/* The slots of those that come next; returns how many, 0 at the end, or a negative errno. */
static int list_next(struct cache *cache, uint32_t slots[CUSTOMERS_A_STEP])
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_CUSTOMERS];
	struct customer_row row;
	int count;
	int r;

	rows_bind_integer(statement, 1, cache->words_from);
	rows_bind_integer(statement, 2, UINT32_MAX);
	for (count = 0; count < CUSTOMERS_A_STEP; count++) {
		r = rows_take_row(cache, statement, &row);
		if (r)
			return r < 0 ? r : count;
		if (row.slot < cache->words_from || (count && row.slot <= slots[count - 1]))
			return rows_disordered(cache);
		slots[count] = row.slot;
	}
	return count;
}

static int write_words_of(struct cache *cache, uint32_t slot)
{
	struct cache_customer customer;
	int r;

	r = rows_read_customer(cache, slot, &customer);
	if (r)
		return r < 0 ? r : 0;
	r = cache_write_words(cache, slot, customer.record);
	record_unref(customer.record);
	return r;
}

static int furnish(struct cache *cache, const void *arguments, int64_t now_ms,
                   struct cache_change *change)
{
	uint32_t *const *next = arguments;
	uint32_t slots[CUSTOMERS_A_STEP];
	int count = list_next(cache, slots);
	int r = 0;

	(void)now_ms;
	(void)change;
	if (count < 0)
		return count;
	for (int i = 0; !r && i < count; i++)
		r = write_words_of(cache, slots[i]);
	if (r)
		return r;
	**next = count ? slots[count - 1] + 1 : 0;
	return count ? 0 : rows_write_property(cache, "words", WORDS_VERSION);
}

int cache_furnish_words(struct cache *cache)
{
	uint32_t next = 0;
	uint32_t *arguments = &next;
	struct cache_change change;
	int r;

	if (!cache->words_from)
		return 0;
	r = cache_write(cache, furnish, &arguments, 0, &change);
	if (r)
		return r;
	cache_change_fini(&change);
	cache->words_from = next;
	return CACHE_MORE;
}
