/* SPDX-License-Identifier: MIT */
/*
 * Up to 50 requests of the kernel, answers of the API, interruptions and the passing of time, in
 * any order, against the real handlers, over the session's custom I/O. The input is a program: a
 * few bytes of settings, then instructions.
 *
 * Whatever happens: each request gets one reply, in time, with an errno that may be; and a value
 * that was read is whole and some customer's own, by the checksum in it (requests_checks.c).
 */

#include <errno.h>

#include "play.h"
#include "own_clock.h"
#include "values.h"
#include "kapturefs/base/log.h"

enum {
	REQUESTS_MAX = 50,
	STEPS_MAX = 120,
	NAME_MAX_SENT = 300,
	TIMEOUT_MS = 30000,
	PROMISE_MS = TIMEOUT_MS + 1000,
	START_MS = 1000000,
};

static int64_t play_now_ms(void *userdata)
{
	const struct play *play = userdata;

	return play->unix_ms + (int64_t)(own_clock_now_ms() - START_MS);
}

/* Reading the program */

static uint64_t next_node(struct play *play)
{
	uint8_t which = input_byte(&play->input);
	uint64_t number = 0;

	if (which < 0xf0)
		return play->nodes[which % play->node_count];
	for (int i = 0; i < 8; i++)
		number = number << 8 | input_byte(&play->input);
	return number;
}

static const char *next_name(struct play *play, char room[NAME_MAX_SENT + 1])
{
	static const char *const names[] = {
		"by-id",
		"by-phone",
		"by-email",
		".kapturefs",
		"version",
		"42",
		"43",
		"42.json",
		"43.json",
		"42.meta",
		"43.meta",
		"name",
		"contacts",
		"primary",
		"421",
		"431",
		"nested",
		"deep",
		"9380",
		"+9 380",
		"9380.json",
		"a@example.com",
		"A@Example.com",
		"id",
		"042",
		"042.json",
		"042.meta",
		"44",
		"tags",
		"0",
		"1",
		".git",
	};
	uint8_t which = input_byte(&play->input);
	struct input part;

	if (which < 0xf0)
		return names[which % array_length(names)];
	part = input_until(&play->input, '\0');
	if (part.length > NAME_MAX_SENT)
		part.length = NAME_MAX_SENT;
	memcpy(room, part.bytes, part.length);
	room[part.length] = '\0';
	return room;
}

static void note_sent(struct kernel_request *request)
{
	request->sent_ms = own_clock_now_ms();
}

static void play_lookup(struct play *play)
{
	char room[NAME_MAX_SENT + 1];
	uint64_t parent = next_node(play);

	note_sent(kernel_send_lookup(&play->assembly.kernel, parent, next_name(play, room)));
}

static void play_getattr(struct play *play)
{
	note_sent(kernel_send_getattr(&play->assembly.kernel, next_node(play)));
}

static void play_read(struct play *play)
{
	static const uint32_t opcodes[] = { FUSE_READ, FUSE_READDIR, FUSE_READDIRPLUS };
	uint32_t opcode = opcodes[input_byte(&play->input) % array_length(opcodes)];
	uint64_t number = next_node(play);
	uint64_t offset = input_byte(&play->input);
	uint32_t size = input_number(&play->input);

	if (offset >= 0x80)
		offset = (offset & 0x7f) << 33 | input_number(&play->input);
	note_sent(kernel_send_read(&play->assembly.kernel, opcode, number, offset, size));
}

/* Operations that look at nothing behind their node, or at little. */
static void play_other(struct play *play)
{
	static const uint32_t opcodes[] = {
		FUSE_OPEN,       FUSE_OPENDIR, FUSE_FLUSH,          FUSE_RELEASE,
		FUSE_RELEASEDIR, FUSE_FSYNC,   FUSE_FSYNCDIR,       FUSE_STATFS,
		FUSE_LSEEK,      FUSE_POLL,    FUSE_READLINK,       FUSE_FORGET,
		FUSE_READLINK,   FUSE_ACCESS,  FUSE_BATCH_FORGET,   FUSE_LSEEK,
		FUSE_LISTXATTR,  FUSE_IOCTL,   KERNEL_OPCODE_STATX,
	};
	uint32_t opcode = opcodes[input_byte(&play->input) % array_length(opcodes)];
	uint64_t number = next_node(play);
	/* Large enough for the arguments of any of them; a batch is of one. */
	union {
		struct fuse_lseek_in lseek;
		struct {
			struct fuse_batch_forget_in batch;
			struct fuse_forget_one one;
		} forget;
		char bytes[64];
	} in = { .bytes = "" };

	if (opcode == FUSE_LSEEK) {
		in.lseek.offset = input_byte(&play->input);
		in.lseek.whence = input_byte(&play->input) % 6;
	}
	if (opcode == FUSE_BATCH_FORGET)
		in.forget.batch.count = 1;
	note_sent(kernel_send(&play->assembly.kernel, opcode, number, &in, sizeof(in)));
}

/* Before its request, during, after its reply, or of no request at all. */
static void play_interrupt(struct play *play)
{
	struct kernel *kernel = &play->assembly.kernel;
	uint8_t which = input_byte(&play->input);
	struct kernel_request *request = &kernel->requests[which % kernel->request_count];

	play->interruptions++;
	if (which >= 0xf0) {
		kernel_send_interrupt(kernel, kernel->next_unique + (which & 0xeu));
		return;
	}
	request->was_interrupted = true;
	kernel_send_interrupt(kernel, request->unique);
}

static void play_answer(struct play *play)
{
	static const struct source_answer failures[] = {
		{ .error = -EHOSTUNREACH, .may_pass = true },
		{ .error = -ETIMEDOUT, .may_pass = true },
		{ .error = -EBUSY, .may_pass = true },
		{ .error = -EIO, .may_pass = true },
		{ .error = -EACCES },
		{ .error = -EPROTO, .may_pass = true },
		{ .error = -EFBIG, .may_pass = true },
		{ .error = -EINVAL, .may_pass = true },
	};
	uint8_t which = input_byte(&play->input);
	uint8_t what = input_byte(&play->input);
	struct source_answer answer = { 0 };
	struct source_fetch *fetch;

	if (!play->script.fetch_count)
		return;
	fetch = script_fetch(&play->script, which % play->script.fetch_count);
	if (what < 0x20) {
		script_answer(fetch, &failures[what % array_length(failures)]);
	} else if (what < 0x30) {
		script_answer(fetch, &answer);
	} else {
		answer.record = value_record(what & 1 ? 42 : 43, what >> 1, what == 0x30);
		script_answer(fetch, &answer);
		record_unref(answer.record);
	}
}

/* Whoever was interrupted and is dying is let go at once; and nobody waits for ever. */
static void assert_nobody_hangs(const struct play *play)
{
	const struct kernel *kernel = &play->assembly.kernel;
	uint64_t now_ms = own_clock_now_ms();

	for (size_t i = 0; i < kernel->request_count; i++) {
		const struct kernel_request *request = &kernel->requests[i];

		if (request->is_answered)
			continue;
		if (now_ms - request->sent_ms > PROMISE_MS)
			fail_msg("operation %u waits for ever", request->opcode);
		if (request->was_interrupted && play->caller == CALLER_DYING)
			fail_msg("operation %u holds on to a dying caller", request->opcode);
	}
}

static void play_time(struct play *play)
{
	static const uint64_t durations[] = {
		1, 10, 100, 1000, 2000, 5000, PROMISE_MS + 1, 300000
	};

	own_clock_advance(durations[input_byte(&play->input) % array_length(durations)]);
	/* Timers that others start when they run. */
	for (int i = 0; i < 3; i++)
		assembly_run(&play->assembly);
	own_clock_advance(10);
	assembly_run(&play->assembly);
	assert_nobody_hangs(play);
}

static void play_states(struct play *play)
{
	static const enum caller_state callers[] = { CALLER_ALIVE, CALLER_DYING, CALLER_UNKNOWN };
	static const enum source_state sources[] = { SOURCE_READY, SOURCE_BUSY, SOURCE_REFUSED };
	uint8_t which = input_byte(&play->input);

	if (which & 1)
		play->caller = callers[(which >> 1) % array_length(callers)];
	else
		play->script.state = sources[(which >> 1) % array_length(sources)];
}

/* EINTR is right from the moment on that an interrupted caller may be dying. */
static void note_callers(struct play *play)
{
	struct kernel *kernel = &play->assembly.kernel;

	for (size_t i = 0; play->caller != CALLER_ALIVE && i < kernel->request_count; i++)
		kernel->requests[i].may_be_broken |= kernel->requests[i].was_interrupted;
}

static void play_step(struct play *play)
{
	static void (*const instructions[])(struct play *) = {
		play_lookup, play_lookup, play_lookup,    play_lookup, play_getattr,
		play_read,   play_read,   play_interrupt, play_answer, play_answer,
		play_answer, play_time,   play_states,    play_other,
	};

	instructions[input_byte(&play->input) % array_length(instructions)](play);
	note_callers(play);
	assembly_run(&play->assembly);
}

/* The whole play */

static struct catalog_settings read_settings(struct play *play)
{
	uint8_t bits = input_byte(&play->input);

	return (struct catalog_settings){
		.ttl_ms = bits & 1 ? 0 : 300000,
		.negative_ttl_ms = bits & 2 ? 0 : 60000,
		.max_stale_ms = bits & 4 ? 0 : 86400000,
		.timeout_ms = TIMEOUT_MS,
		.patience_ms = bits & 8 ? 0 : 2000,
		.memory_max = bits & 16 ? 1 : 1 << 20,
		.waiting_max = bits & 32 ? 2 : 1000,
		.offline = bits & 64,
		.clock = { play_now_ms, play },
	};
}

static void shake_hands(struct play *play)
{
	static const uint32_t minors[] = { 38, 31, 27, 23, 12, 8 };
	uint8_t which = input_byte(&play->input);

	kernel_send_init(&play->assembly.kernel, minors[which % array_length(minors)],
	                 which & 0x80 ? 0 : UINT32_MAX);
	assembly_run(&play->assembly);
	assert_true(play->assembly.is_ready);
	assert_int_equal(kernel_unanswered(&play->assembly.kernel), 0);
}

static void drop_log(enum fuse_log_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
}

/* libfuse keeps an interruption of nothing until another request comes, and loses it at the end. */
static void flush_interruptions(struct play *play)
{
	for (size_t i = 0; i < play->interruptions; i++) {
		note_sent(kernel_send(&play->assembly.kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0));
		assembly_run(&play->assembly);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct play play = {
		.input = { bytes, length },
		.nodes = { FUSE_ROOT_ID },
		.node_count = 1,
		.caller = CALLER_ALIVE,
		.unix_ms = INT64_C(1700000000000),
	};
	struct catalog_settings settings;

	log_set_level(LOG_LEVEL_ERROR);
	fuse_set_log_func(drop_log);
	play_begin(&play);
	own_clock_stop_at(START_MS);
	settings = read_settings(&play);
	script_init(&play.script);
	assembly_init(&play.assembly, play_check_reply, &play);
	assert_int_equal(assembly_build(&play.assembly, ":memory:", &play.script.source, &settings),
	                 0);
	shake_hands(&play);
	for (int i = 0; i < STEPS_MAX && play.input.length &&
	                play.assembly.kernel.request_count <= REQUESTS_MAX;
	     i++)
		play_step(&play);

	flush_interruptions(&play);
	assembly_close(&play.assembly);
	assert_int_equal(kernel_unanswered(&play.assembly.kernel), 0);
	assert_true(list_is_empty(&play.script.fetches));
	assembly_fini(&play.assembly);
	own_clock_stop_at(0);
	return 0;
}
