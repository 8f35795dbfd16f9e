/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once: of a start, a look-up, a change, a listing and a read. Nothing
 * crashes, nothing is lost, each request gets its reply, and once there is memory again
 * everything works. The scenario is repeated with the next allocation failing until none is left.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "assembly.h"
#include "failing_memory.h"
#include "tiny_api.h"
#include "kapturefs/base/log.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/store/kapture.h"

enum {
	HANG_S = 60,
	TIMEOUT_MS = 10000,
};

/* A mount, and the numbers of a few of its nodes. */
struct bench {
	struct tiny_api api;
	struct assembly assembly;
	struct kapture *kapture;
	uint64_t keys;
	uint64_t customer;
	uint64_t field;
	uint64_t json;
	uint64_t meta;
	uint64_t found; /* of the last look-up; 0 where there was none */
	int error;      /* of the last reply */
	bool is_late;   /* a reply was: something was waited for in vain */
	size_t length;  /* of what was read */
};

static void take_reply(struct kernel *kernel, const struct kernel_request *request, int error,
                       const char *body, size_t length)
{
	struct bench *bench = kernel->userdata;
	struct fuse_entry_out entry = { 0 };

	bench->error = error;
	bench->is_late |= error == ETIMEDOUT;
	bench->length = length;
	bench->found = 0;
	if (error || request->opcode != FUSE_LOOKUP)
		return;
	memcpy(&entry, body, length < sizeof(entry) ? length : sizeof(entry));
	bench->found = entry.nodeid;
}

/* Run until everything asked has been answered; the alarm ends what hangs. */
static void run(struct bench *bench)
{
	struct assembly *assembly = &bench->assembly;

	alarm(HANG_S);
	kernel_receive(&assembly->kernel);
	while (kernel_unanswered(&assembly->kernel)) {
		uv_run(&assembly->loop, UV_RUN_ONCE);
		kernel_receive(&assembly->kernel);
	}
	alarm(0);
	/* Only the numbers count: there is no end of requests. */
	assembly->kernel.request_count = 0;
}

static uint64_t look_up(struct bench *bench, uint64_t parent, const char *name)
{
	kernel_send_lookup(&bench->assembly.kernel, parent, name);
	run(bench);
	return bench->found;
}

static void read_node(struct bench *bench, uint32_t opcode, uint64_t node)
{
	kernel_send_read(&bench->assembly.kernel, opcode, node, 0, 64 << 10);
	run(bench);
}

/* Building and taking down, with memory */

static void begin(struct bench *bench, bool is_fresh)
{
	const struct kapture_settings api = {
		.base_url = bench->api.url,
		.token = "dG9rZW4=",
		.timeout_ms = TIMEOUT_MS,
		.rate = 1000000,
		.burst = 1000000,
		.http = {
			.connect_timeout_ms = TIMEOUT_MS,
			.concurrency_max = 8,
			.body_size_max = 1 << 20,
		},
	};
	const struct catalog_settings settings = {
		.ttl_ms = is_fresh ? 300000 : 0,
		.max_stale_ms = 0,
		.timeout_ms = TIMEOUT_MS,
		.patience_ms = TIMEOUT_MS,
		.memory_max = 1 << 20,
		.waiting_max = 100,
	};

	assembly_init(&bench->assembly, take_reply, bench);
	assert_int_equal(kapture_new(&bench->assembly.loop, &api, &bench->kapture), 0);
	assert_int_equal(assembly_build(&bench->assembly,
	                                ":memory:", kapture_source(bench->kapture), &settings),
	                 0);
	kernel_send_init(&bench->assembly.kernel, FUSE_KERNEL_MINOR_VERSION, UINT32_MAX);
	run(bench);
}

static void end(struct bench *bench)
{
	assembly_close(&bench->assembly);
	kapture_free(bench->kapture);
	while (uv_run(&bench->assembly.loop, UV_RUN_DEFAULT))
		;
	assembly_fini(&bench->assembly);
}

static void prepare_nothing(struct bench *bench)
{
	begin(bench, true);
	bench->keys = look_up(bench, FUSE_ROOT_ID, "by-id");
}

/* A customer that has been looked up, and every node that reads and listings need. */
static void prepare_customer_of(struct bench *bench, bool is_fresh)
{
	begin(bench, is_fresh);
	bench->keys = look_up(bench, FUSE_ROOT_ID, "by-id");
	bench->json = look_up(bench, bench->keys, "42.json");
	bench->meta = look_up(bench, bench->keys, "42.meta");
	bench->customer = look_up(bench, bench->keys, "42");
	bench->field = look_up(bench, bench->customer, "name");
	assert_true(bench->keys && bench->customer && bench->field && bench->json && bench->meta);
}

static void prepare_customer(struct bench *bench)
{
	prepare_customer_of(bench, true);
}

static void prepare_expired(struct bench *bench)
{
	prepare_customer_of(bench, false);
}

/* What is done without memory */

static void act_look_up(struct bench *bench)
{
#ifdef PLANTED_UNCHECKED
	volatile char *volatile note = malloc(1);

	*note = 'x';
	free((void *)(uintptr_t)note);
#endif
	(void)look_up(bench, bench->keys, "42");
}

static void act_go_in(struct bench *bench)
{
	(void)look_up(bench, bench->customer, "name");
}

/* For the server, which takes one connection after the other, each is in the other's way. */
static void act_look_up_two(struct bench *bench)
{
	kernel_send_lookup(&bench->assembly.kernel, bench->keys, "42");
	kernel_send_lookup(&bench->assembly.kernel, bench->keys, "43");
	run(bench);
}

static void act_list(struct bench *bench)
{
	read_node(bench, FUSE_READDIRPLUS, bench->keys);
	read_node(bench, FUSE_READDIRPLUS, bench->customer);
	read_node(bench, FUSE_READDIR, FUSE_ROOT_ID);
}

static void act_read(struct bench *bench)
{
	read_node(bench, FUSE_READ, bench->field);
	read_node(bench, FUSE_READ, bench->json);
	read_node(bench, FUSE_READ, bench->meta);
}

/*
 * libcurl takes some want of memory for want of a connection, and then the customer is left alone
 * for a second.
 */
static uint64_t look_up_until_found(struct bench *bench)
{
	uint64_t customer = look_up(bench, bench->keys, "42");

	for (int i = 0; !customer && bench->error == EHOSTUNREACH && i < 300; i++) {
		usleep(10000);
		customer = look_up(bench, bench->keys, "42");
	}
	return customer;
}

/* With memory again, everything is there. */
static void assert_works(struct bench *bench)
{
	uint64_t customer;

	customer = look_up_until_found(bench);
	if (!customer)
		fail_msg("look-up afterwards: %s", strerror(bench->error));
	assert_true(look_up(bench, customer, "name"));
	read_node(bench, FUSE_READ, bench->found);
	assert_int_equal(bench->error, 0);
	assert_true(bench->length > strlen("version "));
	read_node(bench, FUSE_READDIRPLUS, customer);
	assert_int_equal(bench->error, 0);
}

struct scenario {
	void (*prepare)(struct bench *bench);
	void (*act)(struct bench *bench);
	unsigned allocations_min; /* fewer would mean that nothing is wrapped */
};

static void fail_everything(const struct scenario *scenario)
{
	struct bench bench = { 0 };
	unsigned failing = 0;
	bool has_failed;

	tiny_api_start(&bench.api);
	do {
		scenario->prepare(&bench);
		memory_arm(++failing);
		scenario->act(&bench);
		has_failed = memory_disarm();
		assert_works(&bench);
		assert_false(bench.is_late);
		end(&bench);
	} while (has_failed);
	tiny_api_stop(&bench.api);

	printf("# %u allocations\n", failing - 1);
	assert_true(failing > scenario->allocations_min);
}

static void test_every_allocation_of_a_lookup_fails_once(void **state)
{
	static const struct scenario scenario = { prepare_nothing, act_look_up, 100 };

	(void)state;
	fail_everything(&scenario);
}

static void test_every_allocation_of_two_lookups_fails_once(void **state)
{
	static const struct scenario scenario = { prepare_nothing, act_look_up_two, 200 };

	(void)state;
	fail_everything(&scenario);
}

static void test_every_allocation_of_a_change_fails_once(void **state)
{
	static const struct scenario scenario = { prepare_expired, act_go_in, 100 };

	(void)state;
	fail_everything(&scenario);
}

static void test_every_allocation_of_a_listing_fails_once(void **state)
{
	static const struct scenario scenario = { prepare_customer, act_list, 0 };

	(void)state;
	fail_everything(&scenario);
}

static void test_every_allocation_of_a_read_fails_once(void **state)
{
	static const struct scenario scenario = { prepare_customer, act_read, 0 };

	(void)state;
	fail_everything(&scenario);
}

/* A start is the program's own, from the cache to the handshake, and ends when it is usable. */

struct start {
	struct kernel kernel;
	bool is_usable;
};

static void start_ready(void *userdata)
{
	struct start *start = userdata;

	start->is_usable = true;
	shutdown(start->kernel.descriptor, SHUT_RDWR);
}

/* The session closes its end, unless it never came to have it. */
static void close_if_left(int descriptor, const struct stat *expected)
{
	struct stat status;

	if (fstat(descriptor, &status) == 0 && status.st_ino == expected->st_ino)
		close(descriptor);
}

static bool start_once(struct config *config, unsigned failing)
{
	struct start start = { .is_usable = false };
	struct config_secrets secrets = { .token = config->host };
	char mountpoint[32];
	const struct serve_settings settings = {
		.config = config,
		.secrets = &secrets,
		.mountpoint = mountpoint,
		.foreground = true,
		.ready = start_ready,
		.userdata = &start,
	};
	struct stat peer;
	int status;

	kernel_begin(&start.kernel, NULL, NULL);
	snprintf(mountpoint, sizeof(mountpoint), "/dev/fd/%d", start.kernel.peer);
	assert_int_equal(fstat(start.kernel.peer, &peer), 0);
	kernel_send_init(&start.kernel, FUSE_KERNEL_MINOR_VERSION, UINT32_MAX);

	alarm(HANG_S);
	memory_arm(failing);
	status = serve(&settings);
	alarm(0);
	assert_true(status == 0 || status == 1);
	assert_int_equal(status == 0, start.is_usable);
	close_if_left(start.kernel.peer, &peer);
	kernel_end(&start.kernel);
	return memory_disarm();
}

/* A start makes thousands of allocations, most of them SQLite's; a slow build takes samples. */
static unsigned start_step(void)
{
	const char *step = getenv("ALLOCATION_STEP");

	return step ? (unsigned)strtoul(step, NULL, 10) : 1;
}

static void test_every_allocation_of_a_start_fails_once(void **state)
{
	struct config config;
	unsigned failing;

	(void)state;
	config_init(&config);
	config.base_url = strdup("http://127.0.0.1:9");
	config.host = strdup("127.0.0.1:9");
	config.cache = strdup(":memory:");
	assert_true(config.base_url && config.host && config.cache);
	for (failing = 1; start_once(&config, failing); failing += start_step())
		;
	config_fini(&config);
	printf("# %u allocations\n", failing - 1);
	assert_true(failing > 100);
}

static void drop_log(enum fuse_log_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_of_a_lookup_fails_once),
		cmocka_unit_test(test_every_allocation_of_two_lookups_fails_once),
		cmocka_unit_test(test_every_allocation_of_a_change_fails_once),
		cmocka_unit_test(test_every_allocation_of_a_listing_fails_once),
		cmocka_unit_test(test_every_allocation_of_a_read_fails_once),
		cmocka_unit_test(test_every_allocation_of_a_start_fails_once),
	};

#ifdef PLANTED_UNCHECKED
	cmocka_set_test_filter("*lookup*");
#endif
	memory_take_over();
	log_set_level(LOG_LEVEL_ERROR);
	fuse_set_log_func(drop_log);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
