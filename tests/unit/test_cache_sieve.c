/* SPDX-License-Identifier: MIT */
/* Whoever is not looked at for some words would not have been found: judged by looking at all. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caches.h"
#include "damage.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/cache_search.h"

enum {
	CUSTOMERS = 12000, /* three groups */
	SLOT_FIRST = 100,
	TEXT_SIZE = 800,
	SEARCHES = 24,
	SLOTS_MAX = 1 << 18,
};

/* Customers, in words only */

/* Few enough letters that words are found again as parts of others. */
static const char *const letters[] = {
	"a",      "b",      "e",      "n",      "r",      "s",
	"\u00e9", "\u00d1", "\u0915", "\u093f", "\u5f20", "\U0001f4f5",
};
static const char *const marks[] = { "-", "@", ".", "/", "+", " " };

static void append(char *text, const char *piece)
{
	if (strlen(text) + strlen(piece) < TEXT_SIZE)
		strcat(text, piece);
}

static void append_word(struct dice *dice, char *text)
{
	bool is_number = roll(dice, 4) == 0;
	char digit[2] = "";

	for (uint64_t left = 1 + roll(dice, is_number ? 11 : 7); left; left--) {
		digit[0] = (char)('0' + roll(dice, 10));
		append(text, is_number ? digit : letters[roll(dice, array_length(letters))]);
	}
}

static void make_text(struct dice *dice, char *text)
{
	*text = '\0';
	for (uint64_t left = 1 + roll(dice, 40); left; left--) {
		append_word(dice, text);
		append(text, roll(dice, 3) ? " " : marks[roll(dice, array_length(marks))]);
	}
}

static struct record *named(const char *name)
{
	struct record *record;
	char json[TEXT_SIZE * 2];

	snprintf(json, sizeof(json), "{\"id\":1,\"cmId\":" ACCOUNT ",\"name\":\"%s\"}", name);
	assert_int_equal(payload_read_customer(json, strlen(json), &record), 0);
	return record;
}

static void name(struct cache *cache, uint32_t slot, const char *text)
{
	struct record *record = named(text);

	assert_int_equal(cache_write_words(cache, slot, record), 0);
	record_unref(record);
}

static void name_by_chance(struct cache *cache, uint32_t slot, struct dice *dice)
{
	char text[TEXT_SIZE];

	make_text(dice, text);
	name(cache, slot, text);
}

static int64_t number(struct cache *cache, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t found;

	assert_int_equal(database_prepare(cache->database, sql, &statement), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	found = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return found;
}

static void run(struct cache *cache, const char *sql)
{
	assert_int_equal(database_run(cache->database, sql), 0);
}

/* The customer behind a slot by chance; 0 if there is none. */
static uint32_t somebody(struct cache *cache, struct dice *dice)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT ifnull(min(customer), 0) FROM words WHERE customer > %u",
	         (unsigned)roll(dice, (uint64_t)number(cache, "SELECT max(customer) FROM words")));
	return (uint32_t)number(cache, sql);
}

static void change_some(struct cache *cache, struct dice *dice, unsigned changes)
{
	for (unsigned i = 0; i < changes; i++) {
		uint32_t slot = somebody(cache, dice);

		if (roll(dice, 3))
			name_by_chance(cache, slot, dice);
		else
			assert_int_equal(cache_delete_words(cache, slot), 0);
	}
}

static void add_some(struct cache *cache, struct dice *dice, unsigned count)
{
	uint32_t slot = (uint32_t)number(cache, "SELECT ifnull(max(customer), 100) FROM words");

	for (unsigned i = 0; i < count; i++) {
		/* As keys and rosters have slots too, and customers go. */
		slot += 1 + (uint32_t)(roll(dice, 50) ? roll(dice, 4) : roll(dice, 300));
		name_by_chance(cache, slot, dice);
	}
}

static int sweep_once(struct cache *cache)
{
	struct cache_change change;
	int r = cache_sweep(cache, 1000, &change);

	cache_change_fini(&change);
	return r;
}

static void sweep(struct cache *cache)
{
	int r;

	while ((r = sweep_once(cache)) == CACHE_MORE)
		;
	assert_int_equal(r, 0);
}

static int64_t count_groups(struct cache *cache)
{
	return number(cache, "SELECT count(*) FROM sieve WHERE part & 511 = 0");
}

static int64_t count_unsieved(struct cache *cache)
{
	return number(cache, "SELECT count(*) FROM unsieved");
}

/* A cache with groups. */
static struct cache *sieved(void **state, struct dice *dice)
{
	struct fixture *fixture = *state;
	struct cache *cache = fixture->cache;

	run(cache, "PRAGMA synchronous = OFF; BEGIN");
	add_some(cache, dice, CUSTOMERS);
	run(cache, "COMMIT");
	sweep(cache);
	assert_true(count_groups(cache) >= 2);
	assert_int_equal(count_unsieved(cache), 0);
	return cache;
}

/* Searches */

static struct cache_search *search_for(struct cache *cache, const char *words)
{
	struct cache_search *search;
	int r;

	assert_int_equal(cache_search_new(cache, words, &search), 0);
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

static int compare_hits(const void *left, const void *right)
{
	const struct hit *one = left;
	const struct hit *other = right;

	if (one->score != other->score)
		return one->score < other->score ? 1 : -1;
	return one->slot < other->slot ? -1 : 1;
}

static struct judged look_at_all(struct cache *cache, const char *asked)
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
static void judge(struct cache *cache, const struct cache_search *search, const char *words)
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

static void search_and_judge(struct cache *cache, const char *words)
{
	struct cache_search *search = search_for(cache, words);

	judge(cache, search, words);
	cache_search_free(search);
}

/* Some bytes of what somebody is named, which may begin or end within a character. */
static void ask_for_part(struct cache *cache, struct dice *dice, char *words)
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

static void make_question(struct cache *cache, struct dice *dice, char *words)
{
	*words = '\0';
	for (uint64_t left = 1 + roll(dice, 2); left; left--)
		ask_for_part(cache, dice, words);
	if (roll(dice, 8) == 0)
		append_word(dice, words);
}

static void judge_some(struct cache *cache, struct dice *dice, unsigned count)
{
	char words[TEXT_SIZE];

	for (unsigned i = 0; i < count; i++) {
		make_question(cache, dice, words);
		search_and_judge(cache, words);
	}
}

/* Tests */

static void test_all_are_found_who_would_be_by_looking_at_all(void **state)
{
	struct dice dice = { 1 };
	struct cache *cache = sieved(state, &dice);
	static const char *const asked[] = {
		"a",        "1",      "an",  "ab",   "12", "123",  "1234",   "5678901234",
		"sen",      "@",      "-",   ".a",   "a-", "\xe9", "\u00e9", "\xe5\xbc",
		"\xbc\xa0", "\u5f20", "a b", "an 1", "x",  "xy",   "nobody", "aneb\u00e9rs",
		"\xff",     "a\xff",  "+9",
	};

	for (size_t i = 0; i < array_length(asked); i++)
		search_and_judge(cache, asked[i]);
	judge_some(cache, &dice, 3 * SEARCHES);
}

/* What the statement has done since it was last asked, in SQLite's steps. */
static int steps_of(sqlite3_stmt *statement)
{
	return sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void test_who_cannot_match_is_not_looked_at(void **state)
{
	struct dice dice = { 2 };
	struct cache *cache = sieved(state, &dice);
	sqlite3_stmt *statement = cache->statements[LIST_WORDS];
	int all;

	/* Nobody behind the groups. */
	run(cache, "BEGIN; DELETE FROM words WHERE customer >="
	           " (SELECT max(part) / 512 FROM sieve WHERE part & 511 = 0); COMMIT");
	run(cache, "DELETE FROM sieve WHERE part >="
	           " (SELECT max(part) / 512 * 512 FROM sieve WHERE part & 511 = 0)");
	(void)steps_of(statement);
	cache_search_free(search_for(cache, "\xff"));
	all = steps_of(statement);
	cache_search_free(search_for(cache, "zqx"));
	assert_true(steps_of(statement) < all / 50);
	cache_search_free(search_for(cache, "4711 0815"));
	assert_true(steps_of(statement) < all / 10);
	/* Enough are found before. */
	cache_search_free(search_for(cache, "a"));
	assert_true(steps_of(statement) < all * 9 / 10);
}

static void test_who_has_changed_is_found_by_the_new_words_only(void **state)
{
	struct dice dice = { 3 };
	struct fixture *fixture = *state;
	struct cache *cache = sieved(state, &dice);

	run(cache, "BEGIN");
	change_some(cache, &dice, 800);
	add_some(cache, &dice, 500);
	run(cache, "COMMIT");
	assert_true(count_unsieved(cache) > 500);
	judge_some(cache, &dice, SEARCHES);
	reopen(fixture);
	judge_some(fixture->cache, &dice, SEARCHES);
	sweep(fixture->cache);
	judge_some(fixture->cache, &dice, SEARCHES);
}

static void test_the_same_words_are_no_change(void **state)
{
	struct dice dice = { 4 };
	struct cache *cache = sieved(state, &dice);
	uint32_t slot = somebody(cache, &dice);

	name(cache, slot, "Asha Rao");
	assert_int_equal(count_unsieved(cache), 1);
	run(cache, "DELETE FROM unsieved");
	name(cache, slot, "Asha Rao");
	assert_int_equal(count_unsieved(cache), 0);
}

static void test_when_many_have_changed_their_bits_are_made_anew(void **state)
{
	struct dice dice = { 5 };
	struct cache *cache = sieved(state, &dice);

	run(cache, "BEGIN");
	for (unsigned i = 0; i < 3 * SIEVE_CHANGED_MAX; i++)
		name_by_chance(cache, somebody(cache, &dice), &dice);
	run(cache, "COMMIT");
	assert_true(count_unsieved(cache) > SIEVE_CHANGED_MAX);
	sweep(cache);
	assert_true(count_unsieved(cache) <= SIEVE_CHANGED_MAX);
	assert_true(count_unsieved(cache) > 0);
	judge_some(cache, &dice, SEARCHES);
}

static void test_who_changes_while_bits_are_made_is_found(void **state)
{
	struct dice dice = { 6 };
	struct fixture *fixture = *state;
	struct cache *cache = fixture->cache;

	run(cache, "PRAGMA synchronous = OFF; BEGIN");
	add_some(cache, &dice, CUSTOMERS);
	run(cache, "COMMIT");
	while (sweep_once(cache) == CACHE_MORE) {
		run(cache, "BEGIN");
		change_some(cache, &dice, 3);
		if (roll(&dice, 4) == 0)
			add_some(cache, &dice, 2);
		run(cache, "COMMIT");
		if (roll(&dice, 12) == 0)
			judge_some(cache, &dice, 1);
	}
	assert_true(count_groups(cache) >= 2);
	judge_some(cache, &dice, SEARCHES);
}

static void test_a_search_goes_on_while_bits_are_made(void **state)
{
	struct dice dice = { 7 };
	struct cache *cache = sieved(state, &dice);
	char words[TEXT_SIZE];

	for (unsigned i = 0; i < SEARCHES; i++) {
		struct cache_search *search;

		/* Some are found in what changes, and the whole first group is made anew. */
		run(cache, "BEGIN");
		change_some(cache, &dice, 20);
		run(cache, "COMMIT; UPDATE unsieved SET stale = 2 WHERE stale = 1");
		cache->sieve.is_due = true;
		make_question(cache, &dice, words);
		assert_int_equal(cache_search_new(cache, words, &search), 0);
		do {
			for (uint64_t left = roll(&dice, 200); left; left--)
				(void)sweep_once(cache);
		} while (cache_search_step(cache, search) == CACHE_MORE);
		judge(cache, search, words);
		cache_search_free(search);
		sweep(cache);
	}
}

static void test_what_is_damaged_hides_nobody_and_is_mended(void **state)
{
	struct dice dice = { 8 };
	struct fixture *fixture = *state;
	struct cache *cache = sieved(state, &dice);
	uint64_t damaged;

	run(cache, "UPDATE sieve SET bits = zeroblob(length(bits)) WHERE part % 3 = 0;"
	           "DELETE FROM sieve WHERE part % 7 = 1");
	judge_some(cache, &dice, SEARCHES);
	assert_true(counter_value(&cache->metrics.damaged_rows) > 0);
	reopen(fixture);
	cache = fixture->cache;
	/* A damaged part is only known of once it was read. */
	for (unsigned i = 0; i < 6; i++) {
		judge_some(cache, &dice, SEARCHES);
		sweep(cache);
	}
	damaged = counter_value(&cache->metrics.damaged_rows);
	judge_some(cache, &dice, SEARCHES);
	assert_int_equal(counter_value(&cache->metrics.damaged_rows), damaged);
}

static void test_parts_of_an_earlier_build_are_not_believed(void **state)
{
	struct dice dice = { 9 };
	struct cache *cache = sieved(state, &dice);

	run(cache, "CREATE TEMP TABLE old AS SELECT * FROM sieve");
	run(cache, "BEGIN");
	for (uint32_t i = 0; i < 3000; i++)
		name_by_chance(cache, somebody(cache, &dice), &dice);
	run(cache, "COMMIT; UPDATE unsieved SET stale = 2");
	cache->sieve.is_due = true;
	sweep(cache);
	run(cache, "INSERT OR REPLACE INTO sieve SELECT * FROM old WHERE part & 511 > 0");
	judge_some(cache, &dice, SEARCHES);
	run(cache, "DROP TABLE old");
}

static uint8_t best_bound(struct cache *cache, const char *word)
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

static void test_of_who_is_forgotten_no_bit_is_left_after_a_minute(void **state)
{
	struct dice dice = { 10 };
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_ID, "7");
	struct cache_change change = store(fixture, &key, "7", "Qwertzuiop", 1000);
	uint32_t slot = change.customer.slot;
	struct cache *cache;

	cache_change_fini(&change);
	cache = sieved(state, &dice);
	assert_int_equal(best_bound(cache, "qwertzuiop"), HIT_WHOLE);
	assert_int_equal(cache_forget(cache, slot, 2000, &change), 0);
	cache_change_fini(&change);
	sweep(cache);
	assert_int_equal(best_bound(cache, "qwertzuiop"), HIT_WHOLE);
	cache_tidy(cache, 3000);
	sweep(cache);
	assert_int_equal(best_bound(cache, "qwertzuiop"), 0);
	assert_int_equal(count_unsieved(cache), 0);
	judge_some(cache, &dice, SEARCHES);
}

static void test_groups_of_few_become_one(void **state)
{
	struct dice dice = { 11 };
	struct cache *cache = sieved(state, &dice);
	int64_t before = count_groups(cache);

	run(cache, "BEGIN");
	for (int64_t i = 0; i < CUSTOMERS * 3 / 4; i++)
		assert_int_equal(cache_delete_words(cache, somebody(cache, &dice)), 0);
	run(cache, "COMMIT");
	sweep(cache);
	assert_true(count_groups(cache) < before);
	assert_true(number(cache, "SELECT count(*) FROM sieve") <= count_groups(cache) * 497);
	judge_some(cache, &dice, SEARCHES);
}

static void test_without_customers_there_are_no_bits(void **state)
{
	struct dice dice = { 12 };
	struct cache *cache = sieved(state, &dice);
	uint32_t slot;

	run(cache, "BEGIN");
	while ((slot = (uint32_t)number(cache, "SELECT ifnull(min(customer), 0) FROM words")))
		assert_int_equal(cache_delete_words(cache, slot), 0);
	run(cache, "COMMIT");
	sweep(cache);
	assert_int_equal(number(cache, "SELECT count(*) FROM sieve"), 0);
	assert_int_equal(count_unsieved(cache), 0);
}

static void test_over_a_file_whoever_changes_is_found(void **state)
{
	struct dice dice = { 13 };
	struct cache *cache = sieved(state, &dice);

	rows_finalize(cache);
	assert_int_equal(overlay_begin(cache->database), 0);
	assert_int_equal(rows_prepare(cache, true), 0);
	cache->mode = CACHE_OVER_FILE;
	change_some(cache, &dice, 200);
	add_some(cache, &dice, 100);
	judge_some(cache, &dice, SEARCHES / 4);
	sweep(cache);
	assert_int_equal(cache_write_down(cache), 0);
	judge_some(cache, &dice, SEARCHES / 4);
	sweep(cache);
	judge_some(cache, &dice, SEARCHES / 4);
}

static void test_a_group_that_was_not_finished_hides_nobody(void **state)
{
	struct dice dice = { 14 };
	struct fixture *fixture = *state;
	struct cache *cache = fixture->cache;

	run(cache, "PRAGMA synchronous = OFF; BEGIN");
	add_some(cache, &dice, CUSTOMERS);
	run(cache, "COMMIT");
	do
		assert_int_equal(sweep_once(cache), CACHE_MORE);
	while (cache->sieve.build.part < SIEVE_PARTS / 2);
	reopen(fixture);
	cache = fixture->cache;
	judge_some(cache, &dice, SEARCHES / 2);
	sweep(cache);
	assert_true(count_groups(cache) >= 2);
	judge_some(cache, &dice, SEARCHES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_all_are_found_who_would_be_by_looking_at_all),
		in_a_cache(test_who_cannot_match_is_not_looked_at),
		in_a_cache(test_who_has_changed_is_found_by_the_new_words_only),
		in_a_cache(test_the_same_words_are_no_change),
		in_a_cache(test_when_many_have_changed_their_bits_are_made_anew),
		in_a_cache(test_who_changes_while_bits_are_made_is_found),
		in_a_cache(test_a_search_goes_on_while_bits_are_made),
		in_a_cache(test_what_is_damaged_hides_nobody_and_is_mended),
		in_a_cache(test_parts_of_an_earlier_build_are_not_believed),
		in_a_cache(test_of_who_is_forgotten_no_bit_is_left_after_a_minute),
		in_a_cache(test_groups_of_few_become_one),
		in_a_cache(test_without_customers_there_are_no_bits),
		in_a_cache(test_over_a_file_whoever_changes_is_found),
		in_a_cache(test_a_group_that_was_not_finished_hides_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
