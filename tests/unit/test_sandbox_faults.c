/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/sandbox/fault.h"
#include "kapturefs/sandbox/plan.h"

enum { JSON_MAX = 1 << 20 };

static void add_rules(struct faults *faults, const char *plan)
{
	struct plan_complaint complaint;

	if (plan_read(plan, strlen(plan), true, faults, &complaint))
		fail_msg("%s: %s", plan, complaint.text);
}

/* The status that a rule gives to a request for the id, 0 if none does. */
static unsigned overruled_status(struct faults *faults, const char *id)
{
	struct answer answer;
	struct fault *fault;
	struct key key;
	unsigned status = 0;

	assert_int_equal(key_parse(KEY_ID, id, strlen(id), &key), 0);
	fault = faults_choose(faults, &key);
	if (!fault)
		return 0;
	answer_init(&answer);
	assert_int_equal(fault_apply(fault, &answer), 0);
	if (!fault_is_honest(fault))
		status = answer.status;
	answer_fini(&answer);
	faults_release(fault);
	return status;
}

static void test_rules_act_in_the_order_in_which_they_came(void **state)
{
	struct faults faults;

	(void)state;
	faults_init(&faults, 1);
	add_rules(&faults, "{\"status\":404,\"key\":\"7\"}");
	add_rules(&faults, "[{\"status\":503,\"count\":2},{\"body\":\"x\",\"count\":1}]");
	assert_int_equal(overruled_status(&faults, "7"), 404);
	assert_int_equal(overruled_status(&faults, "8"), 503);
	assert_int_equal(overruled_status(&faults, "8"), 503);
	assert_int_equal(overruled_status(&faults, "8"), 200);
	assert_int_equal(overruled_status(&faults, "8"), 0);
	assert_int_equal(overruled_status(&faults, "7"), 404);
	faults_clear(&faults);
	assert_int_equal(overruled_status(&faults, "7"), 0);
}

static void test_a_rule_is_meant_for_its_kind_of_key_and_skips_the_first(void **state)
{
	struct faults faults;

	(void)state;
	faults_init(&faults, 1);
	add_rules(&faults, "[{\"status\":500,\"kind\":\"phone\"},"
	                   " {\"status\":503,\"kind\":\"id\",\"skip\":2,\"count\":1}]");
	assert_int_equal(overruled_status(&faults, "8"), 0);
	assert_int_equal(overruled_status(&faults, "8"), 0);
	assert_int_equal(overruled_status(&faults, "8"), 503);
	assert_int_equal(overruled_status(&faults, "8"), 0);
	faults_clear(&faults);
}

/* One bit a request: whether the rule fired. */
static uint64_t roll(uint64_t seed, const char *plan)
{
	struct faults faults;
	uint64_t fired = 0;

	faults_init(&faults, seed);
	add_rules(&faults, plan);
	for (unsigned i = 0; i < 64; i++)
		fired = fired << 1 | (overruled_status(&faults, "8") != 0);
	faults_clear(&faults);
	return fired;
}

static void test_dice_follow_from_the_seed(void **state)
{
	static const char half[] = "{\"status\":500,\"probability\":0.5}";
	int count = __builtin_popcountll(roll(1, half));

	(void)state;
	assert_true(roll(1, half) == roll(1, half));
	assert_true(roll(1, half) != roll(2, half));
	assert_in_range(count, 16, 48);
	assert_true(roll(1, "{\"status\":500,\"probability\":0}") == 0);
	assert_true(roll(1, "{\"status\":500,\"probability\":1}") == UINT64_MAX);
}

static void test_a_rule_under_way_outlives_its_forgetting(void **state)
{
	struct faults faults;
	struct fault *fault;

	(void)state;
	faults_init(&faults, 1);
	add_rules(&faults, "{\"body\":\"x\"}");
	fault = faults_choose(&faults, NULL);
	assert_non_null(fault);
	faults_clear(&faults);
	assert_string_equal(fault->body, "x");
	faults_release(fault);
}

static void test_counts_tell_which_rule_has_fired(void **state)
{
	struct buffer text;
	struct faults faults;

	(void)state;
	faults_init(&faults, 1);
	buffer_init(&text, JSON_MAX);
	add_rules(&faults, "[{\"name\":\"a \\\"b\\\"\",\"status\":500,\"skip\":1},"
	                   " {\"connection\":\"reset\",\"count\":1}]");
	(void)overruled_status(&faults, "8");
	(void)overruled_status(&faults, "8");
	assert_int_equal(faults_choose_fate(&faults), FATE_RESET);
	assert_int_equal(faults_choose_fate(&faults), FATE_SERVED);
	assert_int_equal(faults_write(&faults, &text), 0);
	assert_string_equal(text.data,
	                    "[{\"number\":1,\"name\":\"a \\\"b\\\"\",\"seen\":2,\"fired\":1},"
	                    "{\"number\":2,\"name\":\"\",\"seen\":2,\"fired\":1}]");
	buffer_fini(&text);
	faults_clear(&faults);
}

static void test_a_connection_is_outdated_until_the_rule_is_at_its_end(void **state)
{
	struct faults faults;

	(void)state;
	faults_init(&faults, 1);
	add_rules(&faults, "{\"status\":500}");
	assert_int_equal(faults_connections_since(&faults), 0);
	add_rules(&faults, "{\"connection\":\"expired\",\"count\":1}");
	assert_int_equal(faults_connections_since(&faults), 2);
	faults_clear(&faults);
	add_rules(&faults, "{\"connection\":\"expired\",\"count\":1}");
	assert_int_equal(faults_connections_since(&faults), 3);
	assert_int_equal(faults_choose_fate(&faults), FATE_EXPIRED);
	assert_int_equal(faults_connections_since(&faults), 0);
	faults_clear(&faults);
}

static void test_rules_that_make_no_sense_are_named(void **state)
{
	static const struct {
		const char *plan;
		const char *complaint;
	} cases[] = {
		{ "[{},]", "must be a JSON array of rules" },
		{ "7", "must be a JSON array of rules" },
		{ "[{}, 7]", "rule 2: must be an object" },
		{ "[ {\"a\":\"],[\"}, {}]", "rule 1: a: there is no such member" },
		{ "{\"statos\":500}", "statos: there is no such member" },
		{ "[{}, {\"status\":\"500\"}]",
		  "rule 2: status: must be a whole number from 200 to 599" },
		{ "{\"status\":100}", "status: must be a whole number from 200 to 599" },
		{ "{\"status\":600}", "status: must be a whole number from 200 to 599" },
		{ "{\"status\":500,\"status\":500}", "status: is there twice" },
		{ "{\"then\":\"dance\"}", "then: must be one of reply half-reply timeout deaf" },
		{ "{\"count\":0}", "count: must be a whole number from 1 to 4294967295" },
		{ "{\"count\":-1}", "count: must be a whole number from 1 to 4294967295" },
		{ "{\"delay_ms\":1.5}", "delay_ms: must be a whole number from 0 to 600000" },
		{ "{\"delay_ms\":600001}", "delay_ms: must be a whole number from 0 to 600000" },
		{ "{\"read_ms\":600001}", "read_ms: must be a whole number from 0 to 600000" },
		{ "{\"probability\":1.1}", "probability: must be a number from 0 to 1" },
		{ "{\"hang\":1}", "hang: must be true or false" },
		{ "{\"body\":{}}", "body: must be a text" },
		{ "{\"body\":\"\",\"answer\":\"html\"}",
		  "answer: a rule has either `answer` or `body`" },
		{ "{\"key\":\"\"}", "key: must be a key as it is asked for, a text or a number" },
		{ "{\"kind\":\"name\"}", "kind: must be id, phone or email" },
		{ "{\"framing\":\"x\"}",
		  "framing: must be one of length chunked endless wrong-chunk close" },
		{ "{\"length_by\":0}", "length_by: must be a whole number, and not 0" },
		{ "{\"cut_at\":\"x\"}",
		  "cut_at: must be a number of bytes, or headers, body or end" },
		{ "{\"cut_at\":1,\"hang\":true}",
		  "hang: a rule has one end: cut_at, reset_at, stall_at, half_close_at or hang" },
		{ "{\"headers\":{\"a b\":\"\"}}",
		  "headers: must be an object of texts, in printable ASCII" },
		{ "{\"headers\":{\"a\":\"b\\r\\n\"}}",
		  "headers: must be an object of texts, in printable ASCII" },
		{ "{\"size\":5,\"answer\":\"html\"}",
		  "size: means nothing without an answer that has one" },
		{ "{\"connection\":\"reset\",\"status\":500}",
		  "status: means nothing to a connection" },
	};
	struct plan_complaint complaint;
	struct faults faults;

	(void)state;
	faults_init(&faults, 1);
	for (size_t i = 0; i < array_length(cases); i++) {
		const char *plan = cases[i].plan;

		if (plan_read(plan, strlen(plan), true, &faults, &complaint) != PLAN_INVALID)
			fail_msg("accepted: %s", plan);
		assert_string_equal(complaint.text, cases[i].complaint);
		assert_true(list_is_empty(&faults.list));
	}
	assert_int_equal(plan_read("{\"connection\":\"expired\"}", 24, false, &faults, &complaint),
	                 PLAN_INVALID);
	assert_string_equal(complaint.text, "connection: only a sandbox with --tls can do that");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_act_in_the_order_in_which_they_came),
		cmocka_unit_test(test_a_rule_is_meant_for_its_kind_of_key_and_skips_the_first),
		cmocka_unit_test(test_dice_follow_from_the_seed),
		cmocka_unit_test(test_a_rule_under_way_outlives_its_forgetting),
		cmocka_unit_test(test_counts_tell_which_rule_has_fired),
		cmocka_unit_test(test_a_connection_is_outdated_until_the_rule_is_at_its_end),
		cmocka_unit_test(test_rules_that_make_no_sense_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
