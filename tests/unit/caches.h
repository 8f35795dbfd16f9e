#pragma once
/* SPDX-License-Identifier: MIT */
/* A cache in a directory of its own, for one test. Include cmocka.h and its headers first. */

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "customers.h"
#include "kapturefs/sandbox/generator.h"
#include "kapturefs/store/cache.h"

#define SOURCE  "https://acme.kapturecrm.com"
#define ACCOUNT "1000001" /* the generator's */

struct fixture {
	char directory[64];
	char path[96];
	struct cache *cache;
	unsigned losses; /* how often the cache said that its file is lost */
};

static inline void count_loss(void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->losses++;
}

static inline void open_cache(struct fixture *fixture)
{
	assert_int_equal(cache_open(fixture->path, SOURCE, &fixture->cache), 0);
	cache_on_lost(fixture->cache, count_loss, fixture);
}

static inline void reopen(struct fixture *fixture)
{
	cache_close(steal(&fixture->cache));
	open_cache(fixture);
}

static inline int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	/* In memory, where there is such a place: every opening syncs. */
	snprintf(fixture->directory, sizeof(fixture->directory), "%s/test_cache.XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/cache.db", fixture->directory);
	open_cache(fixture);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[96];

	cache_close(fixture->cache);
	snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static inline struct cache_change store(struct fixture *fixture, const struct key *key,
                                        const char *id, const char *name, int64_t now_ms)
{
	struct record *record = make_customer(id, ACCOUNT, name);
	struct cache_change change;

	assert_int_equal(cache_store(fixture->cache, key, record, now_ms, &change), 0);
	record_unref(record);
	return change;
}

static inline struct cache_change store_and_drop(struct fixture *fixture, const struct key *key,
                                                 const char *id, const char *name, int64_t now_ms)
{
	struct cache_change change = store(fixture, key, id, name, now_ms);

	cache_change_fini(&change);
	return change;
}

/* Store the customer with @id, asked for by id; returns its slot. */
static inline uint32_t store_id(struct fixture *fixture, const char *id, int64_t now_ms)
{
	struct key key = make_key(KEY_ID, id);

	return store_and_drop(fixture, &key, id, "Asha", now_ms).customer.slot;
}

static inline void store_absent(struct fixture *fixture, const struct key *key, int64_t now_ms)
{
	struct cache_change change;

	assert_int_equal(cache_store_absent(fixture->cache, key, now_ms, &change), 0);
	cache_change_fini(&change);
}

static const struct generator generated = { .seed = 1, .customers = 100000 };

/* Customer @index of the sandbox, fresh from payload. */
static inline struct record *generate(uint32_t index)
{
	struct record *record = NULL;
	struct buffer json;

	buffer_init(&json, 1 << 20);
	assert_int_equal(generator_write(&generated, index, &json), 0);
	assert_int_equal(payload_read_customer(json.data, json.length, &record), 0);
	buffer_fini(&json);
	return record;
}

static inline struct key generated_id(uint32_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "%u", generator_id(&generated, index));
	return make_key(KEY_ID, text);
}

static inline uint32_t store_generated(struct fixture *fixture, uint32_t index, int64_t now_ms)
{
	struct record *record = generate(index);
	struct key key = generated_id(index);
	struct cache_change change;

	assert_int_equal(cache_store(fixture->cache, &key, record, now_ms, &change), 0);
	record_unref(record);
	cache_change_fini(&change);
	return change.customer.slot;
}

static inline void fill(struct fixture *fixture)
{
	for (uint32_t i = 0; i < 200; i++)
		store_generated(fixture, i, 1000 + i);
}

/* Whether the key leads to a customer that can be read. */
static inline bool knows(struct fixture *fixture, const struct key *key)
{
	struct cache_customer customer;
	struct cache_key found;
	int r = cache_find_key(fixture->cache, key, &found);

	assert_true(r == 0 || r == CACHE_NONE);
	if (r)
		return false;
	r = cache_read_customer(fixture->cache, found.customer, &customer);
	assert_true(r == 0 || r == CACHE_NONE);
	if (r)
		return false;
	record_unref(customer.record);
	return true;
}

static inline bool knows_id(struct fixture *fixture, const char *id)
{
	struct key key = make_key(KEY_ID, id);

	return knows(fixture, &key);
}

static inline uint32_t slot_of(struct fixture *fixture, const struct key *key)
{
	struct cache_key found;

	assert_int_equal(cache_find_key(fixture->cache, key, &found), 0);
	return found.slot;
}

/* How many files in the directory have a name with @part in it. */
static inline size_t count_files(const struct fixture *fixture, const char *part)
{
	DIR *directory = opendir(fixture->directory);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += *entry->d_name != '.' && strstr(entry->d_name, part);
	closedir(directory);
	return count;
}

struct listed {
	struct cache_key keys[8];
	size_t count;
	size_t count_max;
};

static inline bool take_listed(void *userdata, const struct cache_key *key)
{
	struct listed *listed = userdata;

	listed->keys[listed->count++] = *key;
	return listed->count < listed->count_max;
}

static inline struct listed list(struct fixture *fixture, enum key_kind kind, uint32_t slot,
                                 size_t count_max)
{
	struct listed listed = { .count_max = count_max };

	assert_int_equal(cache_list_keys(fixture->cache, kind, slot, take_listed, &listed), 0);
	return listed;
}

/* A line of the metrics that begins with @name: its number. */
static inline uint64_t metric(const struct metrics *metrics, const char *name)
{
	struct buffer text;
	const char *line;
	uint64_t value;

	buffer_init(&text, 1 << 20);
	assert_int_equal(metrics_print(metrics, &text), 0);
	for (line = text.data; strncmp(line, name, strlen(name)) != 0; line++)
		assert_non_null(line = strchr(line, '\n'));
	value = strtoull(line + strlen(name), NULL, 10);
	buffer_fini(&text);
	return value;
}

#define in_a_cache(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
