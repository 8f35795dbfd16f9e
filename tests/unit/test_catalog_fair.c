/* SPDX-License-Identifier: MIT */
/* How many may wait of one user. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "scripted_source.h"

/* Nor does a refresh, of which anybody may have as many. */
static void test_no_user_has_more_than_half_of_the_places(void **state)
{
	const uint64_t users[] = { UINT64_C(7) << 32, UINT64_C(8) << 32 };
	struct catalog_settings settings = usual;
	struct catalog_ticket *tickets[4] = { NULL };
	struct waiter waiters[4] = { 0 };
	struct fixture *fixture;
	struct key key;
	char id[8];

	(void)state;
	settings.waiting_max = array_length(tickets);
	fixture = begin(&settings);
	for (unsigned i = 0; i < array_length(tickets); i++) {
		/* Each by a session of its own. */
		uint64_t caller = users[i / 2] + i;

		snprintf(id, sizeof(id), "%u", 42 + i);
		key = make_key(KEY_ID, id);
		if (i % 2)
			assert_int_equal(catalog_renew(fixture->catalog, &key, caller, false,
			                               waiter_called, &waiters[i], &tickets[i]),
			                 0);
		else
			assert_int_equal(catalog_want_for(fixture->catalog, &key, caller,
			                                  waiter_called, &waiters[i], &tickets[i]),
			                 0);
		key = make_key(KEY_ID, "99");
		if (!(i % 2))
			continue;
		assert_int_equal(catalog_want_for(fixture->catalog, &key, caller + 9, waiter_called,
		                                  &waiters[i], &tickets[i]),
		                 -EBUSY);
		assert_int_equal(catalog_renew(fixture->catalog, &key, caller + 9, false,
		                               waiter_called, &waiters[i], &tickets[i]),
		                 -EBUSY);
	}
	/* Who has left makes room. */
	catalog_cancel(steal(&tickets[0]));
	assert_int_equal(catalog_want_for(fixture->catalog, &key, users[0], waiter_called,
	                                  &waiters[0], &tickets[0]),
	                 0);
	for (unsigned i = 0; i < array_length(tickets); i++)
		catalog_cancel(steal(&tickets[i]));
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_user_has_more_than_half_of_the_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
