/* SPDX-License-Identifier: MIT */
/* All customers as one text, and that it stays the same while it is read. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

enum {
	CUSTOMERS = 700, /* more than a block has room for */
	BEGUN_MS = 1000000,
	PIECE = 4096,
};

struct export_text {
	char *bytes;
	size_t length;
};

static struct cache_export begin(struct fixture *fixture, int64_t now_ms)
{
	struct cache_export export;

	assert_int_equal(cache_export(fixture->cache, now_ms, &export), 0);
	return export;
}

static size_t read_at(struct fixture *fixture, const struct cache_export *export, uint64_t offset,
                      char *bytes, size_t size, int64_t now_ms)
{
	size_t length;

	assert_int_equal(cache_export_read(fixture->cache, export->generation, offset, bytes, size,
	                                   now_ms, &length),
	                 0);
	return length;
}

static struct export_text read_all(struct fixture *fixture, const struct cache_export *export,
                                   size_t piece, int64_t now_ms)
{
	struct export_text text = { malloc(export->size + piece), 0 };
	size_t length;

	do {
		length = read_at(fixture, export, text.length, text.bytes + text.length, piece,
		                 now_ms);
		text.length += length;
	} while (length == piece);
	assert_int_equal(text.length, export->size);
	return text;
}

static void assert_same(const struct export_text *left, const struct export_text *right)
{
	assert_int_equal(left->length, right->length);
	assert_memory_equal(left->bytes, right->bytes, left->length);
}

static void store_many(struct fixture *fixture, uint32_t from, uint32_t count)
{
	for (uint32_t i = from; i < from + count; i++)
		store_generated(fixture, i, 1000 + i);
}

/* What the text must be: the JSON of the customers as they were stored. */
static struct export_text expected_of(uint32_t from, uint32_t count)
{
	struct export_text text = { malloc(count * 16384), 0 };

	for (uint32_t i = from; i < from + count; i++) {
		struct record *record = generate(i);
		size_t length;
		const char *json = record_json(record, &length);

		memcpy(text.bytes + text.length, json, length);
		text.length += length;
		record_unref(record);
	}
	return text;
}

static void rename_customer(struct fixture *fixture, uint32_t index, int64_t now_ms)
{
	struct key key = generated_id(index);
	char id[24];

	snprintf(id, sizeof(id), "%u", generator_id(&generated, index));
	store_and_drop(fixture, &key, id, "Somebody Else", now_ms);
}

static void go(struct fixture *fixture, uint32_t index, int64_t now_ms)
{
	struct key key = generated_id(index);
	struct cache_change change;

	assert_int_equal(cache_store_absent(fixture->cache, &key, now_ms, &change), 0);
	cache_change_fini(&change);
}

static struct cache_exports forget(struct fixture *fixture, uint32_t index, int64_t now_ms)
{
	struct key key = generated_id(index);
	struct cache_exports ended;
	struct cache_change change;

	assert_int_equal(cache_forget_key(fixture->cache, &key, now_ms, &change), 0);
	ended = change.ended;
	cache_change_fini(&change);
	return ended;
}

static void test_an_empty_cache_is_an_empty_text(void **state)
{
	struct cache_export export = begin(*state, BEGUN_MS);
	char byte;

	assert_int_equal(export.size, 0);
	assert_int_equal(read_at(*state, &export, 0, &byte, 1, BEGUN_MS), 0);
}

static void test_each_customer_is_a_line_as_it_was_sent(void **state)
{
	struct export_text expected = expected_of(0, CUSTOMERS);
	struct cache_export export;
	struct export_text text;

	store_many(*state, 0, CUSTOMERS);
	export = begin(*state, BEGUN_MS);
	text = read_all(*state, &export, PIECE, BEGUN_MS);
	assert_same(&text, &expected);
	free(text.bytes);
	free(expected.bytes);
}

static void test_it_reads_the_same_from_everywhere(void **state)
{
	struct export_text expected = expected_of(0, CUSTOMERS);
	unsigned seed = 7;
	struct cache_export export;
	char bytes[PIECE];

	store_many(*state, 0, CUSTOMERS);
	export = begin(*state, BEGUN_MS);
	for (int i = 0; i < 2000; i++) {
		size_t offset = (size_t)rand_r(&seed) % (expected.length + 10);
		size_t size = (size_t)rand_r(&seed) % PIECE + 1;
		size_t left = offset < expected.length ? expected.length - offset : 0;
		size_t length = read_at(*state, &export, offset, bytes, size, BEGUN_MS);

		assert_int_equal(length, left < size ? left : size);
		if (length)
			assert_memory_equal(bytes, expected.bytes + offset, length);
	}
	free(expected.bytes);
}

static void test_line_breaks_between_tokens_become_blanks(void **state)
{
	static const char sent[] = "{\n\t\"id\": 7,\r\n\t\"cmId\": 1000001, \"name\": \"a\\nb\"\n}";
	static const char line[] = "{ \t\"id\": 7,  \t\"cmId\": 1000001, \"name\": \"a\\nb\" }\n";
	struct fixture *fixture = *state;
	struct key key = make_key(KEY_ID, "7");
	struct record *record;
	struct cache_change change;
	struct cache_export export;
	struct export_text text;

	assert_int_equal(payload_read_customer(sent, strlen(sent), &record), 0);
	assert_int_equal(cache_store(fixture->cache, &key, record, 1000, &change), 0);
	record_unref(record);
	cache_change_fini(&change);

	export = begin(fixture, BEGUN_MS);
	text = read_all(fixture, &export, PIECE, BEGUN_MS);
	assert_int_equal(text.length, strlen(line));
	assert_memory_equal(text.bytes, line, text.length);
	free(text.bytes);
}

static void test_what_changes_meanwhile_does_not_change_the_text(void **state)
{
	struct export_text expected = expected_of(0, CUSTOMERS);
	struct cache_export export;
	struct export_text text;

	store_many(*state, 0, CUSTOMERS);
	export = begin(*state, BEGUN_MS);
	for (uint32_t i = 0; i < CUSTOMERS; i += 3)
		rename_customer(*state, i, BEGUN_MS + 1);
	for (uint32_t i = 1; i < CUSTOMERS; i += 7)
		go(*state, i, BEGUN_MS + 2);
	rename_customer(*state, 0, BEGUN_MS + 3);
	store_many(*state, CUSTOMERS, 50);

	text = read_all(*state, &export, PIECE, BEGUN_MS + 4);
	assert_same(&text, &expected);
	free(text.bytes);
	free(expected.bytes);
}

static void test_each_text_stays_what_it_was_when_it_was_begun(void **state)
{
	struct cache_export exports[3];
	struct export_text texts[3];

	store_many(*state, 0, 20);
	for (uint32_t i = 0; i < 3; i++) {
		exports[i] = begin(*state, BEGUN_MS + i);
		texts[i] = read_all(*state, &exports[i], PIECE, BEGUN_MS + i);
		rename_customer(*state, i, BEGUN_MS + i);
		go(*state, 10 + i, BEGUN_MS + i);
		rename_customer(*state, 5, BEGUN_MS + i);
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct export_text text = read_all(*state, &exports[i], PIECE, BEGUN_MS + 10);

		assert_same(&text, &texts[i]);
		assert_int_not_equal(exports[i].generation, exports[(i + 1) % 3].generation);
		free(text.bytes);
		free(texts[i].bytes);
	}
}

static void test_without_a_change_it_is_the_same_text_however_late(void **state)
{
	const int64_t late_ms = BEGUN_MS + INT64_C(86400) * 1000;
	struct cache_export first;
	struct cache_export second;

	store_many(*state, 0, 5);
	first = begin(*state, BEGUN_MS);
	store_many(*state, 0, 5); /* the same answers again */
	second = begin(*state, late_ms);
	assert_int_equal(second.generation, first.generation);
	assert_int_equal(second.changed_ms, first.changed_ms);
	rename_customer(*state, 0, late_ms);
	second = begin(*state, late_ms);
	assert_int_not_equal(second.generation, first.generation);
	assert_true(second.changed_ms > first.changed_ms);
}

static void test_it_goes_when_it_has_changed_and_nobody_reads_it(void **state)
{
	struct fixture *fixture = *state;
	struct cache_export export;
	char bytes[16];
	size_t length;

	store_many(fixture, 0, 5);
	export = begin(fixture, BEGUN_MS);
	read_at(fixture, &export, 0, bytes, sizeof(bytes), BEGUN_MS + 60000);
	rename_customer(fixture, 0, BEGUN_MS + 69000);
	read_at(fixture, &export, 0, bytes, sizeof(bytes), BEGUN_MS + 69001);
	rename_customer(fixture, 1, BEGUN_MS + 80000);
	assert_int_equal(cache_export_read(fixture->cache, export.generation, 0, bytes,
	                                   sizeof(bytes), BEGUN_MS + 80001, &length),
	                 -ESTALE);
	assert_int_equal(cache_export_find(fixture->cache, export.generation, &export), -ESTALE);
}

static int look(struct fixture *fixture, int64_t now_ms, struct cache_export *ret)
{
	return cache_export(fixture->cache, now_ms, ret);
}

/* Four texts of which somebody has read some. */
static void begin_four(struct fixture *fixture, struct cache_export exports[4])
{
	char byte;

	store_many(fixture, 0, 10);
	for (uint32_t i = 0; i < 4; i++) {
		exports[i] = begin(fixture, BEGUN_MS + i);
		read_at(fixture, &exports[i], 0, &byte, 1, BEGUN_MS + i);
		rename_customer(fixture, i, BEGUN_MS + i);
	}
}

static void test_of_too_many_texts_the_newest_is_for_all_for_a_second(void **state)
{
	struct cache_export exports[4];
	struct cache_export another;

	begin_four(*state, exports);
	another = begin(*state, BEGUN_MS + 900);
	assert_int_equal(another.generation, exports[3].generation);
	assert_int_equal(look(*state, BEGUN_MS + 1900, &another), -EBUSY);
	another = begin(*state, BEGUN_MS + 30000);
	assert_int_not_equal(another.generation, exports[3].generation);
}

static void test_a_text_that_nobody_is_in_the_middle_of_makes_room(void **state)
{
	struct cache_export exports[4];
	struct cache_export another;
	struct export_text text;

	begin_four(*state, exports);
	text = read_all(*state, &exports[1], PIECE, BEGUN_MS + 100);
	assert_int_equal(look(*state, BEGUN_MS + 1050, &another), -EBUSY);
	another = begin(*state, BEGUN_MS + 1200);
	assert_int_equal(cache_export_find(((struct fixture *)*state)->cache, exports[1].generation,
	                                   &exports[1]),
	                 -ESTALE);
	/* It was only looked at. */
	rename_customer(*state, 9, BEGUN_MS + 1200);
	another = begin(*state, BEGUN_MS + 2300);
	assert_true(another.changed_ms >= BEGUN_MS + 1200);
	free(text.bytes);
}

static void test_who_is_forgotten_ends_the_texts_that_have_them_and_no_others(void **state)
{
	struct cache_export with;
	struct cache_export without;
	struct cache_exports ended;
	char byte;

	store_many(*state, 0, 3);
	without = begin(*state, BEGUN_MS);
	read_at(*state, &without, 0, &byte, 1, BEGUN_MS);
	store_many(*state, 3, 1);
	with = begin(*state, BEGUN_MS + 1);
	read_at(*state, &with, 0, &byte, 1, BEGUN_MS + 1);
	rename_customer(*state, 3, BEGUN_MS + 2);
	ended = forget(*state, 3, BEGUN_MS + 3);
	assert_int_equal(ended.count, 1);
	assert_int_equal(ended.generations[0], with.generation);
	read_at(*state, &without, 0, &byte, 1, BEGUN_MS + 4);
}

static void test_who_was_gone_before_they_were_forgotten_is_in_no_text(void **state)
{
	struct fixture *fixture = *state;
	struct cache_export export;

	store_many(fixture, 0, 3);
	export = begin(fixture, BEGUN_MS);
	rename_customer(fixture, 1, BEGUN_MS + 1);
	go(fixture, 1, BEGUN_MS + 2);
	assert_int_equal(cache_export_find(fixture->cache, export.generation, &export), 0);
	forget(fixture, 1, BEGUN_MS + 3);
	assert_int_equal(cache_export_find(fixture->cache, export.generation, &export), -ESTALE);
}

static void test_it_survives_the_closing_of_the_file(void **state)
{
	struct export_text expected = expected_of(0, 100);
	struct cache_export export;
	struct export_text text;

	store_many(*state, 0, 100);
	reopen(*state);
	export = begin(*state, BEGUN_MS);
	text = read_all(*state, &export, PIECE, BEGUN_MS);
	assert_same(&text, &expected);
	free(text.bytes);
	free(expected.bytes);
}

static void test_a_file_without_sums_gets_them(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size;

	store_many(fixture, 0, CUSTOMERS);
	size = begin(fixture, BEGUN_MS).size;
	assert_int_equal(database_run(fixture->cache->database, "DELETE FROM extent"), 0);
	reopen(fixture);
	assert_int_equal(begin(fixture, BEGUN_MS).size, size);
}

static void damage(struct fixture *fixture, const char *sql)
{
	assert_int_equal(database_run(fixture->cache->database, sql), 0);
}

/* Read until it fails; returns how. */
static int read_to_the_end(struct fixture *fixture, const struct cache_export *export)
{
	char bytes[PIECE];
	uint64_t offset = 0;
	size_t length;
	int r;

	do {
		r = cache_export_read(fixture->cache, export->generation, offset, bytes, PIECE,
		                      BEGUN_MS, &length);
		offset += length;
	} while (!r && length == PIECE);
	return r;
}

static void test_a_damaged_customer_is_an_error_and_then_missing(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	struct cache_export export;
	struct export_text text;

	store_many(fixture, 0, CUSTOMERS);
	damage(fixture, "UPDATE customer SET fetched_ms = fetched_ms + 1"
	                " WHERE slot = (SELECT max(slot) FROM customer) - 100"
	                " OR slot = (SELECT max(slot) FROM customer) - 101");
	export = begin(fixture, BEGUN_MS);
	assert_int_equal(cache_export_mend(fixture->cache, BEGUN_MS, &change), CACHE_NONE);
	assert_int_equal(read_to_the_end(fixture, &export), -EIO);
	assert_int_equal(cache_export_mend(fixture->cache, BEGUN_MS, &change), 0);
	assert_true(change.listing[KEY_ID]);
	cache_change_fini(&change);

	export = begin(fixture, BEGUN_MS + 1);
	text = read_all(fixture, &export, PIECE, BEGUN_MS + 1);
	free(text.bytes);
}

static void test_a_wrong_sum_is_an_error_and_then_right(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	struct cache_export export;
	uint64_t size;

	store_many(fixture, 0, CUSTOMERS);
	size = begin(fixture, BEGUN_MS).size;
	damage(fixture, "UPDATE extent SET bytes = bytes + 1 WHERE block = 1");
	rename_customer(fixture, 0, BEGUN_MS);
	rename_customer(fixture, 0, BEGUN_MS);
	store_generated(fixture, 0, BEGUN_MS);
	export = begin(fixture, BEGUN_MS);
	assert_int_equal(export.size, size + 1);
	assert_int_equal(read_to_the_end(fixture, &export), -EIO);
	assert_int_equal(cache_export_mend(fixture->cache, BEGUN_MS, &change), 0);
	cache_change_fini(&change);
	assert_int_equal(begin(fixture, BEGUN_MS).size, size);
}

static void test_too_much_change_ends_it(void **state)
{
	enum { BYTES = 1 << 20, TIMES = 40 };
	struct snapshots *snapshots;
	struct block *end = calloc(1, sizeof(*end));
	char *bytes = calloc(1, BYTES);
	uint32_t generation;

	(void)state;
	assert_int_equal(snapshots_new(&snapshots), 0);
	snapshots_set_time(snapshots, BEGUN_MS);
	generation = snapshots_add(snapshots, end, 0, 1000)->generation;
	snapshots_keep(snapshots, 1, bytes, BYTES);
	snapshots_count_change(snapshots);
	assert_non_null(snapshots_find(snapshots, generation));
	for (uint32_t slot = 2; slot < TIMES; slot++)
		snapshots_keep(snapshots, slot, bytes, BYTES);
	assert_null(snapshots_find(snapshots, generation));
	snapshots_free(snapshots);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_an_empty_cache_is_an_empty_text),
		in_a_cache(test_each_customer_is_a_line_as_it_was_sent),
		in_a_cache(test_it_reads_the_same_from_everywhere),
		in_a_cache(test_line_breaks_between_tokens_become_blanks),
		in_a_cache(test_what_changes_meanwhile_does_not_change_the_text),
		in_a_cache(test_each_text_stays_what_it_was_when_it_was_begun),
		in_a_cache(test_without_a_change_it_is_the_same_text_however_late),
		in_a_cache(test_it_goes_when_it_has_changed_and_nobody_reads_it),
		in_a_cache(test_of_too_many_texts_the_newest_is_for_all_for_a_second),
		in_a_cache(test_a_text_that_nobody_is_in_the_middle_of_makes_room),
		in_a_cache(test_who_is_forgotten_ends_the_texts_that_have_them_and_no_others),
		in_a_cache(test_who_was_gone_before_they_were_forgotten_is_in_no_text),
		in_a_cache(test_it_survives_the_closing_of_the_file),
		in_a_cache(test_a_file_without_sums_gets_them),
		in_a_cache(test_a_damaged_customer_is_an_error_and_then_missing),
		in_a_cache(test_a_wrong_sum_is_an_error_and_then_right),
		cmocka_unit_test(test_too_much_change_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
