#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Caches with groups, and searches judged by looking at all. Include cmocka.h and its headers
 * first.
 */

#include "caches.h"
#include "damage.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

enum {
	CUSTOMERS = 12000, /* three groups: most are as much as a block */
	SLOT_FIRST = 100,
	TEXT_SIZE = 4000,
	SEARCHES = 12,
	SLOTS_MAX = 1 << 18,
	KEYS_A_GROUP = SIEVE_PARTS + 1,
};

/* Customers, in words only */

/* Few enough letters that words are found again as parts of others. */
static const char *const letters[] = {
	"a",      "b",      "e",      "n",      "r",      "s",
	"\u00e9", "\u00d1", "\u0915", "\u093f", "\u5f20", "\U0001f4f5",
};
static const char *const marks[] = { "-", "@", ".", "/", "+", " " };

static inline void append(char *text, const char *piece)
{
	if (strlen(text) + strlen(piece) < TEXT_SIZE)
		strcat(text, piece);
}

static inline void append_word(struct dice *dice, char *text)
{
	bool is_number = roll(dice, 4) == 0;
	char digit[2] = "";

	for (uint64_t left = 1 + roll(dice, is_number ? 11 : 7); left; left--) {
		digit[0] = (char)('0' + roll(dice, 10));
		append(text, is_number ? digit : letters[roll(dice, array_length(letters))]);
	}
}

static inline void make_text(struct dice *dice, char *text)
{
	*text = '\0';
	for (uint64_t left = 1 + roll(dice, 160); left; left--) {
		append_word(dice, text);
		append(text, roll(dice, 3) ? " " : marks[roll(dice, array_length(marks))]);
	}
}

static inline struct record *named(const char *name)
{
	struct record *record;
	char json[TEXT_SIZE * 2];

	snprintf(json, sizeof(json), "{\"id\":1,\"cmId\":" ACCOUNT ",\"name\":\"%s\"}", name);
	assert_int_equal(payload_read_customer(json, strlen(json), &record), 0);
	return record;
}

static inline void name(struct cache *cache, uint32_t slot, const char *text)
{
	struct record *record = named(text);

	assert_int_equal(cache_write_words(cache, slot, record), 0);
	record_unref(record);
}

static inline void name_by_chance(struct cache *cache, uint32_t slot, struct dice *dice)
{
	char text[TEXT_SIZE];

	make_text(dice, text);
	name(cache, slot, text);
}

static inline int64_t number(struct cache *cache, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t found;

	assert_int_equal(database_prepare(cache->database, sql, &statement), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	found = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return found;
}

static inline void run(struct cache *cache, const char *sql)
{
	assert_int_equal(database_run(cache->database, sql), 0);
}

/* The customer behind a slot by chance; 0 if there is none. */
static inline uint32_t somebody(struct cache *cache, struct dice *dice)
{
	char sql[120];

	snprintf(sql, sizeof(sql),
	         "SELECT coalesce((SELECT customer FROM words WHERE customer > %u"
	         " ORDER BY customer LIMIT 1), 0)",
	         (unsigned)roll(dice, (uint64_t)number(cache, "SELECT max(customer) FROM words")));
	return (uint32_t)number(cache, sql);
}

static inline void change_some(struct cache *cache, struct dice *dice, unsigned changes)
{
	for (unsigned i = 0; i < changes; i++) {
		uint32_t slot = somebody(cache, dice);

		if (roll(dice, 3))
			name_by_chance(cache, slot, dice);
		else
			assert_int_equal(cache_delete_words(cache, slot), 0);
	}
}

static inline void add_some(struct cache *cache, struct dice *dice, unsigned count)
{
	uint32_t slot = (uint32_t)number(cache, "SELECT ifnull(max(customer), 100) FROM words");

	for (unsigned i = 0; i < count; i++) {
		/* As keys and rosters have slots too, and customers go. */
		slot += 1 + (uint32_t)(roll(dice, 50) ? roll(dice, 4) : roll(dice, 300));
		name_by_chance(cache, slot, dice);
	}
}

static inline int sweep_once(struct cache *cache)
{
	struct cache_change change;
	int r = cache_sweep(cache, 1000, &change);

	cache_change_fini(&change);
	return r;
}

static inline void sweep(struct cache *cache)
{
	int r;

	while ((r = sweep_once(cache)) == CACHE_MORE)
		;
	assert_int_equal(r, 0);
}

static inline int64_t count_groups(struct cache *cache)
{
	return number(cache, "SELECT count(*) FROM sieve WHERE part & 2047 = 0");
}

static inline int64_t count_unsieved(struct cache *cache)
{
	return number(cache, "SELECT count(*) FROM unsieved");
}

/* A cache with customers, and no groups yet. */
static inline struct cache *filled(void **state, struct dice *dice)
{
	struct fixture *fixture = *state;
	struct cache *cache = fixture->cache;

	run(cache, "PRAGMA synchronous = OFF; BEGIN");
	add_some(cache, dice, CUSTOMERS);
	run(cache, "COMMIT");
	return cache;
}

/* A cache with groups. */
static inline struct cache *sieved(void **state, struct dice *dice)
{
	struct cache *cache = filled(state, dice);

	sweep(cache);
	assert_true(count_groups(cache) >= 2);
	assert_int_equal(count_unsieved(cache), 0);
	return cache;
}

/* Searches */

/* How well the word can occur in the first group. */
static inline uint8_t best_bound(struct cache *cache, const char *word)
{
	uint8_t bounds[SIEVE_BLOCKS];
	struct sieve_group group;
	struct gram_word grams;
	uint8_t best = 0;

	gram_ask(word, strlen(word), &grams);
	assert_int_equal(sieve_next_group(cache, 0, &group), 0);
	assert_int_equal(sieve_bound(cache, &group, &grams, 1, bounds), 0);
	for (size_t i = 0; i < SIEVE_BLOCKS; i++)
		best = bounds[i] > best ? bounds[i] : best;
	return best;
}

static inline struct cache_search *search_for(struct cache *cache, const char *words)
{
	struct cache_search *search;
	int r;

	assert_int_equal(cache_search_new(cache, 0, words, &search), 0);
	while ((r = cache_search_step(cache, search)) == CACHE_MORE)
		;
	assert_int_equal(r, 0);
	return search;
}

struct judged {
	struct hit *hits; /* the best first */
	size_t count;
	uint32_t *scores; /* by slot */
};

static inline int compare_hits(const void *left, const void *right)
{
	const struct hit *one = left;
	const struct hit *other = right;

	if (one->score != other->score)
		return one->score < other->score ? 1 : -1;
	return one->slot < other->slot ? -1 : 1;
}

static inline struct judged look_at_all(struct cache *cache, const char *asked)
{
	struct hits_words words;
	struct judged judged = { calloc(2 * CUSTOMERS, sizeof(*judged.hits)), 0,
		                 calloc(SLOTS_MAX, sizeof(*judged.scores)) };
	sqlite3_stmt *statement;

	assert_int_equal(hits_words_init(&words, asked), 0);
	assert_int_equal(database_prepare(cache->database, "SELECT customer, text FROM words",
	                                  &statement),
	                 0);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		uint32_t slot = (uint32_t)sqlite3_column_int(statement, 0);
		uint32_t score = hits_score(&words, sqlite3_column_blob(statement, 1),
		                            (size_t)sqlite3_column_bytes(statement, 1));

		assert_true(slot < SLOTS_MAX);
		judged.scores[slot] = score;
		if (score)
			judged.hits[judged.count++] = (struct hit){ slot, score };
	}
	sqlite3_finalize(statement);
	hits_words_fini(&words);
	qsort(judged.hits, judged.count, sizeof(*judged.hits), compare_hits);
	return judged;
}

/* As many as there are, in their order, and none less well than as many of all would. */
static inline void judge(struct cache *cache, const struct cache_search *search, const char *words)
{
	struct judged judged = look_at_all(cache, words);
	struct hit previous = { 0, UINT32_MAX };
	size_t count;
	const uint32_t *found = cache_search_found(search, &count);

	assert_int_equal(count, judged.count < SEARCH_FOUND_MAX ? judged.count : SEARCH_FOUND_MAX);
	for (size_t i = 0; i < count; i++) {
		struct hit hit = { found[i], judged.scores[found[i]] };

		assert_true(compare_hits(&previous, &hit) < 0);
		assert_int_equal(hits_class(hit.score), hits_class(judged.hits[i].score));
		previous = hit;
	}
	free(judged.hits);
	free(judged.scores);
}

static inline void search_and_judge(struct cache *cache, const char *words)
{
	struct cache_search *search = search_for(cache, words);

	judge(cache, search, words);
	cache_search_free(search);
}

/* Some bytes of what somebody is named, which may begin or end within a character. */
static inline void ask_for_part(struct cache *cache, struct dice *dice, char *words)
{
	sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	char text[TEXT_SIZE];
	size_t length;
	size_t start;

	rows_bind_integer(statement, 1, somebody(cache, dice));
	assert_int_equal(rows_step(cache, statement), 0);
	length = (size_t)sqlite3_column_bytes(statement, 1);
	start = roll(dice, length);
	length = roll(dice, 3) ? roll(dice, 1 + length - start) % 12 : roll(dice, 3);
	snprintf(text, sizeof(text), "%.*s ", (int)length,
	         (const char *)sqlite3_column_blob(statement, 1) + start);
	rows_reset(&statement);
	append(words, text);
}

static inline void make_question(struct cache *cache, struct dice *dice, char *words)
{
	*words = '\0';
	for (uint64_t left = 1 + roll(dice, 2); left; left--)
		ask_for_part(cache, dice, words);
	if (roll(dice, 8) == 0)
		append_word(dice, words);
}

static inline void judge_some(struct cache *cache, struct dice *dice, unsigned count)
{
	char words[TEXT_SIZE];

	for (unsigned i = 0; i < count; i++) {
		make_question(cache, dice, words);
		search_and_judge(cache, words);
	}
}
