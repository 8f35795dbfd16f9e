/* SPDX-License-Identifier: MIT */
/*
 * Which answers count. Besides single cases, random histories of questions that overlap: the API of
 * the test reads each of them at some moment between its sending and its answer, and tells in the
 * customer's name when that was. What is shown must never have been read earlier than what was
 * shown before. That the histories would find a wrong rule is tried with one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kapturefs/store/answer_order.h"
#include "scripted_source.h"

/* Notes */

static void note(struct answer_order *order, const struct key *key, uint64_t sent, uint64_t stored)
{
	if (answer_order_is_full(order))
		answer_order_prune(order, 0);
	answer_order_note(order, key, &(struct answer_note){ .sent = sent, .stored = stored });
}

static void test_what_was_sent_before_something_was_stored_is_late_for_it(void **state)
{
	struct answer_order order = { 0 };
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "42");

	(void)state;
	assert_false(answer_order_is_late(&order, &id, 1));
	note(&order, &id, 1, 5);
	assert_true(answer_order_is_late(&order, &id, 4));
	assert_false(answer_order_is_late(&order, &id, 6));
	assert_false(answer_order_is_late(&order, &phone, 4));
	assert_int_equal(answer_order_find(&order, &id).sent, 1);
	answer_order_fini(&order);
}

static struct key numbered_key(unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return make_key(KEY_ID, text);
}

static void test_notes_are_kept_while_something_older_is_under_way(void **state)
{
	struct answer_order order = { 0 };

	(void)state;
	for (unsigned i = 1; i <= 5000; i++) {
		struct key key = numbered_key(i);

		note(&order, &key, 2 * i, 2 * i + 1);
	}
	for (unsigned i = 1; i <= 5000; i++) {
		struct key key = numbered_key(i);

		assert_true(answer_order_is_late(&order, &key, 2 * i));
		assert_false(answer_order_is_late(&order, &key, 2 * i + 2));
	}
	answer_order_prune(&order, 2 * 5000);
	assert_int_equal(order.count, 1);
	assert_true(order.capacity <= 64);
	answer_order_fini(&order);
}

static void test_more_notes_than_there_is_room_for_make_everything_late(void **state)
{
	struct answer_order order = { 0 };
	struct key first = numbered_key(1);
	unsigned last = 0;

	(void)state;
	for (unsigned i = 1; !order.floor; i++) {
		struct key key = numbered_key(i);

		note(&order, &key, 2 * i, 2 * i + 1);
		last = 2 * i + 1;
		assert_true(i < 1000000);
	}
	assert_true(order.capacity * sizeof(struct answer_note) <= 4 << 20);
	/* The last note came after the table had been given up. */
	assert_true(order.floor >= last - 2);
	assert_true(answer_order_is_late(&order, &first, order.floor - 1));
	assert_int_equal(answer_order_find(&order, &first).sent, 0);
	assert_false(answer_order_is_late(&order, &first, last + 1));
	answer_order_fini(&order);
}

static void test_without_memory_everything_under_way_is_late(void **state)
{
	struct answer_order order = { 0 };
	struct key key = numbered_key(1);
	struct key other = numbered_key(2);

	(void)state;
	/* As if there were no room, and none to be had. */
	answer_order_note(&order, &key, &(struct answer_note){ .sent = 3, .stored = 7 });
	assert_true(answer_order_is_late(&order, &key, 6));
	assert_true(answer_order_is_late(&order, &other, 6));
	assert_false(answer_order_is_late(&order, &key, 8));
	answer_order_fini(&order);
}

/* Histories */

enum { CUSTOMERS = 2, PHONES = 2, KEYS = CUSTOMERS + PHONES, OPEN_MAX = 8, STEPS = 40 };

enum { HISTORIES = 4000 };

/* A moment of the test's world, counted from 1. */
struct moment {
	unsigned of; /* the customer, from 1; 0: there is none */
	unsigned read_at;
};

struct open_question {
	struct world *world;
	unsigned key;
	bool is_read;
	struct moment read;
	uint64_t number; /* by which the rule under test knows it */
	source_done_fn *done;
	void *userdata;
};

/* How what is asked is kept: by the catalog, or by a rule that is to be found out. */
struct keeper {
	void (*ask)(struct world *world, unsigned key);
	void (*answer)(struct world *world, struct open_question *question);
	struct moment (*look)(struct world *world, unsigned key);
};

struct world {
	const struct keeper *keeper;
	uint64_t dice;
	unsigned now;
	unsigned names_from; /* what the customers and phones of this history are called */
	bool exists[CUSTOMERS];
	unsigned owner[PHONES]; /* a customer, from 1 */
	struct open_question *open[OPEN_MAX];
	unsigned open_count;
	struct moment shown[CUSTOMERS]; /* the latest of each, under whatever key */
	bool has_gone_back;

	/* Of the catalog. */
	struct source source;
	uv_loop_t loop;
	struct cache *cache;
	struct catalog *catalog;

	/* Of the rule that the later question has the later answer. */
	struct old_rule {
		uint64_t last;
		struct moment records[CUSTOMERS];
		uint64_t answered[CUSTOMERS]; /* the question that did so last */
		unsigned leads[KEYS];
		uint64_t answered_keys[KEYS];
	} old;
};

/* xorshift64 */
static unsigned roll(struct world *world, unsigned sides)
{
	world->dice ^= world->dice << 13;
	world->dice ^= world->dice >> 7;
	world->dice ^= world->dice << 17;
	return (unsigned)((world->dice >> 32) % sides);
}

static struct key world_key(const struct world *world, unsigned key)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", world->names_from + key);
	return make_key(key < CUSTOMERS ? KEY_ID : KEY_PHONE, text);
}

/* The API reads. */
static void read_now(struct open_question *question)
{
	const struct world *world = question->world;
	unsigned key = question->key;
	unsigned of = key < CUSTOMERS ? key + 1 : world->owner[key - CUSTOMERS];

	if (question->is_read)
		return;
	question->is_read = true;
	question->read.of = of && world->exists[of - 1] ? of : 0;
	question->read.read_at = world->now;
}

static void note_shown(struct world *world)
{
	for (unsigned key = 0; key < KEYS; key++) {
		struct moment seen = world->keeper->look(world, key);
		struct moment *before;

		if (!seen.of)
			continue;
		before = &world->shown[seen.of - 1];
		if (seen.read_at < before->read_at)
			world->has_gone_back = true;
		*before = seen;
	}
}

static void answer_one(struct world *world, unsigned place)
{
	struct open_question *question = world->open[place];

	read_now(question);
	world->open[place] = world->open[--world->open_count];
	world->keeper->answer(world, question);
	free(question);
	note_shown(world);
}

static void open_question(struct world *world, const struct open_question *question)
{
	struct open_question *own = malloc(sizeof(*own));

	assert_non_null(own);
	assert_true(world->open_count < OPEN_MAX);
	*own = *question;
	world->open[world->open_count++] = own;
}

static void step(struct world *world)
{
	world->now++;
	switch (roll(world, 8)) {
	case 0:
		world->exists[roll(world, CUSTOMERS)] ^= true;
		break;
	case 1:
		world->owner[roll(world, PHONES)] = roll(world, CUSTOMERS + 1);
		break;
	case 2:
		if (world->open_count)
			read_now(world->open[roll(world, world->open_count)]);
		break;
	case 3:
	case 4:
	case 5:
		/* One that is late may begin another. */
		if (world->open_count < OPEN_MAX - 1)
			world->keeper->ask(world, roll(world, KEYS));
		break;
	default:
		if (world->open_count)
			answer_one(world, roll(world, world->open_count));
		break;
	}
}

/* What nothing overlaps is shown as it is. */
static void assert_shows_the_truth(struct world *world)
{
	while (world->open_count)
		answer_one(world, 0);
	for (unsigned key = 0; key < KEYS; key++) {
		struct moment seen;
		unsigned of;

		world->now++;
		world->keeper->ask(world, key);
		while (world->open_count)
			answer_one(world, 0);
		of = key < CUSTOMERS ? key + 1 : world->owner[key - CUSTOMERS];
		seen = world->keeper->look(world, key);
		assert_int_equal(seen.of, of && world->exists[of - 1] ? of : 0);
		if (seen.of)
			assert_int_equal(seen.read_at, world->now);
	}
}

/* Returns whether anything that was shown has gone back. */
static bool run_history(struct world *world, unsigned number)
{
	world->dice = 0x9e3779b97f4a7c15 * (number + 1);
	world->now = 1;
	world->names_from = 1000 + number * KEYS;
	world->has_gone_back = false;
	memset(world->shown, 0, sizeof(world->shown));
	memset(&world->old, 0, sizeof(world->old));
	for (unsigned i = 0; i < CUSTOMERS; i++)
		world->exists[i] = true;
	for (unsigned i = 0; i < PHONES; i++)
		world->owner[i] = 1 + i % CUSTOMERS;
	for (unsigned i = 0; i < STEPS && !world->has_gone_back; i++)
		step(world);
	if (!world->has_gone_back)
		assert_shows_the_truth(world);
	while (world->open_count)
		answer_one(world, 0);
	return world->has_gone_back;
}

/* The catalog, for a source that is the world */

static unsigned key_number(const struct world *world, const struct key *key)
{
	return (unsigned)strtoul(key->text, NULL, 10) - world->names_from;
}

static int world_start(struct source *source, const struct source_question *question,
                       source_done_fn *done, void *userdata, struct source_fetch **ret)
{
	struct world *world = container_of(source, struct world, source);

	*ret = calloc(1, sizeof(**ret));
	(*ret)->sent = source_draw(source);
	open_question(world, &(struct open_question){
	                             .world = world,
	                             .key = key_number(world, &question->key),
	                             .done = done,
	                             .userdata = userdata,
	                     });
	return 0;
}

static void world_free(struct source_fetch *fetch)
{
	free(fetch);
}

static enum source_state world_state(struct source *source, enum key_kind kind, uint64_t caller)
{
	(void)source;
	(void)kind;
	(void)caller;
	return SOURCE_READY;
}

static void world_hurry(struct source_fetch *fetch, enum source_hurry hurry)
{
	(void)fetch;
	(void)hurry;
}

static uint64_t world_epoch(struct source *source)
{
	(void)source;
	return 0;
}

static const struct source_operations world_operations = {
	.start = world_start,
	.sent = scripted_sent,
	.hurry = world_hurry,
	.free = world_free,
	.state = world_state,
	.epoch = world_epoch,
};

static void nobody_called(void *userdata, const struct catalog_result *result)
{
	(void)userdata;
	assert_int_equal(result->error, 0);
}

/* Half of them insist on what is new. */
static void catalog_ask(struct world *world, unsigned number)
{
	struct key key = world_key(world, number);
	struct catalog_ticket *ticket;

	assert_int_equal(catalog_renew(world->catalog, &key, 0, roll(world, 2), nobody_called, NULL,
	                               &ticket),
	                 0);
}

static void catalog_answer(struct world *world, struct open_question *question)
{
	struct source_answer answer = { .error = 0 };
	char id[16];
	char name[16];

	if (question->read.of) {
		snprintf(id, sizeof(id), "%u", world->names_from + question->read.of - 1);
		snprintf(name, sizeof(name), "%u", question->read.read_at);
		answer.record = make_customer(id, "1", name);
	}
	/* In a turn of its own, of which there is none without a loop that runs. */
	uv_update_time(&world->loop);
	question->done(question->userdata, &answer);
	record_unref(answer.record);
}

static struct moment catalog_look(struct world *world, unsigned number)
{
	struct key key = world_key(world, number);
	struct moment seen = { 0 };
	struct cache_customer customer;
	struct cache_key known;
	struct key id;
	const char *text;

	if (catalog_peek(world->catalog, &key, &known))
		return seen;
	assert_int_equal(catalog_customer(world->catalog, known.customer, &customer), 0);
	text = record_id(customer.record);
	assert_int_equal(key_parse(KEY_ID, text, strlen(text), &id), 0);
	seen.of = key_number(world, &id) + 1;
	seen.read_at = (unsigned)strtoul(name_of(customer.record), NULL, 10);
	record_unref(customer.record);
	return seen;
}

static const struct keeper by_catalog = { catalog_ask, catalog_answer, catalog_look };

static void test_nothing_that_is_shown_ever_goes_back(void **state)
{
	static struct world world;

	(void)state;
	world.keeper = &by_catalog;
	world.source.operations = &world_operations;
	assert_int_equal(uv_loop_init(&world.loop), 0);
	assert_int_equal(cache_open(":memory:", "https://x", &world.cache), 0);
	assert_int_equal(catalog_new(&world.loop, world.cache, &world.source, &usual,
	                             &world.catalog),
	                 0);
	for (unsigned i = 0; i < HISTORIES; i++)
		assert_false(run_history(&world, i));
	catalog_free(world.catalog);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	cache_close(world.cache);
}

/* The old rule: of two questions under way, the later one has the later answer. */

static void old_ask(struct world *world, unsigned key)
{
	open_question(world, &(struct open_question){
	                             .world = world,
	                             .key = key,
	                             .number = ++world->old.last,
	                     });
}

static void old_answer(struct world *world, struct open_question *question)
{
	struct old_rule *old = &world->old;
	unsigned of = question->read.of;

	if (question->number < old->answered_keys[question->key])
		return;
	old->answered_keys[question->key] = question->number;
	old->leads[question->key] = of;
	if (!of && question->key < CUSTOMERS)
		old->records[question->key] = (struct moment){ 0 };
	if (!of || question->number < old->answered[of - 1])
		return;
	old->answered[of - 1] = question->number;
	old->records[of - 1] = question->read;
}

static struct moment old_look(struct world *world, unsigned key)
{
	unsigned of = world->old.leads[key];

	return of ? world->old.records[of - 1] : (struct moment){ 0 };
}

static const struct keeper by_old_rule = { old_ask, old_answer, old_look };

static void test_the_rule_that_the_later_question_counts_is_found_wrong(void **state)
{
	static struct world world;
	unsigned found = 0;

	(void)state;
	world.keeper = &by_old_rule;
	for (unsigned i = 0; i < HISTORIES && !found; i++)
		found += run_history(&world, i);
	assert_int_equal(found, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_sent_before_something_was_stored_is_late_for_it),
		cmocka_unit_test(test_notes_are_kept_while_something_older_is_under_way),
		cmocka_unit_test(test_more_notes_than_there_is_room_for_make_everything_late),
		cmocka_unit_test(test_without_memory_everything_under_way_is_late),
		cmocka_unit_test(test_nothing_that_is_shown_ever_goes_back),
		cmocka_unit_test(test_the_rule_that_the_later_question_counts_is_found_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
