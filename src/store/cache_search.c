/* SPDX-License-Identifier: MIT */
/*
 * The part of cache that finds customers by words.
 *
 * For each customer there is a row with its values, folded, and a search goes through all of them.
 * What was weighed against an index, for a million generated customers, of 2,030 bytes of JSON
 * each:
 *
 *   FTS5 with trigrams    deletes by notes in its segments; what was forgotten stays in them until
 *                         they are merged, and the option that prevents it came after the version
 *                         that we may count on
 *   trigrams in a table   2,700 bytes a customer: more than the JSON
 *   these rows            a tenth of the JSON; a row that is deleted is gone
 *
 * Going through a million rows takes a few tenths of a second, and is done in steps, in between
 * which others are served.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/fold.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

enum {
	WORDS_MAX = 16,
	ROWS_A_STEP = 2048,
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

/* Each value ends in its newline, which is folded to a blank, so that no word spans two. */
static int fold_record(const struct record *record, struct buffer *text)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < record_member_count(record); i++) {
		const struct member *member = record_member(record, i);

		if (is_searched(member))
			r = fold_append(text, member->value, member->value_length);
	}
	return r;
}

int cache_write_words(struct cache *cache, uint32_t slot, const struct record *record)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[WRITE_WORDS];
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, TEXT_SIZE_MAX);
	r = fold_record(record, &text);
	if (r)
		return r;
	rows_bind_integer(statement, 1, slot);
	rows_bind_blob(statement, 2, text.data ? text.data : "", text.length);
	return rows_execute(cache, statement);
}

/* Words of customers that were stored by a version that had none */

int cache_take_words(struct cache *cache)
{
	char text[PROPERTY_SIZE];
	int r = rows_read_property(cache, "words", text);

	cache->words_from = r ? 1 : 0;
	return r < 0 ? r : 0;
}

int cache_found_words(struct cache *cache)
{
	cache->words_from = 0;
	return rows_write_property(cache, "words", "1");
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
	return count ? 0 : rows_write_property(cache, "words", "1");
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
	snapshots_count_change(cache->snapshots);
	return CACHE_MORE;
}

/* Searches */

struct hit {
	uint32_t slot;
	uint32_t score;
};

struct cache_search {
	uint64_t change; /* how many customers had changed when it began */
	uint32_t next;   /* slot */
	bool is_done;
	bool is_impossible;
	struct buffer text; /* folded; the words below stand in it */
	const char *words[WORDS_MAX];
	size_t lengths[WORDS_MAX];
	size_t word_count;
	char *asked;

	struct hit *hits; /* while searching, a heap with the worst at the top */
	size_t hit_count;
	uint32_t *found;
};

static void split(struct cache_search *search)
{
	char *place = NULL;

	for (char *word = strtok_r(search->text.data, " ", &place); word;
	     word = strtok_r(NULL, " ", &place)) {
		if (search->word_count == WORDS_MAX) {
			search->is_impossible = true;
			return;
		}
		search->lengths[search->word_count] = strlen(word);
		search->words[search->word_count++] = word;
	}
	search->is_impossible = search->word_count == 0;
}

int cache_search_new(struct cache *cache, const char *words, struct cache_search **ret)
{
	cleanup(cache_search_freep) struct cache_search *search = NULL;
	int r;

	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	buffer_init(&search->text, TEXT_SIZE_MAX);
	search->asked = strdup(words);
	search->hits = calloc(SEARCH_FOUND_MAX, sizeof(*search->hits));
	search->found = calloc(SEARCH_FOUND_MAX, sizeof(*search->found));
	if (!search->asked || !search->hits || !search->found)
		return -ENOMEM;
	r = fold_append(&search->text, words, strlen(words));
	if (!r)
		r = buffer_append_text(&search->text, "");
	if (r)
		return r;

	split(search);
	search->is_done = search->is_impossible;
	search->change = snapshots_changes(cache->snapshots);
	*ret = steal(&search);
	return 0;
}

void cache_search_free(struct cache_search *search)
{
	if (!search)
		return;

	buffer_fini(&search->text);
	free(search->asked);
	free(search->hits);
	free(search->found);
	free(search);
}

bool cache_search_is_of(struct cache *cache, const struct cache_search *search, const char *words)
{
	return search->change == snapshots_changes(cache->snapshots) &&
	       strcmp(search->asked, words) == 0;
}

/* Scores */

static bool is_part_of_word(const char *text, size_t length, size_t place)
{
	unsigned char byte;

	if (place >= length)
		return false;
	byte = (unsigned char)text[place];
	return byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

/* A whole word is better than its beginning, and that better than its middle. */
static uint32_t score_at(const char *text, size_t length, size_t place, size_t word_length)
{
	bool begins = place == 0 || !is_part_of_word(text, length, place - 1);
	bool ends = !is_part_of_word(text, length, place + word_length);

	return begins ? ends ? 4 : 3 : ends ? 2 : 1;
}

/* 0: it does not match. The name stands first, so that an early place is a better one. */
static uint32_t score_of(const struct cache_search *search, const char *text, size_t length)
{
	uint32_t score = 0;

	/* No bytes are no blob. */
	if (!text)
		return 0;
	for (size_t i = 0; i < search->word_count; i++) {
		const char *there = memmem(text, length, search->words[i], search->lengths[i]);
		size_t place;

		if (!there)
			return 0;
		place = (size_t)(there - text);
		score += 256 * score_at(text, length, place, search->lengths[i]);
		score += place < 256 ? 255 - (uint32_t)place : 0;
	}
	return score;
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

static void add_hit(struct cache_search *search, struct hit hit)
{
	if (search->hit_count < SEARCH_FOUND_MAX) {
		search->hits[search->hit_count] = hit;
		sift_up(search->hits, search->hit_count++);
	} else if (is_worse(&search->hits[0], &hit)) {
		search->hits[0] = hit;
		sift_down(search->hits, search->hit_count);
	}
}

/* Take the worst off the heap again and again: the best comes last, and stands first. */
static void conclude(struct cache_search *search)
{
	size_t left = search->hit_count;

	while (left) {
		search->found[left - 1] = search->hits[0].slot;
		search->hits[0] = search->hits[--left];
		sift_down(search->hits, left);
	}
	search->is_done = true;
}

/* Going through */

static int step(struct cache *cache, struct cache_search *search)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	struct hit hit;
	int r = 0;

	rows_bind_integer(statement, 1, search->next);
	for (unsigned rows = 0; rows < ROWS_A_STEP; rows++) {
		r = rows_step(cache, statement);
		if (r)
			break;
		hit.slot = (uint32_t)sqlite3_column_int64(statement, 0);
		if (hit.slot < search->next)
			return rows_disordered(cache);
		hit.score = score_of(search, sqlite3_column_blob(statement, 1),
		                     (size_t)sqlite3_column_bytes(statement, 1));
		if (hit.score)
			add_hit(search, hit);
		search->next = hit.slot + 1;
	}
	if (r < 0)
		return r;
	if (r == 0)
		return CACHE_MORE;
	conclude(search);
	return 0;
}

int cache_search_step(struct cache *cache, struct cache_search *search)
{
	int r;

	if (search->is_done)
		return 0;
	do {
		r = step(cache, search);
	} while (cache_rescue(cache, r));
	return r;
}

const uint32_t *cache_search_found(const struct cache_search *search, size_t *ret_count)
{
	*ret_count = search->is_done ? search->hit_count : 0;
	return search->found;
}

static int matches(struct cache *cache, const struct cache_search *search, uint32_t slot)
{
	cleanup(rows_reset) sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	int r;

	rows_bind_integer(statement, 1, slot);
	r = rows_step(cache, statement);
	if (r)
		return r < 0 ? r : 0;
	return sqlite3_column_int64(statement, 0) == slot &&
	       score_of(search, sqlite3_column_blob(statement, 1),
	                (size_t)sqlite3_column_bytes(statement, 1)) > 0;
}

int cache_search_matches(struct cache *cache, const struct cache_search *search, uint32_t slot)
{
	int r;

	if (search->is_impossible)
		return 0;
	do {
		r = matches(cache, search, slot);
	} while (cache_rescue(cache, r));
	return r;
}

static int find_id(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	cleanup(rows_reset) sqlite3_stmt *keys = cache->statements[KEYS_OF_CUSTOMER];
	int r;

	rows_bind_integer(keys, 1, slot);
	do {
		r = rows_take_key_of(cache, keys, slot, ret);
	} while (r == ROWS_DAMAGED || (!r && ret->key.kind != KEY_ID));
	return r;
}

int cache_find_id(struct cache *cache, uint32_t slot, struct cache_key *ret)
{
	int r;

	do {
		r = find_id(cache, slot, ret);
	} while (cache_rescue(cache, r));
	return r;
}
