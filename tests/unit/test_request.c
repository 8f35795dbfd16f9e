/* SPDX-License-Identifier: MIT */
/*
 * The life of requests, with a catalog and a kernel that are this test's: what the request calls of
 * them is defined here, so that a completion can be lost, which the real ones never do.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/fs/request.h"

enum { WAIT_MAX_MS = 30, WAITERS_MAX = 8 };

struct catalog_ticket {
	catalog_ready_fn *ready;
	void *userdata;
	bool cancelled;
	bool is_returning;
};

/* The catalog's and the kernel's side. */
static struct {
	uv_loop_t *loop; /* stopped by each reply, if there is one here */
	int want_result;
	unsigned wanted;
	unsigned renewed;
	bool can_wait;
	struct catalog_ticket tickets[WAITERS_MAX];
	int replies[WAITERS_MAX]; /* by request: the error replied, 1 for none yet */
} world;

int64_t catalog_now_ms(struct catalog *catalog)
{
	(void)catalog;
	return 1;
}

int catalog_want_for(struct catalog *catalog, const struct key *key, uint64_t caller,
                     catalog_ready_fn *ready, void *userdata, struct catalog_ticket **ret)
{
	struct catalog_ticket *ticket = &world.tickets[world.wanted];

	(void)catalog;
	(void)key;
	(void)caller;
	if (world.want_result)
		return world.want_result;
	world.wanted++;
	*ticket = (struct catalog_ticket){ .ready = ready, .userdata = userdata };
	*ret = ticket;
	return 0;
}

int catalog_renew(struct catalog *catalog, const struct key *key, uint64_t caller, bool can_wait,
                  catalog_ready_fn *ready, void *userdata, struct catalog_ticket **ret)
{
	world.renewed++;
	world.can_wait = can_wait;
	return catalog_want_for(catalog, key, caller, ready, userdata, ret);
}

bool catalog_is_returning(const struct catalog_ticket *ticket)
{
	return ticket && ticket->is_returning;
}

void catalog_cancel(struct catalog_ticket *ticket)
{
	if (ticket)
		ticket->cancelled = true;
}

/* A fuse_req_t is here the place of its reply. */
int fuse_reply_err(fuse_req_t req, int error)
{
	int *reply = (int *)(void *)req;

	assert_int_equal(*reply, 1);
	*reply = -error;
	if (world.loop)
		uv_stop(world.loop);
	return 0;
}

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t function, void *data)
{
	(void)req;
	(void)function;
	(void)data;
}

const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
	static const struct fuse_ctx nobody = { .pid = 0 };

	(void)req;
	return &nobody;
}

static struct catalog_result seen; /* by the request that asked again */

static int serve_what_is_missing(struct request *request)
{
	if (!request->query.question.waited)
		return TREE_MISSING;
	seen = request->query.question.result;
	if (seen.error)
		return seen.error;
	fuse_reply_err(request->req, 0);
	return 0;
}

struct fixture {
	uv_loop_t loop;
	struct requests *requests;
	struct metrics metrics;
};

static void begin_waiting(struct fixture *fixture, uint64_t wait_max_ms)
{
	memset(&world, 0, sizeof(world));
	for (size_t i = 0; i < WAITERS_MAX; i++)
		world.replies[i] = 1;
	metrics_init(&fixture->metrics);
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	assert_int_equal(requests_new(&fixture->loop, NULL, wait_max_ms, &fixture->requests), 0);
	requests_add_metrics(fixture->requests, &fixture->metrics);
}

static void begin(struct fixture *fixture)
{
	begin_waiting(fixture, WAIT_MAX_MS);
}

static void end(struct fixture *fixture)
{
	requests_free(fixture->requests);
	while (uv_run(&fixture->loop, UV_RUN_DEFAULT))
		continue;
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
}

/* What was done can be seen when it has been looked for often enough. */
static unsigned looks_needed;

static int serve_what_settles(struct request *request)
{
	if (looks_needed && --looks_needed)
		return REQUEST_SETTLING;
	fuse_reply_err(request->req, 0);
	return 0;
}

static void run_settling(struct fixture *fixture, size_t number)
{
	struct request request =
	        request_new(fixture->requests, (fuse_req_t)(void *)&world.replies[number], 1,
	                    "refresh", serve_what_settles, NULL);

	request_run(&request);
}

static void run_request(struct fixture *fixture, size_t number)
{
	struct request request =
	        request_new(fixture->requests, (fuse_req_t)(void *)&world.replies[number], 1,
	                    "lookup", serve_what_is_missing, NULL);

	request_run(&request);
}

static void answer(size_t number, int error)
{
	struct catalog_ticket *ticket = &world.tickets[number];
	const struct catalog_result result = { .error = error, .may_pass = true };

	assert_false(ticket->cancelled);
	ticket->ready(ticket->userdata, &result);
}

static bool metrics_say(struct fixture *fixture, const char *line)
{
	cleanup(buffer_fini) struct buffer text;

	buffer_init(&text, 1 << 16);
	assert_int_equal(metrics_print(&fixture->metrics, &text), 0);
	return strstr(text.data, line) != NULL;
}

static void test_a_request_that_waited_is_served_again_and_replied_to_once(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	run_request(&fixture, 0);
	assert_int_equal(world.replies[0], 1);
	answer(0, 0);
	assert_int_equal(world.replies[0], 0);
	end(&fixture);
	assert_true(world.wanted == 1);
}

static void test_what_settles_is_looked_at_until_it_has(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_waiting(&fixture, 60000);
	looks_needed = 4;
	run_settling(&fixture, 0);
	assert_int_equal(world.replies[0], 1);
	assert_true(metrics_say(&fixture, "\nkapturefs_pending_lookups 1\n"));
	while (world.replies[0] == 1)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	assert_int_equal(world.replies[0], 0);
	assert_int_equal(looks_needed, 0);
	assert_int_equal(world.wanted, 0);
	assert_true(metrics_say(&fixture, "\nkapturefs_pending_lookups 0\n"));
	end(&fixture);
}

static void test_what_settles_at_once_does_not_wait(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	looks_needed = 1;
	run_settling(&fixture, 0);
	assert_int_equal(world.replies[0], 0);
	end(&fixture);
}

static void test_what_settles_can_be_failed(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_waiting(&fixture, 60000);
	looks_needed = 1000000;
	run_settling(&fixture, 0);
	requests_fail_waiting(fixture.requests, -ENOTCONN);
	assert_int_equal(world.replies[0], -ENOTCONN);
	uv_run(&fixture.loop, UV_RUN_NOWAIT);
	end(&fixture);
}

static void test_who_insists_has_the_key_renewed(void **state)
{
	struct fixture fixture;
	struct request request;

	(void)state;
	begin(&fixture);
	request = request_new(fixture.requests, (fuse_req_t)(void *)&world.replies[0], 1, "refresh",
	                      serve_what_is_missing, NULL);
	request.order.insists = true;
	request.order.max_age_ms = 5;
	request_run(&request);
	assert_int_equal(world.renewed, 1);
	assert_true(world.can_wait);
	answer(0, 0);
	assert_int_equal(world.replies[0], 0);
	run_request(&fixture, 1);
	assert_int_equal(world.renewed, 1);
	answer(1, 0);
	end(&fixture);
}

/* Standard error goes into a pipe while @function runs. */
static void capture_log(struct fixture *fixture, char *text, size_t size)
{
	int saved = dup(STDERR_FILENO);
	ssize_t length;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	fflush(stderr);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	dup2(saved, STDERR_FILENO);
	close(saved);
	length = read(ends[0], text, size - 1);
	close(ends[0]);
	text[length > 0 ? length : 0] = '\0';
}

static void test_a_lost_completion_is_answered_and_reported_as_a_bug(void **state)
{
	struct fixture fixture;
	char log[4096];

	(void)state;
	begin(&fixture);
	run_request(&fixture, 0);
	run_request(&fixture, 1);
	run_request(&fixture, 2);
	answer(1, 0);
	/* The loop ends when nobody waits any more. */
	capture_log(&fixture, log, sizeof(log));
	assert_int_equal(world.replies[0], -EIO);
	assert_int_equal(world.replies[1], 0);
	assert_int_equal(world.replies[2], -EIO);
	assert_true(world.tickets[0].cancelled);
	assert_true(world.tickets[2].cancelled);
	assert_non_null(strstr(log, "lookup got no answer, which is a bug"));
	assert_true(metrics_say(&fixture, "\nkapturefs_overdue_requests_total 2\n"));
	assert_true(metrics_say(&fixture, "\nkapturefs_pending_lookups 0\n"));
	end(&fixture);
}

static void test_no_request_is_overdue_before_its_time(void **state)
{
	struct fixture fixture;
	uint64_t start_ms;

	(void)state;
	begin(&fixture);
	start_ms = uv_now(&fixture.loop);
	run_request(&fixture, 0);
	uv_run(&fixture.loop, UV_RUN_DEFAULT);
	assert_int_equal(world.replies[0], -EIO);
	assert_true(uv_now(&fixture.loop) - start_ms >= WAIT_MAX_MS);
	end(&fixture);
}

static void test_one_that_is_overdue_says_nothing_about_those_who_came_later(void **state)
{
	struct fixture fixture;
	uint64_t start_ms;

	(void)state;
	begin(&fixture);
	world.loop = &fixture.loop;
	start_ms = uv_now(&fixture.loop);
	run_request(&fixture, 0);
	while (uv_now(&fixture.loop) - start_ms < WAIT_MAX_MS - 5)
		uv_update_time(&fixture.loop);
	run_request(&fixture, 1);
	uv_run(&fixture.loop, UV_RUN_DEFAULT);
	assert_int_equal(world.replies[0], -EIO);
	assert_int_equal(world.replies[1], 1);
	uv_run(&fixture.loop, UV_RUN_DEFAULT);
	assert_int_equal(world.replies[1], -EIO);
	end(&fixture);
}

static void test_who_is_answered_in_time_is_not_looked_for(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	run_request(&fixture, 0);
	answer(0, -ETIMEDOUT);
	uv_run(&fixture.loop, UV_RUN_DEFAULT);
	assert_int_equal(world.replies[0], -ETIMEDOUT);
	assert_true(metrics_say(&fixture, "\nkapturefs_overdue_requests_total 0\n"));
	end(&fixture);
}

/* When too many wait, an old answer may still do, and only the file system knows. */
static void test_a_request_that_may_not_wait_is_served_with_what_there_is(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	world.want_result = -EBUSY;
	run_request(&fixture, 0);
	assert_int_equal(seen.error, -EBUSY);
	assert_true(seen.may_pass);
	assert_int_equal(world.replies[0], -EBUSY);
	end(&fixture);
}

static void test_all_who_wait_can_be_failed_at_once(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	run_request(&fixture, 0);
	run_request(&fixture, 1);
	requests_fail_waiting(fixture.requests, -ENOTCONN);
	assert_int_equal(world.replies[0], -ENOTCONN);
	assert_int_equal(world.replies[1], -ENOTCONN);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_that_waited_is_served_again_and_replied_to_once),
		cmocka_unit_test(test_what_settles_is_looked_at_until_it_has),
		cmocka_unit_test(test_what_settles_at_once_does_not_wait),
		cmocka_unit_test(test_what_settles_can_be_failed),
		cmocka_unit_test(test_who_insists_has_the_key_renewed),
		cmocka_unit_test(test_a_lost_completion_is_answered_and_reported_as_a_bug),
		cmocka_unit_test(test_no_request_is_overdue_before_its_time),
		cmocka_unit_test(test_one_that_is_overdue_says_nothing_about_those_who_came_later),
		cmocka_unit_test(test_who_is_answered_in_time_is_not_looked_for),
		cmocka_unit_test(test_a_request_that_may_not_wait_is_served_with_what_there_is),
		cmocka_unit_test(test_all_who_wait_can_be_failed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
