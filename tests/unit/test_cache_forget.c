/* SPDX-License-Identifier: MIT */
/* What is left of a customer that was forgotten: no byte in any file. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "caches.h"
#include "damage.h"
#include "kapturefs/store/cache_parts.h"

enum { PIECE = 16 }; /* bytes: none in common by chance */

/* Bytes to look for. */
struct planted {
	char *bytes;
	size_t length;
};

/* All files in the directory, one after the other. */
static struct planted read_all(const struct fixture *fixture)
{
	DIR *directory = opendir(fixture->directory);
	struct planted all = { 0 };
	const struct dirent *entry;

	while ((entry = readdir(directory))) {
		int fd = openat(dirfd(directory), entry->d_name, O_RDONLY);
		struct stat status;

		assert_int_equal(fstat(fd, &status), 0);
		if (S_ISREG(status.st_mode)) {
			all.bytes = realloc(all.bytes, all.length + (size_t)status.st_size + 1);
			assert_int_equal(read(fd, all.bytes + all.length, (size_t)status.st_size),
			                 status.st_size);
			all.length += (size_t)status.st_size;
		}
		close(fd);
	}
	closedir(directory);
	return all;
}

/* Whether any file in the directory has the bytes in it. */
static bool is_somewhere(const struct fixture *fixture, const char *bytes, size_t length)
{
	struct planted all = read_all(fixture);
	bool found = memmem(all.bytes, all.length, bytes, length);

	free(all.bytes);
	return found;
}

static bool text_is_somewhere(const struct fixture *fixture, const char *text)
{
	return is_somewhere(fixture, text, strlen(text));
}

/* The customer's JSON as it is packed in its row. */
static struct planted packed(struct fixture *fixture, uint32_t slot)
{
	cleanup(rows_reset) sqlite3_stmt *statement = fixture->cache->statements[PEEK_CUSTOMER];
	struct customer_row row;
	struct planted planted;

	rows_bind_integer(statement, 1, slot);
	assert_int_equal(rows_take_row(fixture->cache, statement, &row), 0);
	planted.length = row.json_length;
	planted.bytes = malloc(planted.length);
	memcpy(planted.bytes, row.json, planted.length);
	return planted;
}

/*
 * How many pieces are to be found, but for the beginning, which is much the same in all customers.
 */
static size_t count_pieces(const struct planted *all, const struct planted *planted)
{
	size_t count = 0;

	for (size_t i = 4 * PIECE; i + PIECE <= planted->length; i += PIECE)
		count += memmem(all->bytes, all->length, planted->bytes + i, PIECE) != NULL;
	return count;
}

/* A customer with @size bytes of noise, which packing cannot make smaller. */
static uint32_t store_noise(struct fixture *fixture, unsigned id, size_t size, int64_t now_ms)
{
	struct record *record = NULL;
	struct cache_change change;
	struct buffer json;
	struct key phone;
	char text[24];
	unsigned state = id * 7919 + (unsigned)now_ms;

	buffer_init(&json, 1 << 20);
	assert_int_equal(buffer_print(&json, "{\"id\":%u,\"cmId\":" ACCOUNT ",\"name\":\"", id), 0);
	for (size_t i = 0; i < size; i++) {
		state = state * 1103515245 + 12345;
		assert_int_equal(buffer_print(&json, "%c", 'A' + (int)(state >> 16) % 58 % 26), 0);
	}
	assert_int_equal(buffer_append_text(&json, "\"}"), 0);
	assert_int_equal(payload_read_customer(json.data, json.length, &record), 0);
	snprintf(text, sizeof(text), "7700%08u", id);
	phone = make_key(KEY_PHONE, text);
	assert_int_equal(cache_store(fixture->cache, &phone, record, now_ms, &change), 0);
	record_unref(record);
	buffer_fini(&json);
	cache_change_fini(&change);
	return change.customer.slot;
}

static void forget(struct fixture *fixture, uint32_t slot)
{
	struct cache_change change;

	assert_int_equal(cache_forget(fixture->cache, slot, 9000, &change), 0);
	cache_change_fini(&change);
}

static void test_forgetting_names_what_is_gone(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	uint32_t slot = store_and_drop(fixture, &phone, "42", "Asha", 1000).customer.slot;
	uint32_t phone_slot = slot_of(fixture, &phone);
	int64_t changed_ms = cache_listing_changed_ms(fixture->cache, KEY_PHONE);
	struct cache_change change;

	assert_int_equal(cache_forget(fixture->cache, slot, 2000, &change), 0);
	assert_int_equal(change.customer.slot, slot);
	assert_null(change.customer.record);
	assert_string_equal(name_of(change.previous), "Asha\n");
	assert_int_equal(change.key_count, 2);
	assert_true(change.keys[0] == phone_slot || change.keys[1] == phone_slot);
	assert_true(change.listing[KEY_ID] && change.listing[KEY_PHONE]);
	assert_false(change.listing[KEY_EMAIL]);
	cache_change_fini(&change);

	assert_true(cache_listing_changed_ms(fixture->cache, KEY_PHONE) > changed_ms);
	assert_false(knows(fixture, &phone));
	assert_false(knows_id(fixture, "42"));
	assert_int_equal(cache_forget(fixture->cache, slot, 3000, &change), CACHE_NONE);
}

static void test_a_forgotten_customer_leaves_no_byte(void **state)
{
	struct fixture *fixture = *state;
	struct planted planted;
	struct planted all;
	uint32_t slot;

	for (unsigned id = 1; id <= 20; id++)
		store_noise(fixture, id, 700, 1000);
	slot = store_noise(fixture, 21, 700, 1000);
	for (unsigned id = 22; id <= 40; id++)
		store_noise(fixture, id, 700, 1000);
	planted = packed(fixture, slot);
	all = read_all(fixture);
	assert_true(count_pieces(&all, &planted) > 20);
	free(all.bytes);
	assert_true(text_is_somewhere(fixture, "770000000021"));

	forget(fixture, slot);
	all = read_all(fixture);
	assert_int_equal(count_pieces(&all, &planted), 0);
	free(all.bytes);
	assert_false(text_is_somewhere(fixture, "770000000021"));
	assert_true(text_is_somewhere(fixture, "770000000022"));
	free(planted.bytes);
}

/*
 * Rows that grow and shrink move between pages, and their old places are not deletions: every
 * version of every customer must go.
 */
static void test_rows_that_moved_leave_no_byte_either(void **state)
{
	enum { CUSTOMERS = 120, VERSIONS = 6 };
	struct fixture *fixture = *state;
	static struct planted planted[CUSTOMERS][VERSIONS];
	static uint32_t slots[CUSTOMERS];
	struct planted all;
	unsigned dice = 1;

	for (unsigned version = 0; version < VERSIONS; version++) {
		for (unsigned i = 0; i < CUSTOMERS; i++) {
			unsigned id = (i * 37) % CUSTOMERS;

			dice = dice * 1103515245 + 12345;
			slots[id] = store_noise(fixture, id + 1, 100 + (dice >> 16) % 1500,
			                        1000 + version);
			planted[id][version] = packed(fixture, slots[id]);
		}
	}
	for (unsigned id = 0; id < CUSTOMERS; id += 2)
		forget(fixture, slots[id]);

	all = read_all(fixture);
	for (unsigned id = 0; id < CUSTOMERS; id++) {
		for (unsigned version = 0; version < VERSIONS; version++) {
			size_t count = count_pieces(&all, &planted[id][version]);

			if (id % 2 == 0)
				assert_int_equal(count, 0);
			else if (version == VERSIONS - 1)
				assert_true(count > 0);
			free(planted[id][version].bytes);
		}
	}
	free(all.bytes);
}

/* A name that tells of whom and when it is, and is longer or shorter every time. */
static uint32_t store_told(struct fixture *fixture, unsigned id, unsigned version,
                           struct dice *dice)
{
	struct key key;
	char name[300];
	char text[16];
	int head = snprintf(name, sizeof(name), "zq%06uv%02uqz", id, version);

	memset(name + head, 'x', sizeof(name) - (size_t)head);
	name[(size_t)head + roll(dice, 200)] = '\0';
	snprintf(text, sizeof(text), "%u", id + 1);
	key = make_key(KEY_ID, text);
	return store_and_drop(fixture, &key, text, name, 1000 + version).customer.slot;
}

static unsigned count_told(const struct fixture *fixture, const uint32_t *slots)
{
	struct planted all = read_all(fixture);
	const char *at = all.bytes;
	unsigned version;
	unsigned count = 0;
	unsigned id;

	while ((at = memmem(at, all.length - (size_t)(at - all.bytes), "zq", 2))) {
		count += sscanf(at, "zq%6uv%2uqz", &id, &version) == 2 && slots[id] == 0;
		at += 2;
	}
	free(all.bytes);
	return count;
}

/* Where SQLite has put rows meanwhile, in the file, its log or its memory, they are wiped, too. */
static void test_of_many_no_byte_stays_or_comes_back(void **state)
{
	enum { CUSTOMERS = 3000, VERSIONS = 4 };
	struct fixture *fixture = *state;
	static uint32_t slots[CUSTOMERS];
	struct dice dice = { 1 };

	for (unsigned version = 0; version < VERSIONS; version++) {
		for (unsigned i = 0; i < CUSTOMERS; i++) {
			unsigned id = i * (version ? 37 : 1) % CUSTOMERS;

			slots[id] = store_told(fixture, id, version, &dice);
		}
	}
	for (unsigned id = 0; id < CUSTOMERS; id += 2) {
		forget(fixture, slots[id]);
		slots[id] = 0;
	}
	assert_int_equal(count_told(fixture, slots), 0);
	for (unsigned id = 1; id < CUSTOMERS; id += 2)
		store_told(fixture, id, VERSIONS, &dice);
	assert_int_equal(count_told(fixture, slots), 0);
}

static void test_the_key_of_an_absence_is_in_no_file(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "770012341234");
	struct cache_change change;
	char hash[SEAL_ABSENT_SIZE];
	int64_t fetched_ms;

	store_absent(fixture, &phone, 1000);
	assert_false(text_is_somewhere(fixture, "770012341234"));
	seal_absent_hash(fixture->cache->seal, &phone, hash);
	assert_true(is_somewhere(fixture, hash, sizeof(hash)));

	assert_int_equal(cache_forget_key(fixture->cache, &phone, 2000, &change), 0);
	cache_change_fini(&change);
	assert_false(is_somewhere(fixture, hash, sizeof(hash)));
	assert_int_equal(cache_find_absent(fixture->cache, &phone, &fetched_ms), CACHE_NONE);
	assert_int_equal(cache_forget_key(fixture->cache, &phone, 2000, &change), CACHE_NONE);
}

static void sweep(struct fixture *fixture, int64_t now_ms)
{
	struct cache_log_work work;
	struct cache_change change;
	int r;

	do {
		r = cache_sweep(fixture->cache, now_ms, &change);
		assert_true(r >= 0);
		cache_change_fini(&change);
	} while (r == CACHE_MORE);
	if (cache_log_begin(fixture->cache, &work)) {
		cache_log_run(&work);
		cache_log_end(fixture->cache, &work);
	}
}

static unsigned count_hashes(struct fixture *fixture, char (*hashes)[SEAL_ABSENT_SIZE],
                             unsigned count)
{
	struct planted all = read_all(fixture);
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += memmem(all.bytes, all.length, hashes[i], SEAL_ABSENT_SIZE) != NULL;
	free(all.bytes);
	return found;
}

/* What they are hashed with lies in the file, so that keys can be tried. */
static void test_absences_that_do_not_count_any_more_are_in_no_file(void **state)
{
	enum { ABSENCES = 300, TTL_MS = 60000 };
	static char hashes[ABSENCES][SEAL_ABSENT_SIZE];
	struct fixture *fixture = *state;

	cache_keep_absences(fixture->cache, TTL_MS);
	fill(fixture);
	for (unsigned i = 0; i < ABSENCES; i++) {
		char text[16];
		struct key phone;

		snprintf(text, sizeof(text), "77%08u", i * 7919);
		phone = make_key(KEY_PHONE, text);
		/* The last third comes a minute later. */
		store_absent(fixture, &phone, 100000 + (i < 200 ? 0 : TTL_MS));
		seal_absent_hash(fixture->cache->seal, &phone, hashes[i]);
	}
	sweep(fixture, 100000 + TTL_MS - 1);
	assert_int_equal(count_hashes(fixture, hashes, ABSENCES), ABSENCES);
	assert_true(cache_absences_due_in(fixture->cache, 100000 + TTL_MS - 1) <= 1000);
	sweep(fixture, 100000 + TTL_MS + 1000);
	assert_int_equal(count_hashes(fixture, hashes, 200), 0);
	assert_int_equal(count_hashes(fixture, hashes + 200, 100), 100);
	assert_int_equal(cache_absences_due_in(fixture->cache, 100000 + TTL_MS + 1000),
	                 TTL_MS - 1000);
	sweep(fixture, 100000 + 3 * TTL_MS);
	assert_int_equal(count_hashes(fixture, hashes, ABSENCES), 0);
	assert_true(cache_absences_due_in(fixture->cache, 100000 + 3 * TTL_MS) == UINT64_MAX);
}

static void test_closing_leaves_no_absence_that_does_not_count(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "770012341234");
	char hash[SEAL_ABSENT_SIZE];

	cache_keep_absences(fixture->cache, 60000);
	store_absent(fixture, &phone, 1000);
	seal_absent_hash(fixture->cache->seal, &phone, hash);
	reopen(fixture);
	assert_false(is_somewhere(fixture, hash, sizeof(hash)));
}

static void test_forgetting_by_any_key_forgets_the_customer(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct cache_change change;

	store_and_drop(fixture, &phone, "42", "Asha", 1000);
	assert_int_equal(cache_forget_key(fixture->cache, &phone, 2000, &change), 0);
	assert_string_equal(name_of(change.previous), "Asha\n");
	cache_change_fini(&change);
	assert_false(knows_id(fixture, "42"));
}

static void test_what_was_set_aside_goes_with_the_forgotten(void **state)
{
	struct fixture *fixture = *state;
	char command[256];
	uint32_t slot;

	snprintf(command, sizeof(command),
	         "cd %s; touch cache.db.damaged-1 cache.db.damaged-1-wal;"
	         " touch other.db.damaged-1",
	         fixture->directory);
	assert_int_equal(system(command), 0);
	slot = store_id(fixture, "42", 1000);
	forget(fixture, slot);
	assert_int_equal(count_files(fixture, "cache.db.damaged"), 0);
	assert_int_equal(count_files(fixture, "other.db.damaged"), 1);
}

static void test_forgetting_on_a_full_disk_fails_and_forgets_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct cache_change change;
	uint32_t slot;

	slot = store_id(fixture, "42", 1000);
	assert_int_equal(database_run(fixture->cache->database, "PRAGMA max_page_count = 1"), 0);
	for (uint32_t i = 0; i < 200; i++)
		store_generated(fixture, i, 2000);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);
	assert_int_equal(cache_forget(fixture->cache, slot, 3000, &change), -ENOSPC);
	assert_true(knows_id(fixture, "42"));

	assert_int_equal(database_run(fixture->cache->database, "PRAGMA max_page_count = 100000"),
	                 0);
	forget(fixture, slot);
	assert_false(knows_id(fixture, "42"));
}

static void test_an_expired_customer_stays_until_it_is_asked_for_again(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct key id = make_key(KEY_ID, "42");
	uint32_t slot = store_and_drop(fixture, &phone, "42", "Asha", 1000).customer.slot;
	uint32_t key_slot = slot_of(fixture, &phone);
	struct cache_key found;

	assert_int_equal(cache_expire(fixture->cache, slot), 0);
	reopen(fixture);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), 0);
	assert_true(found.is_forced);
	assert_int_equal(found.fetched_ms, 1000);
	assert_int_equal(found.slot, key_slot);
	assert_int_equal(cache_miss(fixture->cache, &phone), CACHE_MISS_FORCED);
	assert_true(knows(fixture, &phone));

	/* Each key by itself, and the id with any of them. */
	store_and_drop(fixture, &id, "42", "Asha", 2000);
	assert_int_equal(cache_find_key(fixture->cache, &id, &found), 0);
	assert_false(found.is_forced);
	assert_int_equal(cache_find_key(fixture->cache, &phone, &found), 0);
	assert_true(found.is_forced);
	assert_int_equal(cache_expire(fixture->cache, slot + 100), CACHE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_forgetting_names_what_is_gone),
		in_a_cache(test_a_forgotten_customer_leaves_no_byte),
		in_a_cache(test_rows_that_moved_leave_no_byte_either),
		in_a_cache(test_of_many_no_byte_stays_or_comes_back),
		in_a_cache(test_the_key_of_an_absence_is_in_no_file),
		in_a_cache(test_absences_that_do_not_count_any_more_are_in_no_file),
		in_a_cache(test_closing_leaves_no_absence_that_does_not_count),
		in_a_cache(test_forgetting_by_any_key_forgets_the_customer),
		in_a_cache(test_what_was_set_aside_goes_with_the_forgotten),
		in_a_cache(test_forgetting_on_a_full_disk_fails_and_forgets_nothing),
		in_a_cache(test_an_expired_customer_stays_until_it_is_asked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
