/* SPDX-License-Identifier: MIT */
/*
 * fill_cache FILE SOURCE COUNT KEYS: a cache of COUNT generated customers, stored one by one
 * as their answers would be, but in transactions of many; to KEYS their keys are written, a path
 * in a mount a line.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kapturefs/model/payload.h"
#include "kapturefs/sandbox/generator.h"
#include "kapturefs/store/cache_parts.h"

enum {
	BATCH = 2000,
	SLOTS_PER_CUSTOMER = 3,
	JSON_SIZE_MAX = 1 << 20,
};

static void must(int r, const char *what)
{
	if (r) {
		fprintf(stderr, "fill_cache: %s: %d\n", what, r);
		exit(1);
	}
}

static void replace(struct cache *cache, enum statement which, const char *sql)
{
	sqlite3_finalize(cache->statements[which]);
	must(database_prepare(cache->database, sql, &cache->statements[which]), sql);
}

/* What the cache takes for a transaction is a part of one. */
static void begin_batches(struct cache *cache, uint32_t count)
{
	cache->slots_reserved = cache->slot_next + (uint64_t)count * SLOTS_PER_CUSTOMER + BATCH;
	must(database_run(cache->database, "PRAGMA cache_size = -65536"), "cache size");
	replace(cache, BEGIN, "SAVEPOINT one");
	replace(cache, COMMIT, "RELEASE one");
}

/* By turns the one that a customer is asked for by. */
static struct key key_of(const struct generator *generator, uint32_t index)
{
	struct sandbox_keys keys;
	const char *text;
	enum key_kind kind = index % 2 ? KEY_PHONE : KEY_EMAIL;
	struct key key;

	generator_keys(generator, index, &keys);
	text = kind == KEY_PHONE ? keys.phone : keys.email;
	if (!*text) {
		kind = KEY_ID;
		text = keys.id;
	}
	must(key_parse(kind, text, strlen(text), &key), "key");
	return key;
}

static size_t store(struct cache *cache, const struct generator *generator, uint32_t index,
                    int64_t now_ms, FILE *keys)
{
	struct key key = key_of(generator, index);
	struct record *record = NULL;
	struct cache_change change;
	struct buffer json;
	size_t length;

	buffer_init(&json, JSON_SIZE_MAX);
	must(generator_write(generator, index, &json), "generate");
	must(payload_read_customer(json.data, json.length, &record), "read");
	must(cache_store(cache, &key, record, now_ms, &change), "store");
	length = json.length;
	fprintf(keys, "by-id/%s\n", record_id(record));
	if (key.kind != KEY_ID)
		fprintf(keys, "%s/%s\n", key_kind_facts(key.kind)->directory, key.text);
	record_unref(record);
	cache_change_fini(&change);
	buffer_fini(&json);
	return length;
}

/* As a mount does in the background. */
static void keep_house(const char *path, const char *source, int64_t now_ms)
{
	struct cache_change change;
	struct cache *cache;
	int r;

	must(cache_open(path, source, &cache), path);
	while ((r = cache_sweep(cache, now_ms, &change)) == CACHE_MORE)
		cache_change_fini(&change);
	must(r, "sweep");
	cache_change_fini(&change);
	cache_close(cache);
}

int main(int argc, char **argv)
{
	const int64_t now_ms = (int64_t)time(NULL) * 1000;
	struct generator generator = { .seed = 1 };
	uint64_t bytes = 0;
	struct cache *cache;
	FILE *keys;

	must(argc != 5, "usage: fill_cache FILE SOURCE COUNT KEYS");
	generator.customers = (uint32_t)strtoul(argv[3], NULL, 10);
	keys = fopen(argv[4], "w");
	must(!keys, argv[4]);
	must(cache_open(argv[1], argv[2], &cache), argv[1]);
	begin_batches(cache, generator.customers);
	for (uint32_t i = 0; i < generator.customers; i++) {
		if (i % BATCH == 0)
			must(database_run(cache->database, i ? "COMMIT; BEGIN" : "BEGIN"), "batch");
		bytes += store(cache, &generator, i, now_ms, keys);
	}
	must(database_run(cache->database, "COMMIT"), "batch");
	cache_close(cache);
	keep_house(argv[1], argv[2], now_ms);
	must(fclose(keys), argv[4]);
	printf("%llu\n", (unsigned long long)bytes);
	return 0;
}
