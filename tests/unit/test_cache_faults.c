/* SPDX-License-Identifier: MIT */
/* What becomes of a cache whose file fails. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"

/* Run @sql on the file, closed meanwhile, as damage that SQLite cannot see. */
static void tamper(struct fixture *fixture, const char *sql)
{
	sqlite3 *database;

	cache_close(steal(&fixture->cache));
	assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
	open_cache(fixture);
}

/*
 * Write over the file from @start on, but for its last bytes so that it keeps its length. By
 * another process: this one would drop SQLite's locks on the file by closing it.
 */
static void overwrite(const struct fixture *fixture, off_t start)
{
	struct stat status;
	char command[512];
	int exited;

	assert_int_equal(stat(fixture->path, &status), 0);
	snprintf(command, sizeof(command),
	         "tr '\\0' x </dev/zero | dd of=%s bs=1 seek=%lld count=%lld conv=notrunc "
	         "status=none",
	         fixture->path, (long long)start, (long long)(status.st_size - start));
	exited = system(command);
	assert_true(WIFEXITED(exited));
}

static uint64_t damaged_rows(const struct fixture *fixture)
{
	return counter_value(&fixture->cache->metrics.damaged_rows);
}

/* Damaged rows */

static void test_a_customer_whose_row_is_not_as_written_is_missing(void **state)
{
	struct fixture *fixture = *state;

	store_id(fixture, "1", 1000);
	store_id(fixture, "2", 1000);
	tamper(fixture, "UPDATE customer SET fetched_ms = fetched_ms + 1"
	                " WHERE slot = (SELECT min(slot) FROM customer)");
	assert_false(knows_id(fixture, "1"));
	assert_true(knows_id(fixture, "2"));
	assert_int_equal(damaged_rows(fixture), 1);
}

static void test_rows_that_changed_places_are_missing(void **state)
{
	struct fixture *fixture = *state;

	store_id(fixture, "1", 1000);
	store_id(fixture, "2", 1000);
	tamper(fixture, "UPDATE customer SET slot = -slot;"
	                "UPDATE customer SET slot = (SELECT sum(slot) FROM customer) * -1 + slot;"
	                "UPDATE customer SET slot = abs(slot)");
	assert_false(knows_id(fixture, "1"));
	assert_false(knows_id(fixture, "2"));
}

static void test_a_key_that_leads_elsewhere_than_it_was_written_is_missing(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "1");
	struct cache_key found;

	store_id(fixture, "1", 1000);
	store_id(fixture, "2", 1000);
	tamper(fixture, "UPDATE key SET customer = (SELECT max(slot) FROM customer)");
	assert_int_equal(cache_find_key(fixture->cache, &id, &found), CACHE_NONE);
	assert_int_equal(list(fixture, KEY_ID, 0, 8).count, 1);
	assert_true(damaged_rows(fixture) > 0);
}

static void test_an_absence_that_is_not_as_written_does_not_count(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	int64_t fetched_ms;

	store_absent(fixture, &phone, 1000);
	tamper(fixture, "UPDATE absent SET fetched_ms = 2000");
	assert_int_equal(cache_find_absent(fixture->cache, &phone, &fetched_ms), CACHE_NONE);
}

static void test_rows_of_another_cache_are_missing(void **state)
{
	struct fixture *fixture = *state;
	char copy[128];
	char command[512];
	char sql[256];

	store_id(fixture, "1", 1000);
	cache_close(steal(&fixture->cache));
	snprintf(copy, sizeof(copy), "%s.other", fixture->path);
	assert_int_equal(rename(fixture->path, copy), 0);
	open_cache(fixture);
	store_id(fixture, "1", 1000);
	assert_true(knows_id(fixture, "1"));
	snprintf(sql, sizeof(sql),
	         "ATTACH '%s' AS other; DELETE FROM customer;"
	         "INSERT INTO customer SELECT * FROM other.customer",
	         copy);
	tamper(fixture, sql);
	assert_false(knows_id(fixture, "1"));
	snprintf(command, sizeof(command), "rm %s", copy);
	assert_int_equal(system(command), 0);
}

static void test_whoever_came_in_place_of_the_damaged_is_forgotten_with_it(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");
	struct cache_change change;

	store_id(fixture, "1", 1000);
	store_and_drop(fixture, &phone, "42", "Asha", 1000);
	tamper(fixture, "UPDATE key SET fetched_ms = fetched_ms + 1 WHERE text = '42'");
	store_id(fixture, "42", 2000);
	assert_true(knows_id(fixture, "42"));
	assert_true(knows(fixture, &phone));
	assert_int_equal(cache_forget_key(fixture->cache, &phone, 3000, &change), 0);
	cache_change_fini(&change);
	assert_false(knows(fixture, &phone));
	assert_false(knows_id(fixture, "42"));
	assert_true(knows_id(fixture, "1"));
}

/* Run SQL on the file as it is, closed meanwhile, and with its index of keys hidden. */
static void tamper_behind_index(struct fixture *fixture, const char *sql)
{
	sqlite3 *database;
	const char *const steps[] = {
		"PRAGMA writable_schema = ON;"
		"CREATE TABLE hidden AS SELECT * FROM sqlite_schema WHERE name = 'key_hash';"
		"DELETE FROM sqlite_schema WHERE name = 'key_hash'",
		sql,
		"PRAGMA writable_schema = ON;"
		"INSERT INTO sqlite_schema SELECT * FROM hidden; DROP TABLE hidden",
	};

	cache_close(steal(&fixture->cache));
	for (size_t i = 0; i < array_length(steps); i++) {
		assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
		assert_int_equal(sqlite3_exec(database, steps[i], NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(database);
	}
	open_cache(fixture);
}

static void test_a_key_that_only_its_index_has_is_damage_when_it_is_to_go(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "1");
	struct cache_change change;
	int64_t fetched_ms;

	store_id(fixture, "1", 1000);
	tamper_behind_index(fixture, "DELETE FROM key");
	store_absent(fixture, &id, 2000);
	assert_false(knows(fixture, &id));
	assert_int_equal(cache_find_absent(fixture->cache, &id, &fetched_ms), 0);
	assert_in_range(count_files(fixture, "cache.db.damaged-"), 1, 2);

	store_id(fixture, "1", 3000);
	tamper_behind_index(fixture, "DELETE FROM key");
	assert_int_equal(cache_forget_key(fixture->cache, &id, 4000, &change), CACHE_NONE);
	assert_false(knows(fixture, &id));
	assert_int_equal(count_files(fixture, "cache.db.damaged-"), 0);
}

static void test_a_key_that_only_its_index_has_is_damage_when_it_is_refreshed(void **state)
{
	struct fixture *fixture = *state;
	struct key id = make_key(KEY_ID, "1");
	struct cache_key found;

	store_id(fixture, "1", 1000);
	tamper_behind_index(fixture, "DELETE FROM key");
	store_id(fixture, "1", 2000);
	assert_int_equal(cache_find_key(fixture->cache, &id, &found), 0);
	assert_int_equal(found.fetched_ms, 2000);
	assert_in_range(count_files(fixture, "cache.db.damaged-"), 1, 2);
}

static void test_damage_is_found_when_what_is_in_memory_is_written_down(void **state)
{
	struct fixture *fixture = *state;

	store_id(fixture, "1", 1000);
	tamper_behind_index(fixture, "UPDATE key SET fetched_ms = fetched_ms + 1");
	assert_int_equal(database_run(fixture->cache->database, "PRAGMA max_page_count = 1"), 0);
	for (uint32_t i = 0; i < 200; i++)
		store_generated(fixture, i, 2000);
	assert_int_equal(fixture->cache->mode, CACHE_OVER_FILE);
	store_id(fixture, "1", 3000);
	assert_int_equal(database_run(fixture->cache->database, "PRAGMA max_page_count = 100000"),
	                 0);
	assert_int_equal(cache_write_down(fixture->cache), 0);
	assert_int_equal(fixture->cache->mode, CACHE_ON_FILE);
	assert_in_range(count_files(fixture, "cache.db.damaged-"), 1, 2);
}

/* Its ordinals are lost, so the kernel must not know the new customer by the old number. */
static void test_a_damaged_customer_comes_back_as_another(void **state)
{
	struct fixture *fixture = *state;
	uint32_t before = store_id(fixture, "1", 1000);
	struct key id = make_key(KEY_ID, "1");
	uint32_t key_before = slot_of(fixture, &id);
	struct cache_change change;

	tamper(fixture, "UPDATE customer SET json = substr(json, 2)");
	change = store(fixture, &id, "1", "Asha", 2000);
	assert_true(change.customer.slot > before);
	assert_true(change.key_count >= 1);
	assert_int_equal(change.keys[0], key_before);
	assert_true(slot_of(fixture, &id) > key_before);
	assert_true(knows_id(fixture, "1"));
	assert_int_equal(list(fixture, KEY_ID, 0, 8).count, 1);
	cache_change_fini(&change);
}

static void test_a_damaged_key_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");

	store_and_drop(fixture, &phone, "1", "Asha", 1000);
	tamper(fixture, "UPDATE key SET fetched_ms = 7 WHERE kind = 1");
	assert_false(knows(fixture, &phone));
	store_and_drop(fixture, &phone, "1", "Asha", 2000);
	assert_true(knows(fixture, &phone));
	assert_int_equal(list(fixture, KEY_PHONE, 0, 8).count, 1);
	reopen(fixture);
	assert_int_equal(damaged_rows(fixture), 0);
	assert_int_equal(list(fixture, KEY_PHONE, 0, 8).count, 1);
	assert_int_equal(damaged_rows(fixture), 0);
}

static void test_a_key_that_its_index_has_lost_is_not_listed_twice(void **state)
{
	struct fixture *fixture = *state;
	struct key phone = make_key(KEY_PHONE, "555");

	store_and_drop(fixture, &phone, "1", "Asha", 1000);
	tamper(fixture, "UPDATE key SET hash = hash + 1 WHERE kind = 1");
	assert_false(knows(fixture, &phone));
	store_and_drop(fixture, &phone, "1", "Asha", 2000);
	assert_int_equal(list(fixture, KEY_PHONE, 0, 8).count, 1);
}

/* Damaged files */

static void test_a_damaged_file_is_set_aside_when_opened(void **state)
{
	struct fixture *fixture = *state;

	store_id(fixture, "1", 1000);
	cache_close(steal(&fixture->cache));
	overwrite(fixture, 200);
	open_cache(fixture);
	assert_int_equal(count_files(fixture, "cache.db.damaged-"), 1);
	assert_int_equal(counter_value(&fixture->cache->metrics.damaged_files), 1);
	assert_false(knows_id(fixture, "1"));
	store_id(fixture, "1", 2000);
	reopen(fixture);
	assert_true(knows_id(fixture, "1"));
}

static void test_a_file_with_a_damaged_property_is_set_aside(void **state)
{
	static const char *const names[] = { "secret", "source", "slots", "listing-id" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < array_length(names); i++) {
		char sql[128];

		store_id(fixture, "1", 1000);
		snprintf(sql, sizeof(sql),
		         "UPDATE property SET value = value || '1' WHERE name = '%s'", names[i]);
		tamper(fixture, sql);
		assert_int_equal(counter_value(&fixture->cache->metrics.damaged_files), 1);
		assert_false(knows_id(fixture, "1"));
		/* The one before it is gone. */
		assert_int_equal(count_files(fixture, "damaged-"), 1);
	}
}

static void test_a_file_where_others_may_write_is_refused_and_stays(void **state)
{
	struct fixture *fixture = *state;
	struct cache *cache;

	store_id(fixture, "7", 1000);
	cache_close(steal(&fixture->cache));
	assert_int_equal(chmod(fixture->directory, 0777), 0);
	assert_int_equal(cache_open(fixture->path, SOURCE, &cache), CACHE_EXPOSED);
	assert_int_equal(cache_open_existing(fixture->path, &cache), CACHE_EXPOSED);
	assert_int_equal(count_files(fixture, ""), 1);
	assert_int_equal(chmod(fixture->directory, 0700), 0);
	open_cache(fixture);
	assert_true(knows_id(fixture, "7"));
}

static void test_a_foreign_file_is_refused_and_stays(void **state)
{
	static const char text[] = "not a database, and somebody may want it";
	struct fixture *fixture = *state;
	char found[sizeof(text)] = "";
	struct cache *cache;
	FILE *file;

	cache_close(steal(&fixture->cache));
	file = fopen(fixture->path, "w");
	fputs(text, file);
	fclose(file);
	assert_int_equal(cache_open(fixture->path, SOURCE, &cache), CACHE_FOREIGN);
	file = fopen(fixture->path, "r");
	assert_non_null(fgets(found, sizeof(found), file));
	fclose(file);
	assert_string_equal(found, text);
	assert_int_equal(count_files(fixture, ""), 1);
}

static void test_damage_found_while_running_is_set_aside_and_the_cache_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct key first = generated_id(0);
	int64_t changed_ms;
	uint32_t last;

	fill(fixture);
	reopen(fixture);
	last = store_id(fixture, "1", 5000);
	reopen(fixture);
	changed_ms = cache_listing_changed_ms(fixture->cache, KEY_ID);
	overwrite(fixture, 4096 * 8);

	for (uint32_t i = 0; i < 200; i++) {
		struct key id = generated_id(i);

		(void)knows(fixture, &id);
	}
	assert_int_equal(fixture->losses, 1);
	assert_int_equal(count_files(fixture, "cache.db.damaged-"), 1);
	assert_false(knows(fixture, &first));
	assert_true(cache_listing_changed_ms(fixture->cache, KEY_ID) > changed_ms);

	/* The same tenant, and no number that was given before. */
	assert_string_equal(cache_account(fixture->cache), ACCOUNT);
	assert_true(store_id(fixture, "1", 6000) > last);
	reopen(fixture);
	assert_string_equal(cache_account(fixture->cache), ACCOUNT);
	assert_true(store_id(fixture, "2", 6000) > last);
	assert_true(knows_id(fixture, "1"));
}

static void test_damage_found_while_storing_does_not_lose_the_answer(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	reopen(fixture);
	overwrite(fixture, 4096 * 3);
	store_id(fixture, "1", 5000);
	assert_int_equal(fixture->losses, 1);
	assert_true(knows_id(fixture, "1"));
	reopen(fixture);
	assert_true(knows_id(fixture, "1"));
}

static void test_after_several_damaged_files_the_cache_stays_in_memory(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i <= 3; i++) {
		store_id(fixture, "1", 1000);
		fixture->cache->trouble = TROUBLE_DAMAGE;
		assert_true(cache_rescue(fixture->cache, -EIO));
	}
	assert_int_equal(fixture->losses, 4);
	assert_int_equal(fixture->cache->mode, CACHE_IN_MEMORY);
	store_id(fixture, "1", 2000);
	assert_true(knows_id(fixture, "1"));
	fixture->cache->trouble = TROUBLE_DAMAGE;
	assert_false(cache_rescue(fixture->cache, -EIO));
}

/* Missing files */

static void test_a_file_that_was_deleted_is_begun_anew(void **state)
{
	struct fixture *fixture = *state;
	uint32_t before = store_id(fixture, "1", 1000);

	assert_int_equal(unlink(fixture->path), 0);
	assert_true(store_id(fixture, "2", 2000) > before);
	assert_int_equal(fixture->losses, 1);
	assert_false(knows_id(fixture, "1"));
	assert_int_equal(access(fixture->path, F_OK), 0);
	assert_int_equal(count_files(fixture, "damaged"), 0);
	reopen(fixture);
	assert_true(knows_id(fixture, "2"));
}

static void test_a_deleted_file_is_noticed_without_a_store(void **state)
{
	struct fixture *fixture = *state;

	store_id(fixture, "1", 1000);
	assert_int_equal(unlink(fixture->path), 0);
	cache_tidy(fixture->cache, 2000);
	assert_int_equal(fixture->losses, 1);
	assert_false(knows_id(fixture, "1"));
}

/* It may hold numbers that the kernel knows for something else. */
static void test_another_file_in_its_place_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	char other[128];

	snprintf(other, sizeof(other), "%s.other", fixture->path);
	store_id(fixture, "1", 1000);
	cache_close(steal(&fixture->cache));
	assert_int_equal(rename(fixture->path, other), 0);
	open_cache(fixture);
	store_id(fixture, "2", 2000);
	assert_int_equal(rename(other, fixture->path), 0);

	store_id(fixture, "3", 3000);
	assert_int_equal(fixture->cache->mode, CACHE_IN_MEMORY);
	assert_true(knows_id(fixture, "3"));
	assert_false(knows_id(fixture, "2"));
	reopen(fixture);
	assert_true(knows_id(fixture, "1"));
	assert_false(knows_id(fixture, "3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_a_customer_whose_row_is_not_as_written_is_missing),
		in_a_cache(test_rows_that_changed_places_are_missing),
		in_a_cache(test_a_key_that_leads_elsewhere_than_it_was_written_is_missing),
		in_a_cache(test_an_absence_that_is_not_as_written_does_not_count),
		in_a_cache(test_rows_of_another_cache_are_missing),
		in_a_cache(test_whoever_came_in_place_of_the_damaged_is_forgotten_with_it),
		in_a_cache(test_a_key_that_only_its_index_has_is_damage_when_it_is_to_go),
		in_a_cache(test_a_key_that_only_its_index_has_is_damage_when_it_is_refreshed),
		in_a_cache(test_damage_is_found_when_what_is_in_memory_is_written_down),
		in_a_cache(test_a_damaged_customer_comes_back_as_another),
		in_a_cache(test_a_damaged_key_is_replaced),
		in_a_cache(test_a_key_that_its_index_has_lost_is_not_listed_twice),
		in_a_cache(test_a_damaged_file_is_set_aside_when_opened),
		in_a_cache(test_a_file_with_a_damaged_property_is_set_aside),
		in_a_cache(test_a_file_where_others_may_write_is_refused_and_stays),
		in_a_cache(test_a_foreign_file_is_refused_and_stays),
		in_a_cache(test_damage_found_while_running_is_set_aside_and_the_cache_goes_on),
		in_a_cache(test_damage_found_while_storing_does_not_lose_the_answer),
		in_a_cache(test_after_several_damaged_files_the_cache_stays_in_memory),
		in_a_cache(test_a_file_that_was_deleted_is_begun_anew),
		in_a_cache(test_a_deleted_file_is_noticed_without_a_store),
		in_a_cache(test_another_file_in_its_place_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
