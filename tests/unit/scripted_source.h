#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A catalog on a source that answers when the test says so, by a clock that stands still until
 * the test moves it. cmocka.h comes first.
 */

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "customers.h"
#include "kapturefs/store/catalog.h"

/* A source that answers when the test says so, and stands as it says. */
struct scripted {
	struct source source;
	enum source_state state;
	bool is_asked; /* questions go out at once */
	unsigned started;
	unsigned freed;
	enum source_hurry hurry; /* of the last question, as it is now */
	uint64_t epoch;
	source_done_fn *done;
	void *userdata;
};

struct source_fetch {
	struct scripted *script;
	uint64_t sent;
};

static inline int scripted_start(struct source *source, const struct source_question *question,
                                 source_done_fn *done, void *userdata, struct source_fetch **ret)
{
	struct scripted *script = container_of(source, struct scripted, source);

	script->started++;
	script->hurry = question->hurry;
	script->done = done;
	script->userdata = userdata;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->script = script;
	(*ret)->sent = script->is_asked ? source_draw(source) : 0;
	return 0;
}

static inline void scripted_free(struct source_fetch *fetch)
{
	fetch->script->freed++;
	free(fetch);
}

static inline uint64_t scripted_sent(const struct source_fetch *fetch)
{
	return fetch->sent;
}

static inline enum source_state scripted_state(struct source *source, enum key_kind kind,
                                               uint64_t caller)
{
	(void)kind;
	(void)caller;
	return container_of(source, struct scripted, source)->state;
}

static inline void scripted_hurry(struct source_fetch *fetch, enum source_hurry hurry)
{
	fetch->script->hurry = hurry;
}

static inline uint64_t scripted_epoch(struct source *source)
{
	return container_of(source, struct scripted, source)->epoch;
}

static const struct source_operations scripted_operations = {
	.start = scripted_start,
	.sent = scripted_sent,
	.hurry = scripted_hurry,
	.free = scripted_free,
	.state = scripted_state,
	.epoch = scripted_epoch,
};

struct fixture {
	uv_loop_t loop;
	struct scripted script;
	struct cache *cache;
	struct catalog *catalog;
	unsigned changes;
	int64_t now_ms; /* by the fixture's clock, which stands still */
};

/* What a waiter was told. */
struct waiter {
	unsigned calls;
	struct catalog_result result;
	const unsigned *changes; /* the fixture's, looked at when called */
	unsigned changes_seen;
	uv_loop_t *loop; /* to be stopped, or NULL */
};

static inline void waiter_called(void *userdata, const struct catalog_result *result)
{
	struct waiter *waiter = userdata;

	waiter->calls++;
	waiter->result = *result;
	if (waiter->changes)
		waiter->changes_seen = *waiter->changes;
	if (waiter->loop)
		uv_stop(waiter->loop);
}

static inline void count_change(void *userdata, const struct cache_change *change)
{
	struct fixture *fixture = userdata;

	(void)change;
	fixture->changes++;
}

static const struct catalog_settings usual = {
	.ttl_ms = 300000,
	.negative_ttl_ms = 60000,
	.max_stale_ms = 86400000,
	.timeout_ms = 30000,
	.patience_ms = 1,
	.memory_max = 1 << 20,
	.waiting_max = 100,
};

static inline int64_t fixture_now_ms(void *userdata)
{
	const struct fixture *fixture = userdata;

	return fixture->now_ms;
}

static inline struct fixture *begin(const struct catalog_settings *settings)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct catalog_settings own = *settings;

	own.clock = (struct catalog_clock){ fixture_now_ms, fixture };
	fixture->now_ms = INT64_C(1700000000000);
	fixture->script.is_asked = true;
	fixture->script.source.operations = &scripted_operations;
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	assert_int_equal(cache_open(":memory:", "https://x", &fixture->cache), 0);
	assert_int_equal(catalog_new(&fixture->loop, fixture->cache, &fixture->script.source, &own,
	                             &fixture->catalog),
	                 0);
	catalog_listen(fixture->catalog, (struct catalog_listener){ count_change, fixture });
	return fixture;
}

static inline void end(struct fixture *fixture)
{
	catalog_free(fixture->catalog);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	cache_close(fixture->cache);
	assert_int_equal(fixture->script.started, fixture->script.freed);
	free(fixture);
}

static inline void answer_customer(struct fixture *fixture, const char *id, const char *name)
{
	struct record *record = make_customer(id, "1", name);

	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .record = record });
	record_unref(record);
}

static inline int find(struct fixture *fixture, const struct key *key,
                       const struct catalog_question *question)
{
	struct catalog_entry entry = { 0 };
	int r = catalog_find(fixture->catalog, key, question, &entry);

	catalog_entry_fini(&entry);
	return r;
}

static inline struct catalog_question ask(const struct fixture *fixture)
{
	return (struct catalog_question){ .asked_ms = catalog_now_ms(fixture->catalog) };
}

static inline struct catalog_question ask_again(const struct catalog_question *question,
                                                const struct waiter *waiter)
{
	struct catalog_question again = *question;

	again.waited = true;
	again.result = waiter->result;
	return again;
}

/* A fixture that knows a customer, whose answer has just expired. */
static inline struct fixture *begin_expired(const struct catalog_settings *settings,
                                            const struct key *key)
{
	struct fixture *fixture = begin(settings);
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	assert_int_equal(catalog_want(fixture->catalog, key, waiter_called, &waiter, &ticket), 0);
	answer_customer(fixture, "42", "Asha");
	fixture->now_ms += (int64_t)settings->ttl_ms;
	fixture->script.started = 0;
	fixture->script.freed = 0;
	return fixture;
}

/* How a look-up ends whose wait ended like this. */
static inline int find_after(struct fixture *fixture, const struct key *key, int error,
                             bool may_pass)
{
	const struct catalog_question question = {
		.asked_ms = fixture->now_ms,
		.waited = true,
		.result = { .error = error, .may_pass = may_pass },
	};

	return find(fixture, key, &question);
}

static inline bool is_stale(struct fixture *fixture, const struct key *key,
                            const struct catalog_question *question)
{
	struct catalog_entry entry = { 0 };
	bool is_stale;

	assert_int_equal(catalog_find(fixture->catalog, key, question, &entry), 0);
	is_stale = entry.is_stale;
	catalog_entry_fini(&entry);
	return is_stale;
}

static inline void wait_for(struct fixture *fixture, struct waiter *waiter)
{
	waiter->loop = &fixture->loop;
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(waiter->calls, 1);
}
