/* SPDX-License-Identifier: MIT */
/* What is served, and for how long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scripted_source.h"

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
	fixture->now_ms++;
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

/* Ages */

static void test_an_answer_is_fresh_for_its_ttl_and_no_longer(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);
	struct catalog_question question = ask(fixture);

	(void)state;
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	fixture->now_ms--;
	assert_false(is_stale(fixture, &key, &question));
	end(fixture);
}

static void test_an_absence_counts_for_the_negative_ttl(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key key = make_key(KEY_ID, "42");
	struct catalog_question question = ask(fixture);
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &key, waiter_called, &waiter, &ticket), 0);
	fixture->script.done(fixture->script.userdata, &(struct source_answer){ .record = NULL });
	fixture->now_ms += (int64_t)usual.negative_ttl_ms - 1;
	assert_int_equal(find(fixture, &key, &question), CATALOG_ABSENT);
	fixture->now_ms++;
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	/* That there was nobody does not answer whether there is. */
	fixture->now_ms++;
	assert_int_equal(find_after(fixture, &key, -EIO, true), -EIO);
	end(fixture);
}

static void test_what_is_not_definite_leaves_the_old_answer(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);

	(void)state;
	assert_int_equal(find_after(fixture, &key, -EHOSTUNREACH, true), 0);
	assert_int_equal(find_after(fixture, &key, -EPROTO, true), 0);
	assert_int_equal(find_after(fixture, &key, -EACCES, false), -EACCES);
	end(fixture);
}

static void test_beyond_max_stale_the_failure_shows(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);

	(void)state;
	fixture->now_ms += (int64_t)usual.max_stale_ms - 1;
	assert_int_equal(find_after(fixture, &key, -EHOSTUNREACH, true), 0);
	fixture->now_ms++;
	assert_int_equal(find_after(fixture, &key, -EHOSTUNREACH, true), -EHOSTUNREACH);
	end(fixture);
}

/* In a cache that was filled by a clock a year ahead. */
static void test_an_answer_from_the_future_is_asked_for_again_and_does_not_live_on(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);
	struct catalog_question question;

	(void)state;
	fixture->now_ms -= INT64_C(365) * 86400000;
	question = ask(fixture);
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	assert_int_equal(find_after(fixture, &key, -EIO, true), -EIO);
	end(fixture);
}

/* The token */

static void test_a_closed_door_serves_nothing_that_has_expired(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);
	struct catalog_question question;

	(void)state;
	fixture->script.state = SOURCE_REFUSED;
	/* Not even to those whose patience has ended, or whose own error may pass. */
	assert_int_equal(find_after(fixture, &key, -ETIMEDOUT, true), -EACCES);
	assert_int_equal(find_after(fixture, &key, -EBUSY, true), -EACCES);
	assert_int_equal(find_after(fixture, &key, -EACCES, false), -EACCES);
	/* What is fresh is fresh. */
	fixture->now_ms--;
	question = ask(fixture);
	assert_int_equal(find(fixture, &key, &question), 0);
	end(fixture);
}

static void test_an_opened_door_serves_again(void **state)
{
	struct key key = make_key(KEY_ID, "42");
	struct fixture *fixture = begin_expired(&usual, &key);

	(void)state;
	fixture->script.state = SOURCE_REFUSED;
	assert_int_equal(find_after(fixture, &key, -ETIMEDOUT, true), -EACCES);
	fixture->script.state = SOURCE_READY;
	assert_int_equal(find_after(fixture, &key, -ETIMEDOUT, true), 0);
	end(fixture);
}

static void test_offline_serves_what_is_cached_and_asks_nothing(void **state)
{
	struct catalog_settings settings = usual;
	struct key known = make_key(KEY_ID, "42");
	struct key unknown = make_key(KEY_ID, "43");
	struct fixture *fixture;
	struct catalog_question question;

	(void)state;
	settings.offline = true;
	fixture = begin_expired(&settings, &known);
	fixture->now_ms += (int64_t)settings.max_stale_ms * 100;
	question = ask(fixture);
	assert_int_equal(find(fixture, &unknown, &question), -ENETDOWN);
	assert_true(is_stale(fixture, &known, &question));
	assert_int_equal(fixture->script.started, 0);
	end(fixture);
}

static void test_what_has_been_looked_up_is_known_however_old(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct catalog_entry entry = { 0 };
	struct cache_key known;
	struct fixture *fixture;

	(void)state;
	settings.max_stale_ms = 0;
	fixture = begin_expired(&settings, &key);
	assert_int_equal(cache_find_key(fixture->cache, &key, &known), 0);
	assert_int_equal(catalog_known(fixture->catalog, known.slot, &entry), 0);
	assert_true(entry.is_stale);
	assert_string_equal(name_of(entry.customer.record), "Asha\n");
	catalog_entry_fini(&entry);
	assert_int_equal(catalog_known(fixture->catalog, known.slot + 9, &entry), CATALOG_ABSENT);
	end(fixture);
}

static void test_what_may_be_of_any_age_is_known_whatever_the_token(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct key unknown = make_key(KEY_ID, "43");
	struct catalog_question question;
	struct fixture *fixture;

	(void)state;
	settings.max_stale_ms = 0;
	fixture = begin_expired(&settings, &key);
	fixture->script.state = SOURCE_REFUSED;
	question = ask(fixture);
	assert_int_equal(find(fixture, &key, &question), CATALOG_MISSING);
	question.of_any_age = true;
	assert_true(is_stale(fixture, &key, &question));
	assert_int_equal(find(fixture, &unknown, &question), CATALOG_MISSING);
	end(fixture);
}

/* The API's answer to a question that was asked earlier may be the older one. */
static void answer(const struct scripted *to, const char *name)
{
	struct record *record = name ? make_customer("42", "1", name) : NULL;

	to->done(to->userdata, &(struct source_answer){ .record = record });
	record_unref(record);
}

/* Ask by @first and then by @second, be answered the other way round; who is found by both then? */
static void assert_later_question_counts(const struct key *first, const char *older,
                                         const struct key *second, const char *newer)
{
	struct fixture *fixture = begin(&usual);
	struct catalog_question question = ask(fixture);
	struct catalog_entry entry = { 0 };
	struct waiter waiter = { 0 };
	struct catalog_ticket *ticket;
	struct scripted earlier;
	struct scripted later;

	assert_int_equal(catalog_want(fixture->catalog, first, waiter_called, &waiter, &ticket), 0);
	earlier = fixture->script;
	assert_int_equal(catalog_want(fixture->catalog, second, waiter_called, &waiter, &ticket),
	                 0);
	later = fixture->script;
	answer(&later, newer);
	answer(&earlier, older);
	assert_int_equal(waiter.calls, 2);
	assert_int_equal(catalog_find(fixture->catalog, first, &question, &entry), 0);
	assert_memory_equal(name_of(entry.customer.record), newer, strlen(newer));
	catalog_entry_fini(&entry);
	assert_int_equal(catalog_find(fixture->catalog, second, &question, &entry), 0);
	assert_memory_equal(name_of(entry.customer.record), newer, strlen(newer));
	catalog_entry_fini(&entry);
	end(fixture);
}

static void test_an_earlier_question_undoes_nothing_that_a_later_one_told(void **state)
{
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "555");

	(void)state;
	assert_later_question_counts(&id, "Asha", &phone, "Bina");
	assert_later_question_counts(&phone, "Asha", &id, "Bina");
	assert_later_question_counts(&id, NULL, &phone, "Bina");
}

static void test_of_two_that_overlap_the_one_that_comes_first_counts(void **state)
{
	struct fixture *fixture = begin(&usual);
	struct key id = make_key(KEY_ID, "42");
	struct key phone = make_key(KEY_PHONE, "555");
	struct catalog_question question = ask(fixture);
	struct catalog_entry entry = { 0 };
	struct waiter waiter = { 0 };
	struct catalog_ticket *ticket;
	struct scripted earlier;

	(void)state;
	assert_int_equal(catalog_want(fixture->catalog, &id, waiter_called, &waiter, &ticket), 0);
	earlier = fixture->script;
	assert_int_equal(catalog_want(fixture->catalog, &phone, waiter_called, &waiter, &ticket),
	                 0);
	answer(&earlier, "Asha");
	answer_customer(fixture, "42", "Bina");
	assert_int_equal(waiter.calls, 2);
	assert_int_equal(fixture->script.started, 2);
	assert_int_equal(catalog_find(fixture->catalog, &phone, &question, &entry), 0);
	assert_string_equal(name_of(entry.customer.record), "Asha\n");
	catalog_entry_fini(&entry);
	end(fixture);
}

static void test_a_brief_look_finds_the_same_and_builds_no_record(void **state)
{
	struct catalog_settings settings = usual;
	struct key key = make_key(KEY_ID, "42");
	struct key other = make_key(KEY_ID, "43");
	struct catalog_question question = { .is_brief = true };
	struct catalog_entry whole = { 0 };
	struct catalog_entry brief = { 0 };
	struct catalog_ticket *ticket;
	struct waiter waiter = { 0 };
	struct fixture *fixture;

	(void)state;
	/* Only the newest is kept parsed, and that is another. */
	settings.memory_max = 0;
	settings.offline = true;
	fixture = begin_expired(&settings, &key);
	assert_int_equal(catalog_want(fixture->catalog, &other, waiter_called, &waiter, &ticket),
	                 0);
	answer_customer(fixture, "43", "Usha");
	assert_int_equal(catalog_find(fixture->catalog, &key, &question, &brief), 0);
	assert_null(brief.customer.record);
	question.is_brief = false;
	assert_int_equal(catalog_find(fixture->catalog, &key, &question, &whole), 0);
	assert_int_equal(brief.key.slot, whole.key.slot);
	assert_int_equal(brief.expires_ms, whole.expires_ms);
	assert_int_equal(brief.customer.changed_ms,
	                 record_member(whole.customer.record, 0)->changed_ms);
	catalog_entry_fini(&whole);
	catalog_entry_fini(&brief);
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_brief_look_finds_the_same_and_builds_no_record),
		cmocka_unit_test(test_an_earlier_question_undoes_nothing_that_a_later_one_told),
		cmocka_unit_test(test_of_two_that_overlap_the_one_that_comes_first_counts),
		cmocka_unit_test(test_an_unknown_key_is_missing_and_finding_starts_nothing),
		cmocka_unit_test(test_all_who_wait_for_a_key_share_one_fetch),
		cmocka_unit_test(test_an_answer_newer_than_the_question_is_fresh_without_ttl),
		cmocka_unit_test(test_a_cancelled_ticket_is_silent_and_the_answer_is_kept),
		cmocka_unit_test(test_an_absent_customer_is_absent_until_asked_again),
		cmocka_unit_test(test_a_failure_reaches_every_waiter_once_and_is_not_kept),
		cmocka_unit_test(test_an_answer_is_fresh_for_its_ttl_and_no_longer),
		cmocka_unit_test(test_an_absence_counts_for_the_negative_ttl),
		cmocka_unit_test(test_what_is_not_definite_leaves_the_old_answer),
		cmocka_unit_test(test_beyond_max_stale_the_failure_shows),
		cmocka_unit_test(
		        test_an_answer_from_the_future_is_asked_for_again_and_does_not_live_on),
		cmocka_unit_test(test_a_closed_door_serves_nothing_that_has_expired),
		cmocka_unit_test(test_an_opened_door_serves_again),
		cmocka_unit_test(test_offline_serves_what_is_cached_and_asks_nothing),
		cmocka_unit_test(test_what_has_been_looked_up_is_known_however_old),
		cmocka_unit_test(test_what_may_be_of_any_age_is_known_whatever_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
