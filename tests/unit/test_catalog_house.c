/* SPDX-License-Identifier: MIT */
/* What a catalog does for its cache between answers. */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "caches.h"
#include "kapturefs/store/cache_parts.h"
#include "kapturefs/store/catalog.h"

/* A source that answers when the test says so. */
struct source_fetch {
	uint64_t sent;
	source_done_fn *done;
	void *userdata;
};

static struct source_fetch *latest;

static int start(struct source *source, const struct source_question *question,
                 source_done_fn *done, void *userdata, struct source_fetch **ret)
{
	(void)question;
	*ret = latest = calloc(1, sizeof(**ret));
	latest->sent = source_draw(source);
	latest->done = done;
	latest->userdata = userdata;
	return 0;
}

static void free_fetch(struct source_fetch *fetch)
{
	free(fetch);
}

static uint64_t sent(const struct source_fetch *fetch)
{
	return fetch->sent;
}

static enum source_state state_of(struct source *source, enum key_kind kind, uint64_t caller)
{
	(void)source;
	(void)kind;
	(void)caller;
	return SOURCE_READY;
}

static void hurry(struct source_fetch *fetch, enum source_hurry hurry)
{
	(void)fetch;
	(void)hurry;
}

static uint64_t epoch(struct source *source)
{
	(void)source;
	return 0;
}

static const struct source_operations operations = {
	.start = start,
	.sent = sent,
	.hurry = hurry,
	.free = free_fetch,
	.state = state_of,
	.epoch = epoch,
};
static struct source source = { .operations = &operations };

struct house {
	struct fixture *fixture;
	uv_loop_t loop;
	struct catalog *catalog;
	struct metrics metrics;
	unsigned losses; /* changes that said that all names are gone */
	unsigned evictions;
	uint32_t evicted; /* the last customer that went */
	uint32_t evicted_keys;
};

static void note_change(void *userdata, const struct cache_change *change)
{
	struct house *house = userdata;

	house->losses +=
	        change->listing[KEY_ID] && change->listing[KEY_PHONE] && change->listing[KEY_EMAIL];
	if (!change->customer.record && change->customer.slot) {
		house->evictions++;
		house->evicted = change->customer.slot;
		house->evicted_keys = (uint32_t)change->key_count;
	}
}

static void begin(struct house *house, void **state)
{
	const struct catalog_settings settings = {
		.ttl_ms = 300000,
		.negative_ttl_ms = 60000,
		.max_stale_ms = 86400000,
		.timeout_ms = 30000,
		.patience_ms = 2000,
		.memory_max = 1 << 20,
		.waiting_max = 100,
	};

	*house = (struct house){ .fixture = *state };
	metrics_init(&house->metrics);
	assert_int_equal(uv_loop_init(&house->loop), 0);
	assert_int_equal(catalog_new(&house->loop, house->fixture->cache, &source, &settings,
	                             &house->catalog),
	                 0);
	catalog_add_metrics(house->catalog, &house->metrics);
	catalog_listen(house->catalog, (struct catalog_listener){ note_change, house });
}

static void end(struct house *house)
{
	catalog_free(house->catalog);
	uv_run(&house->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&house->loop), 0);
}

static void ignore(void *userdata, const struct catalog_result *result)
{
	(void)userdata;
	assert_int_equal(result->error, 0);
}

/* Have @key fetched, and answered with the customer @id. */
static void fetch(struct house *house, const struct key *key, const char *id)
{
	struct record *record = make_customer(id, ACCOUNT, "Asha");
	struct catalog_ticket *ticket;

	assert_int_equal(catalog_want(house->catalog, key, ignore, NULL, &ticket), 0);
	latest->done(latest->userdata, &(struct source_answer){ .record = record });
	record_unref(record);
}

static int find(struct house *house, const struct key *key, bool has_failed)
{
	struct catalog_question question = { .asked_ms = catalog_now_ms(house->catalog) + 1,
		                             .waited = has_failed,
		                             .result = { .error = has_failed ? -EHOSTUNREACH : 0,
		                                         .may_pass = true } };
	struct catalog_entry entry = { 0 };
	int r = catalog_find(house->catalog, key, &question, &entry);

	if (r == 0)
		assert_int_equal(entry.is_stale, has_failed);
	catalog_entry_fini(&entry);
	return r;
}

static uint64_t misses(struct house *house, const char *reason)
{
	char name[96];

	snprintf(name, sizeof(name), "kapturefs_cache_misses_total{reason=\"%s\"} ", reason);
	return metric(&house->metrics, name);
}

static void test_what_was_answered_is_synced_without_being_waited_for(void **state)
{
	struct key key = make_key(KEY_PHONE, "555");
	struct cache_log_work work;
	struct house house;

	begin(&house, state);
	fetch(&house, &key, "42");
	/* The first is under way; what comes meanwhile is synced after it. */
	fetch(&house, &key, "43");
	while (house.fixture->cache->log.is_unsynced)
		uv_run(&house.loop, UV_RUN_ONCE);
	assert_false(cache_log_begin(house.fixture->cache, &work));
	end(&house);
}

static void test_a_long_log_is_moved_without_being_waited_for(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct house house;
	uint64_t pages;

	begin(&house, state);
	fill(house.fixture);
	fetch(&house, &key, "42");
	pages = house.fixture->cache->log.pages;
	while (house.fixture->cache->log.pages)
		uv_run(&house.loop, UV_RUN_ONCE);
	store_id(house.fixture, "43", 1000);
	assert_in_range(house.fixture->cache->log.pages, 1, pages / 2);
	end(&house);
}

static void test_an_expired_customer_is_missing_but_serves_when_asking_fails(void **state)
{
	struct key key = make_key(KEY_PHONE, "555");
	struct cache_key found;
	struct house house;

	begin(&house, state);
	fetch(&house, &key, "42");
	assert_int_equal(find(&house, &key, false), 0);
	assert_int_equal(cache_find_key(house.fixture->cache, &key, &found), 0);
	assert_int_equal(cache_expire(house.fixture->cache, found.customer), 0);

	assert_int_equal(find(&house, &key, false), CATALOG_MISSING);
	assert_int_equal(misses(&house, "forced"), 1);
	assert_int_equal(misses(&house, "expired"), 0);
	assert_int_equal(find(&house, &key, true), 0);
	fetch(&house, &key, "42");
	assert_int_equal(find(&house, &key, false), 0);
	end(&house);
}

static void test_what_is_evicted_is_told_and_not_kept_in_memory(void **state)
{
	struct key old = make_key(KEY_PHONE, "555");
	struct key key = make_key(KEY_PHONE, "556");
	struct cache_customer customer;
	struct house house;
	uint32_t slot;

	begin(&house, state);
	/* Long ago, and never since. */
	slot = store_and_drop(house.fixture, &old, "42", "Asha", 1000).customer.slot;
	cache_flush_touched(house.fixture->cache);
	cache_limit(house.fixture->cache, &(struct cache_limits){ 1 << 30, 86400 * 1000, 0 });
	fetch(&house, &key, "43");
	while (!house.evicted)
		uv_run(&house.loop, UV_RUN_ONCE);
	assert_int_equal(house.evicted, slot);
	assert_int_equal(house.evicted_keys, 2);
	assert_int_equal(catalog_customer(house.catalog, slot, &customer), CATALOG_ABSENT);
	assert_int_equal(find(&house, &key, false), 0);
	assert_int_equal(find(&house, &old, false), CATALOG_MISSING);
	assert_int_equal(misses(&house, "evicted"), 1);
	assert_int_equal(misses(&house, "cold"), 0);
	end(&house);
}

static void test_others_have_their_turn_while_many_are_evicted(void **state)
{
	enum { MANY = 600 };
	struct key key = make_key(KEY_PHONE, "556");
	struct house house;
	char id[16];

	begin(&house, state);
	for (int i = 0; i < MANY; i++) {
		struct key old;

		snprintf(id, sizeof(id), "%d", 1000 + i);
		old = make_key(KEY_ID, id);
		store_and_drop(house.fixture, &old, id, "Asha", 1000);
	}
	cache_flush_touched(house.fixture->cache);
	cache_limit(house.fixture->cache, &(struct cache_limits){ 1 << 30, 86400 * 1000, 0 });
	fetch(&house, &key, "43");
	while (!house.evictions)
		uv_run(&house.loop, UV_RUN_ONCE);
	assert_in_range(house.evictions, 1, MANY - 1);
	while (house.evictions < MANY)
		uv_run(&house.loop, UV_RUN_ONCE);
	end(&house);
}

/* A cache that is full of small customers, and the answer of a large one. */
struct full {
	struct house house;
	struct key key;
	struct catalog_ticket *ticket;
	bool has_come;
	int error;
};

static struct record *make_large(const char *id)
{
	enum { SIZE = 100 << 10 };
	struct record *record = NULL;
	char *json = malloc(SIZE + 128);
	unsigned seed = 7;
	int length = sprintf(json, "{\"id\":%s,\"cmId\":%s,\"name\":\"", id, ACCOUNT);

	for (int i = 0; i < SIZE; i++)
		json[length++] = (char)('a' + rand_r(&seed) % 26);
	length += sprintf(json + length, "\"}");
	assert_int_equal(payload_read_customer(json, (size_t)length, &record), 0);
	free(json);
	return record;
}

static void store_small(struct fixture *fixture, uint32_t number, int64_t now_ms)
{
	struct record *record;
	struct cache_change change;
	struct key key;
	char id[16];

	snprintf(id, sizeof(id), "%u", number);
	record = make_customer(id, ACCOUNT, "Asha");
	key = make_key(KEY_ID, id);
	if (cache_store(fixture->cache, &key, record, now_ms, &change) == 0)
		cache_change_fini(&change);
	record_unref(record);
}

static void large_came(void *userdata, const struct catalog_result *result)
{
	struct full *full = userdata;

	full->has_come = true;
	full->error = result->error;
	full->ticket = NULL;
}

static void answer_large(struct full *full, void **state)
{
	struct fixture *fixture = *state;
	struct record *record = make_large("7");

	*full = (struct full){ .key = make_key(KEY_ID, "7") };
	begin(&full->house, state);
	cache_limit(fixture->cache, &(struct cache_limits){ 3 << 20, INT64_MAX, 0 });
	for (uint32_t number = 1000; cache_room(fixture->cache) > 80000; number++)
		store_small(fixture, number, number);
	assert_int_equal(catalog_want(full->house.catalog, &full->key, large_came, full,
	                              &full->ticket),
	                 0);
	latest->done(latest->userdata, &(struct source_answer){ .record = record });
	record_unref(record);
}

static void test_others_have_their_turn_while_room_is_made_for_one(void **state)
{
	struct key other = make_key(KEY_ID, "8");
	struct full full;

	answer_large(&full, state);
	assert_false(full.has_come);
	/* There is room enough for a small one. */
	fetch(&full.house, &other, "8");
	assert_int_equal(find(&full.house, &other, false), 0);
	assert_false(full.has_come);
	while (!full.has_come)
		uv_run(&full.house.loop, UV_RUN_ONCE);
	assert_int_equal(full.error, 0);
	assert_true(full.house.evictions > 100);
	assert_int_equal(find(&full.house, &full.key, false), 0);
	assert_int_equal(find(&full.house, &other, false), 0);
	end(&full.house);
}

static void test_an_answer_that_waits_for_room_can_be_forgotten(void **state)
{
	struct full full;

	answer_large(&full, state);
	assert_int_equal(catalog_forget(full.house.catalog, &full.key), CATALOG_MISSING);
	while (!full.has_come)
		uv_run(&full.house.loop, UV_RUN_ONCE);
	assert_int_equal(full.error, -ESTALE);
	assert_int_equal(find(&full.house, &full.key, false), CATALOG_MISSING);
	end(&full.house);
}

static void test_the_catalog_can_end_while_an_answer_waits_for_room(void **state)
{
	struct full full;

	answer_large(&full, state);
	catalog_cancel(full.ticket);
	end(&full.house);
}

static void test_a_lost_file_changes_every_listing(void **state)
{
	struct key key = make_key(KEY_PHONE, "555");
	struct cache_customer customer;
	struct cache_key found;
	struct house house;

	begin(&house, state);
	fetch(&house, &key, "42");
	assert_int_equal(cache_find_key(house.fixture->cache, &key, &found), 0);
	assert_int_equal(unlink(house.fixture->path), 0);
	cache_tidy(house.fixture->cache, 2000);
	assert_int_equal(house.losses, 1);
	assert_int_equal(catalog_customer(house.catalog, found.customer, &customer),
	                 CATALOG_ABSENT);
	assert_int_equal(find(&house, &key, false), CATALOG_MISSING);
	assert_int_equal(misses(&house, "cold"), 1);
	end(&house);
}

/* Damage may leave a key without its customer. */
static void test_a_key_without_its_customer_is_missing(void **state)
{
	struct key key = make_key(KEY_PHONE, "555");
	struct house house;

	begin(&house, state);
	store_and_drop(house.fixture, &key, "42", "Asha", catalog_now_ms(house.catalog));
	assert_int_equal(database_run(house.fixture->cache->database, "DELETE FROM customer"), 0);
	assert_int_equal(find(&house, &key, false), CATALOG_MISSING);
	fetch(&house, &key, "42");
	assert_int_equal(find(&house, &key, false), 0);
	end(&house);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_cache(test_what_was_answered_is_synced_without_being_waited_for),
		in_a_cache(test_a_long_log_is_moved_without_being_waited_for),
		in_a_cache(test_an_expired_customer_is_missing_but_serves_when_asking_fails),
		in_a_cache(test_what_is_evicted_is_told_and_not_kept_in_memory),
		in_a_cache(test_others_have_their_turn_while_many_are_evicted),
		in_a_cache(test_others_have_their_turn_while_room_is_made_for_one),
		in_a_cache(test_an_answer_that_waits_for_room_can_be_forgotten),
		in_a_cache(test_the_catalog_can_end_while_an_answer_waits_for_room),
		in_a_cache(test_a_lost_file_changes_every_listing),
		in_a_cache(test_a_key_without_its_customer_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
