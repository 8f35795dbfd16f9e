/* SPDX-License-Identifier: MIT */
/*
 * Up to 50 requests of the kernel, answers of the API, interruptions and the passing of time, in
 * any order, against the real handlers, over the session's custom I/O. The input is a program: a
 * few bytes of settings, then instructions.
 *
 * Whatever happens: each request gets one reply, in time, with an errno that may be; and a value
 * that was read is whole and some customer's own, by the checksum in it.
 */

#include <errno.h>
#include <stdio.h>
#include <fuse_lowlevel.h>

#include "fuzz.h"
#include "assembly.h"
#include "own_clock.h"
#include "scripted.h"
#include "values.h"
#include "kapturefs/base/log.h"
#include "kapturefs/fs/caller.h"
#include "kapturefs/model/node.h"

enum {
	REQUESTS_MAX = 50,
	STEPS_MAX = 120,
	NODES_MAX = 128,
	NAME_MAX_SENT = 300,
	TIMEOUT_MS = 30000,
	PROMISE_MS = TIMEOUT_MS + 1000,
	START_MS = 1000000,
};

struct play {
	struct assembly assembly;
	struct script script;
	struct input input;
	uint64_t nodes[NODES_MAX]; /* that replies have told of */
	size_t node_count;
	size_t interruptions;
	enum caller_state caller;
	int64_t unix_ms; /* by the own clock, from here on */
};

/* What the wrapped functions see, which get no userdata. */
static struct play *playing;

enum caller_state __wrap_caller_state(pid_t pid);
int __wrap_fuse_lowlevel_notify_store(struct fuse_session *session, fuse_ino_t number, off_t offset,
                                      struct fuse_bufvec *bytes, enum fuse_buf_copy_flags flags);
int __wrap_fuse_lowlevel_notify_inval_inode(struct fuse_session *session, fuse_ino_t number,
                                            off_t offset, off_t length);

enum caller_state __wrap_caller_state(pid_t pid)
{
	(void)pid;
	return playing->caller;
}

/* From the notifier's thread. */
int __wrap_fuse_lowlevel_notify_store(struct fuse_session *session, fuse_ino_t number, off_t offset,
                                      struct fuse_bufvec *bytes, enum fuse_buf_copy_flags flags)
{
	struct node node;

	(void)session;
	(void)flags;
	if (offset || !node_unpack(number, &node) || node.kind != NODE_FIELD ||
	    !value_is_whole(bytes->buf[0].mem, bytes->buf[0].size))
		abort();
	return 0;
}

int __wrap_fuse_lowlevel_notify_inval_inode(struct fuse_session *session, fuse_ino_t number,
                                            off_t offset, off_t length)
{
	struct node node;

	(void)session;
	(void)offset;
	(void)length;
	if (!node_unpack(number, &node))
		abort();
	return 0;
}

static int64_t play_now_ms(void *userdata)
{
	const struct play *play = userdata;

	return play->unix_ms + (int64_t)(own_clock_now_ms() - START_MS);
}

/* What replies tell */

static void learn(struct play *play, uint64_t number)
{
	struct node node;

	assert_true(node_unpack(number, &node));
	if (play->node_count < NODES_MAX)
		play->nodes[play->node_count++] = number;
}

static void check_attributes(const struct fuse_attr *attributes)
{
	uint32_t type = attributes->mode & S_IFMT;

	assert_true(type == S_IFDIR || type == S_IFREG || type == S_IFLNK);
	assert_true(attributes->ino != 0 && (attributes->ino & UINT32_MAX) != 0);
	assert_int_equal(attributes->mode & 0222, type == S_IFLNK ? 0222 : 0);
	assert_true(type == S_IFDIR || attributes->nlink > 0);
}

static void check_entry(struct play *play, const struct fuse_entry_out *entry)
{
	if (!entry->nodeid)
		return;
	check_attributes(&entry->attr);
	learn(play, entry->nodeid);
}

/* A directory's entries fit together, and their cookies grow. */
static void check_listing(struct play *play, const struct kernel_request *request, const char *body,
                          size_t length)
{
	bool is_plus = request->opcode == FUSE_READDIRPLUS;
	uint64_t cookie = (uint64_t)request->offset;

	for (size_t at = 0; at < length;) {
		struct fuse_entry_out entry = { 0 };
		struct fuse_dirent dirent;
		size_t head = is_plus ? sizeof(entry) : 0;

		assert_true(length - at >= head + FUSE_NAME_OFFSET);
		if (is_plus)
			memcpy(&entry, body + at, sizeof(entry));
		memcpy(&dirent, body + at + head, FUSE_NAME_OFFSET);
		assert_in_range(dirent.namelen, 1, 255);
		assert_null(memchr(body + at + head + FUSE_NAME_OFFSET, '/', dirent.namelen));
		assert_true(dirent.off > cookie);
		cookie = dirent.off;
		check_entry(play, &entry);
		at += head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + dirent.namelen);
		assert_true(at <= length);
	}
}

static void check_value(const struct kernel_request *request, const char *body, size_t length)
{
	struct node node;

	assert_true(length <= request->size);
	if (request->offset || length == request->size || !length)
		return;
	assert_true(node_unpack(request->node, &node));
	if (node.kind == NODE_FIELD && !value_is_whole(body, length))
		fail_msg("not a value that was ever sent: %.*s", (int)length, body);
	if (node.kind == NODE_JSON)
		assert_true(body[0] == '{' && memcmp(body + length - 2, "}\n", 2) == 0);
}

static void check_reply(struct kernel *kernel, const struct kernel_request *request, int error,
                        const char *body, size_t length)
{
	struct play *play = kernel->userdata;
	struct fuse_entry_out entry = { 0 };
	struct fuse_attr_out attributes = { 0 };

	if (error)
		return;
	if (request->opcode == FUSE_LOOKUP) {
		memcpy(&entry, body, length < sizeof(entry) ? length : sizeof(entry));
		check_entry(play, &entry);
	}
	if (request->opcode == FUSE_GETATTR) {
		memcpy(&attributes, body,
		       length < sizeof(attributes) ? length : sizeof(attributes));
		check_attributes(&attributes.attr);
	}
	if (request->opcode == FUSE_READDIR || request->opcode == FUSE_READDIRPLUS)
		check_listing(play, request, body, length);
	if (request->opcode == FUSE_READ)
		check_value(request, body, length);
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
		{ .error = -EPROTO },
		{ .error = -EFBIG },
		{ .error = -EINVAL },
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
	playing = &play;
	own_clock_stop_at(START_MS);
	settings = read_settings(&play);
	script_init(&play.script);
	assembly_init(&play.assembly, check_reply, &play);
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
