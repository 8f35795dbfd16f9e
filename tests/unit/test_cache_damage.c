/* SPDX-License-Identifier: MIT */
/*
 * Damaged copies of a cache, each opened and read through: whatever was done to the file, an
 * answer is one that was stored, or there is none; and the cache can be used afterwards.
 *
 * 60 copies of each kind by default, more with CACHE_DAMAGE_VARIANTS in the environment; the seed
 * is CACHE_DAMAGE_SEED, and is told when something is wrong.
 */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "caches.h"
#include "damage.h"
#include "kapturefs/base/log.h"
#include "kapturefs/store/cache_parts.h"

enum {
	CUSTOMERS = 60,
	VERSIONS = 2,
	ABSENCES = 10,
};

/* The original: what was stored, and the files. */
struct original {
	struct record *records[CUSTOMERS][VERSIONS]; /* as settled and stored */
	struct bytes file;
	struct bytes log; /* empty for the cache that was closed */
};

struct world {
	struct fixture *fixture;
	struct original closed; /* everything is in the file */
	struct original killed; /* much is in the log alone */
	struct dice dice;
	unsigned variants;
	unsigned noticed; /* variants in which something was missing */
	unsigned answers; /* that were right, in all */
};

static struct world world;

static void log_path(char ret[128])
{
	snprintf(ret, 128, "%s-wal", world.fixture->path);
}

/* The original */

static struct key phone_of(uint32_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "7700%08u", index);
	return make_key(KEY_PHONE, text);
}

static struct key absent_of(uint32_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "7799%08u", index);
	return make_key(KEY_PHONE, text);
}

/* A version is the customer with a value that was not there before. */
static struct record *make_version(uint32_t index, unsigned version)
{
	struct record *record = generate(index);
	struct record *changed = NULL;
	struct buffer json;
	const char *text;
	size_t length;

	if (version == 0)
		return record;
	text = record_json(record, &length);
	buffer_init(&json, 1 << 20);
	assert_int_equal(buffer_print(&json, "{\"version\":%u,%.*s", version, (int)length - 1,
	                              text + 1),
	                 0);
	assert_int_equal(payload_read_customer(json.data, json.length, &changed), 0);
	buffer_fini(&json);
	record_unref(record);
	return changed;
}

static void store_version(struct original *original, uint32_t index, unsigned version)
{
	struct record *record = make_version(index, version);
	struct key phone = phone_of(index);
	struct cache_change change;

	assert_int_equal(cache_store(world.fixture->cache, &phone, record, 1000 + version, &change),
	                 0);
	cache_change_fini(&change);
	original->records[index][version] = record;
}

static void store_all(struct original *original)
{
	for (uint32_t i = 0; i < CUSTOMERS; i++)
		store_version(original, i, 0);
	for (uint32_t i = 0; i < ABSENCES; i++) {
		struct key absent = absent_of(i);

		store_absent(world.fixture, &absent, 1000);
	}
	for (uint32_t i = 0; i < CUSTOMERS; i += 2)
		store_version(original, i, 1);
}

static void begin_file(void)
{
	char command[160];

	cache_close(steal(&world.fixture->cache));
	snprintf(command, sizeof(command), "rm -f %s/*", world.fixture->directory);
	assert_int_equal(system(command), 0);
}

static int make_originals(void **state)
{
	const char *variants = getenv("CACHE_DAMAGE_VARIANTS");
	const char *seed = getenv("CACHE_DAMAGE_SEED");
	char log[128];

	world.variants = variants ? (unsigned)atoi(variants) : 60;
	world.dice.state = seed ? strtoull(seed, NULL, 10) : 1;
	assert_int_equal(set_up(state), 0);
	world.fixture = *state;
	log_path(log);

	store_all(&world.closed);
	cache_close(steal(&world.fixture->cache));
	world.closed.file = read_file(world.fixture->path);
	begin_file();

	open_cache(world.fixture);
	store_all(&world.killed);
	world.killed.file = read_file(world.fixture->path);
	world.killed.log = read_file(log);
	assert_true(world.closed.file.length > 10 * PAGE);
	assert_true(world.killed.log.length > 10 * PAGE);
	/* Damage is logged, thousands of times. */
	log_set_level((enum log_level)(LOG_LEVEL_ERROR - 1));
	return 0;
}

static void free_original(struct original *original)
{
	for (uint32_t i = 0; i < CUSTOMERS; i++) {
		for (unsigned version = 0; version < VERSIONS; version++)
			record_unref(original->records[i][version]);
	}
	free(original->file.data);
	free(original->log.data);
}

static int free_originals(void **state)
{
	free_original(&world.closed);
	free_original(&world.killed);
	return tear_down(state);
}

/* Comparing */

static bool is_same(const struct record *left, const struct record *right)
{
	size_t left_length;
	size_t right_length;
	const char *left_json = record_json(left, &left_length);
	const char *right_json = record_json(right, &right_length);

	if (left_length != right_length || memcmp(left_json, right_json, left_length) != 0 ||
	    record_member_count(left) != record_member_count(right))
		return false;
	for (uint32_t i = 0; i < record_member_count(left); i++) {
		const struct member *a = record_member(left, i);
		const struct member *b = record_member(right, i);

		if (strcmp(a->name, b->name) != 0 || a->ordinal != b->ordinal ||
		    a->changed_ms != b->changed_ms || a->value_length != b->value_length ||
		    memcmp(a->value, b->value, a->value_length) != 0)
			return false;
	}
	return true;
}

/*
 * What the key finds is a version of the customer @index, or nothing. Returns whether it is there.
 */
static bool check_customer(const struct original *original, const struct key *key, uint32_t index)
{
	struct cache_customer customer;
	struct cache_customer brief;
	struct cache_key found;
	bool is_right = false;
	int r = cache_find_key(world.fixture->cache, key, &found);

	assert_true(r == 0 || r == CACHE_NONE);
	if (r)
		return false;
	assert_true(key_equal(&found.key, key));
	r = cache_read_customer(world.fixture->cache, found.customer, &customer);
	assert_true(r == 0 || r == CACHE_NONE);
	assert_int_equal(cache_peek_customer(world.fixture->cache, found.customer, &brief), r);
	if (r)
		return false;
	assert_true(brief.changed_ms == customer.changed_ms);

	for (unsigned version = 0; version < VERSIONS; version++) {
		const struct record *stored = original->records[index][version];

		is_right = is_right || (stored && is_same(customer.record, stored));
	}
	record_unref(customer.record);
	assert_true(is_right);
	world.answers++;
	return true;
}

static bool is_known_key(void *userdata, const struct cache_key *found)
{
	unsigned *count = userdata;
	bool is_known = false;

	for (uint32_t i = 0; i < CUSTOMERS && !is_known; i++) {
		struct key key = found->key.kind == KEY_ID ? generated_id(i) : phone_of(i);

		is_known = key_equal(&key, &found->key);
	}
	assert_true(is_known);
	return ++*count <= 2 * CUSTOMERS;
}

/* Returns whether something is missing. */
static bool check_all(const struct original *original)
{
	bool is_whole = true;
	int64_t fetched_ms;

	for (uint32_t i = 0; i < CUSTOMERS; i++) {
		struct key id = generated_id(i);
		struct key phone = phone_of(i);

		is_whole &= check_customer(original, &id, i);
		is_whole &= check_customer(original, &phone, i);
		/* Nobody was ever said not to exist. */
		assert_int_equal(cache_find_absent(world.fixture->cache, &id, &fetched_ms),
		                 CACHE_NONE);
	}
	for (uint32_t i = 0; i < ABSENCES; i++) {
		struct key absent = absent_of(i);
		int r = cache_find_absent(world.fixture->cache, &absent, &fetched_ms);

		assert_true(r == CACHE_NONE || (r == 0 && fetched_ms == 1000));
		is_whole &= r == 0;
	}
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		unsigned count = 0;

		assert_int_equal(cache_list_keys(world.fixture->cache, kind, 0, is_known_key,
		                                 &count),
		                 0);
		assert_in_range(count, 0, CUSTOMERS);
	}
	return !is_whole;
}

/* It stores what is new and what it has lost, and lets go. */
static void check_use(void)
{
	struct cache_change change;
	struct key id = make_key(KEY_ID, "1");
	int r;

	store_id(world.fixture, "1", 5000);
	assert_true(knows(world.fixture, &id));
	for (uint32_t i = 0; i < CUSTOMERS; i += 7) {
		struct record *record = generate(i);
		struct key phone = phone_of(i);

		assert_int_equal(cache_store(world.fixture->cache, &phone, record, 6000, &change),
		                 0);
		cache_change_fini(&change);
		record_unref(record);
		assert_true(knows(world.fixture, &phone));
	}
	id = phone_of(7);
	/* Unless the damage is found just then, which takes the whole file away. */
	r = cache_forget_key(world.fixture->cache, &id, 7000, &change);
	assert_true(r == 0 || r == CACHE_NONE);
	if (r == 0)
		cache_change_fini(&change);
	assert_int_equal(count_files(world.fixture, "damaged-"), 0);
	assert_false(knows(world.fixture, &id));
	cache_limit(world.fixture->cache, &(struct cache_limits){ 1 << 30, 1000, 0 });
	/* It comes to an end, too. */
	for (unsigned left = 1000; r != 0 || left == 1000; left--) {
		r = cache_sweep(world.fixture->cache, 1000000, &change);
		assert_true(r >= 0);
		cache_change_fini(&change);
		assert_true(left > 0);
	}
	cache_tidy(world.fixture->cache, 1000000);
}

/* One copy, damaged in the file or in the log. */
static void check_variant(const struct original *original, damage_fn *damage, bool in_log)
{
	struct bytes file = copy_of(&original->file);
	struct bytes log = copy_of(&original->log);
	uint64_t seed = world.dice.state;
	char path[128];
	int r;

	begin_file();
	damage(&world.dice, in_log ? &log : &file);
	write_file(world.fixture->path, &file);
	log_path(path);
	if (log.length)
		write_file(path, &log);
	free(file.data);
	free(log.data);

	r = cache_open(world.fixture->path, SOURCE, &world.fixture->cache);
	/* What does not look like ours any more stays as it is. */
	if (r == CACHE_FOREIGN || r == CACHE_NEWER) {
		world.noticed++;
		return;
	}
	if (r)
		print_error("variant of seed %llu: outcome %d\n", (unsigned long long)seed, r);
	assert_int_equal(r, 0);
	world.noticed += check_all(original);
	check_use();
}

static void check_variants(const struct original *original, damage_fn *damage, bool in_log)
{
	world.noticed = 0;
	world.answers = 0;
	for (unsigned i = 0; i < world.variants; i++)
		check_variant(original, damage, in_log);
}

static void leave_whole(struct dice *dice, struct bytes *bytes)
{
	(void)dice;
	(void)bytes;
}

/* The checks see everything when there is nothing to see. */
static void test_undamaged_copies_are_whole(void **state)
{
	(void)state;
	check_variant(&world.closed, leave_whole, false);
	check_variant(&world.killed, leave_whole, true);
	assert_int_equal(world.noticed, 0);
	assert_int_equal(world.answers, 2 * 2 * CUSTOMERS);
}

static void test_one_flipped_bit(void **state)
{
	(void)state;
	check_variants(&world.closed, flip_bit, false);
	assert_true(world.noticed > 0);
	assert_true(world.answers > world.variants * CUSTOMERS / 2);
}

static void test_several_flipped_bits(void **state)
{
	(void)state;
	check_variants(&world.closed, flip_bits, false);
	assert_true(world.noticed > world.variants / 2);
	assert_true(world.answers > 0);
}

static void test_a_file_cut_short(void **state)
{
	(void)state;
	check_variants(&world.closed, cut, false);
	assert_true(world.noticed > world.variants / 2);
}

static void test_a_page_of_zeros(void **state)
{
	(void)state;
	check_variants(&world.closed, clear_page, false);
	assert_true(world.noticed > world.variants / 4);
}

static void test_pages_that_changed_places(void **state)
{
	(void)state;
	check_variants(&world.closed, swap_pages, false);
	assert_true(world.noticed > world.variants / 4);
}

static void test_a_torn_file(void **state)
{
	(void)state;
	check_variants(&world.closed, tear, false);
	assert_true(world.noticed > world.variants / 4);
}

static void test_flipped_bits_in_a_file_with_a_log(void **state)
{
	(void)state;
	check_variants(&world.killed, flip_bits, false);
}

static void test_flipped_bits_in_the_log(void **state)
{
	(void)state;
	check_variants(&world.killed, flip_bits, true);
	assert_true(world.noticed > world.variants / 2);
	assert_true(world.answers > 0);
}

static void test_a_log_cut_short(void **state)
{
	(void)state;
	check_variants(&world.killed, cut, true);
	assert_true(world.noticed > world.variants / 2);
	assert_true(world.answers > 0);
}

static void test_a_torn_log(void **state)
{
	(void)state;
	check_variants(&world.killed, tear, true);
	assert_true(world.noticed > world.variants / 2);
	assert_true(world.answers > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undamaged_copies_are_whole),
		cmocka_unit_test(test_one_flipped_bit),
		cmocka_unit_test(test_several_flipped_bits),
		cmocka_unit_test(test_a_file_cut_short),
		cmocka_unit_test(test_a_page_of_zeros),
		cmocka_unit_test(test_pages_that_changed_places),
		cmocka_unit_test(test_a_torn_file),
		cmocka_unit_test(test_flipped_bits_in_a_file_with_a_log),
		cmocka_unit_test(test_flipped_bits_in_the_log),
		cmocka_unit_test(test_a_log_cut_short),
		cmocka_unit_test(test_a_torn_log),
	};

	return cmocka_run_group_tests(tests, make_originals, free_originals);
}
