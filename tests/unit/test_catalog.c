/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <uv.h>

#include "customers.h"
#include "kapturefs/store/catalog.h"

/* A source that answers when the test says so. */
struct scripted {
	struct source source;
	unsigned started;
	unsigned freed;
	source_done_fn *done;
	void *userdata;
};

struct source_fetch {
	struct scripted *script;
};

static int scripted_start(struct source *source, const struct key *key, source_done_fn *done,
                          void *userdata, struct source_fetch **ret)
{
	struct scripted *script = container_of(source, struct scripted, source);

	(void)key;
	script->started++;
	script->done = done;
	script->userdata = userdata;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->script = script;
	return 0;
}

static void scripted_free(struct source_fetch *fetch)
{
	fetch->script->freed++;
	free(fetch);
}

static const struct source_operations scripted_operations = { scripted_start, scripted_free };

struct fixture {
	uv_loop_t loop;
	struct scripted script;
	struct cache *cache;
	struct catalog *catalog;
	unsigned changes;
};

/* What a waiter was told. */
struct waiter {
	unsigned calls;
	struct catalog_result result;
	const unsigned *changes; /* the fixture's, looked at when called */
	unsigned changes_seen;
};

static void waiter_called(void *userdata, const struct catalog_result *result)
{
	struct waiter *waiter = userdata;

	waiter->calls++;
	waiter->result = *result;
	if (waiter->changes)
		waiter->changes_seen = *waiter->changes;
}

static void count_change(void *userdata, const struct cache_change *change)
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
};

static struct fixture *begin(const struct catalog_settings *settings)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->script.source.operations = &scripted_operations;
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	assert_int_equal(cache_open(":memory:", "https://x", &fixture->cache), 0);
	assert_int_equal(catalog_new(&fixture->loop, fixture->cache, &fixture->script.source,
	                             settings, &fixture->catalog),
	                 0);
	catalog_listen(fixture->catalog, (struct catalog_listener){ count_change, fixture });
	return fixture;
}

static void end(struct fixture *fixture)
{
	catalog_free(fixture->catalog);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	cache_close(fixture->cache);
	assert_int_equal(fixture->script.started, fixture->script.freed);
	free(fixture);
}

static void answer_customer(struct fixture *fixture, const char *id, const char *name)
{
	struct record *record = make_customer(id, "1", name);

	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .record = record });
	record_unref(record);
}

static int find(struct fixture *fixture, const struct key *key,
                const struct catalog_question *question)
{
	struct catalog_entry entry = { 0 };
	int r = catalog_find(fixture->catalog, key, question, &entry);

	catalog_entry_fini(&entry);
	return r;
}

static struct catalog_question ask(const struct fixture *fixture)
{
	return (struct catalog_question){ .asked_ms = catalog_now_ms(fixture->catalog) };
}

static struct catalog_question ask_again(const struct catalog_question *question,
                                         const struct waiter *waiter)
{
	struct catalog_question again = *question;

	again.waited = true;
	again.result = waiter->result;
	return again;
}

static void test_an_unknown_key_is_missing_and_finding_starts_nothing(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_PHONE, "555");
	struct catalog_question question = ask(fixture);

	(void)state;
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	assert_int_equal(fixture->script.started, 0);
	end(fixture);
}

static void test_all_who_wait_for_a_key_share_one_fetch(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_PHONE, "555");
	struct catalog_question question = ask(fixture);
	struct waiter waiters[64] = { 0 };

	(void)state;
	for (size_t i = 0; i < array_length(waiters); i++) {
		struct catalog_ticket *ticket;

		waiters[i].changes = &fixture->changes;
		assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[i],
		                              &ticket),
		                 0);
	}
	assert_int_equal(fixture->script.started, 1);
	answer_customer(fixture, "42", "Asha");
	for (size_t i = 0; i < array_length(waiters); i++) {
		assert_int_equal(waiters[i].calls, 1);
		assert_int_equal(waiters[i].result.error, 0);
		/* The listener runs before anybody who waited. */
		assert_int_equal(waiters[i].changes_seen, 1);
	}
	assert_int_equal(find(fixture, &key, &question), 0);
	end(fixture);
}

static void test_an_answer_newer_than_the_question_is_fresh_without_ttl(void **state)
{
	struct catalog_settings settings = usual;
	struct fixture *fixture;
	struct key key = make_key(KEY_ID, "42");
	struct catalog_question question;
	struct catalog_question again;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	settings.ttl_ms = 0;
	fixture = begin(&settings);
	question = ask(fixture);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	answer_customer(fixture, "42", "Asha");
	again = ask_again(&question, &waiter);
	assert_int_equal(find(fixture, &key, &again), 0);
	question = ask(fixture);
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	end(fixture);
}

static void test_a_cancelled_ticket_is_silent_and_the_answer_is_kept(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_question question = ask(fixture);
	struct catalog_ticket *leader;
	struct catalog_ticket *follower;
	struct waiter waiters[2] = { 0 };

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[0], &leader),
	                 0);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiters[1],
	                              &follower),
	                 0);
	catalog_cancel(leader);
	answer_customer(fixture, "42", "Asha");
	assert_int_equal(waiters[0].calls, 0);
	assert_int_equal(waiters[1].calls, 1);
	assert_int_equal(find(fixture, &key, &question), 0);
	end(fixture);
}

static void test_an_absent_customer_is_absent_until_asked_again(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_question question = ask(fixture);
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .record = NULL });
	assert_int_equal(waiter.result.error, 0);
	assert_int_equal(find(fixture, &key, &question), CATALOG_ABSENT);
	end(fixture);
}

static void test_a_failure_reaches_every_waiter_once_and_is_not_kept(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_question question = ask(fixture);
	struct catalog_question again;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .error = -EACCES });
	assert_int_equal(waiter.calls, 1);
	again = ask_again(&question, &waiter);
	assert_int_equal(find(fixture, &key, &again), -EACCES);
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	end(fixture);
}

/* A fixture that knows a customer whose answer expires at once. */
static struct fixture *begin_expired(struct catalog_settings *settings, const struct key *key)
{
	struct fixture *fixture;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	settings->ttl_ms = 0;
	fixture = begin(settings);
	assert_int_equal(catalog_want(fixture->catalog, key, waiter_called, &waiter, &ticket), 0);
	answer_customer(fixture, "42", "Asha");
	return fixture;
}

static void test_a_failure_that_may_pass_leaves_the_old_answer(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&settings, &key);
	struct catalog_question question = { .asked_ms = INT64_MAX, .waited = true };

	(void)state;
	question.result = (struct catalog_result){ -EHOSTUNREACH, true };
	assert_int_equal(find(fixture, &key, &question), 0);
	question.result = (struct catalog_result){ -EACCES, false };
	assert_int_equal(find(fixture, &key, &question), -EACCES);
	end(fixture);
}

static void test_beyond_max_stale_the_failure_shows(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture;
	struct catalog_question question = { .asked_ms = INT64_MAX, .waited = true };

	(void)state;
	settings.max_stale_ms = 0;
	fixture = begin_expired(&settings, &key);
	question.result = (struct catalog_result){ -EHOSTUNREACH, true };
	assert_int_equal(find(fixture, &key, &question), -EHOSTUNREACH);
	end(fixture);
}

static void test_patience_ends_the_wait_for_an_expired_customer(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&settings, &key);
	struct catalog_question question = ask(fixture);
	struct catalog_question again;
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	question.asked_ms++;
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	while (!waiter.calls)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	assert_int_equal(waiter.result.error, -ETIMEDOUT);
	again = ask_again(&question, &waiter);
	assert_int_equal(find(fixture, &key, &again), 0);
	/* The fetch has gone on. */
	assert_int_equal(fixture->script.started - fixture->script.freed, 1);
	end(fixture);
}

static void test_offline_serves_what_is_cached_and_asks_nothing(void **state)
{
	struct catalog_settings settings = usual;
	struct key unknown = make_key(KEY_ID, "43");
	struct fixture *fixture;
	struct catalog_question question;

	(void)state;
	settings.offline = true;
	fixture = begin(&settings);
	question = ask(fixture);
	assert_int_equal(find(fixture, &unknown, &question), -ENETDOWN);
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_unknown_key_is_missing_and_finding_starts_nothing),
		cmocka_unit_test(test_all_who_wait_for_a_key_share_one_fetch),
		cmocka_unit_test(test_an_answer_newer_than_the_question_is_fresh_without_ttl),
		cmocka_unit_test(test_a_cancelled_ticket_is_silent_and_the_answer_is_kept),
		cmocka_unit_test(test_an_absent_customer_is_absent_until_asked_again),
		cmocka_unit_test(test_a_failure_reaches_every_waiter_once_and_is_not_kept),
		cmocka_unit_test(test_a_failure_that_may_pass_leaves_the_old_answer),
		cmocka_unit_test(test_beyond_max_stale_the_failure_shows),
		cmocka_unit_test(test_patience_ends_the_wait_for_an_expired_customer),
		cmocka_unit_test(test_offline_serves_what_is_cached_and_asks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
