#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of a FUSE connection, in a test's hand: requests as they stand in
 * linux/fuse.h, over a socket that keeps messages apart as /dev/fuse does. It knows what was asked,
 * and that each request gets one reply, with an errno that may be. Include cmocka.h and its headers
 * first.
 */

#include <errno.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kapturefs/base/base.h"

enum {
	KERNEL_REQUESTS_MAX = 256,
	KERNEL_MESSAGE_MAX = 128 << 10,
	KERNEL_OPCODE_STATX = 52, /* of protocol 7.39, younger than the header */
};

/** One request, and what has come of it. */
struct kernel_request {
	uint64_t unique;
	uint64_t node;
	uint64_t sent_ms; /* by the test's clock */
	uint32_t opcode;
	uint32_t size;  /* of a read */
	int64_t offset; /* ... and its place */
	bool is_answered;
	bool was_interrupted;
	bool may_be_broken; /* its caller was seen dying, or was not to be seen, when interrupted */
};

struct kernel;

/** A reply that has passed the checks, and its bytes behind the header. */
typedef void kernel_reply_fn(struct kernel *kernel, const struct kernel_request *request, int error,
                             const char *body, size_t length);

struct kernel {
	int descriptor; /* this side's */
	int peer;       /* the session's, which closes it */
	struct kernel_request requests[KERNEL_REQUESTS_MAX];
	size_t request_count;
	uint64_t next_unique;
	int pid; /* of the callers */
	bool is_ending;
	kernel_reply_fn *replied;
	void *userdata;
	char message[KERNEL_MESSAGE_MAX];
};

static inline void kernel_begin(struct kernel *kernel, kernel_reply_fn *replied, void *userdata)
{
	int ends[2];
	int size = 4 << 20;

	*kernel = (struct kernel){ .next_unique = 2, .replied = replied, .userdata = userdata };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	(void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	kernel->descriptor = ends[0];
	kernel->peer = ends[1];
	kernel->pid = 1;
}

static inline void kernel_end(struct kernel *kernel)
{
	close(kernel->descriptor);
}

/* What each operation may answer */

static inline bool kernel_wants_reply(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

/* The rule R5: a closed set; ENOSYS is said once and for all, by what is then never asked. */
static inline bool kernel_allows(const struct kernel *kernel, const struct kernel_request *request,
                                 int error)
{
	static const int always[] = {
		0,      ENOENT, EACCES,    ENAMETOOLONG, ENOTDIR,      EISDIR,
		EINVAL, EIO,    ETIMEDOUT, EBUSY,        EHOSTUNREACH, EPROTO,
		EFBIG,  ESTALE, ENOMEM,    ENODATA,      ENETDOWN,
	};

	for (size_t i = 0; i < array_length(always); i++) {
		if (error == always[i])
			return true;
	}
	switch (error) {
	case ENOSYS:
		return request->opcode == FUSE_OPEN || request->opcode == FUSE_OPENDIR ||
		       request->opcode == FUSE_FLUSH || request->opcode == FUSE_GETXATTR ||
		       request->opcode == FUSE_LISTXATTR || request->opcode == FUSE_ACCESS ||
		       request->opcode == KERNEL_OPCODE_STATX;
	case ENXIO:
		return request->opcode == FUSE_LSEEK;
	case ENOTTY:
		return request->opcode == FUSE_IOCTL;
	case EINTR:
		return request->may_be_broken;
	case ENOTCONN:
		return kernel->is_ending;
	default:
		return false;
	}
}

/* Asking */

/** Send a request whose body is @length bytes; the request, for as long as the kernel lives. */
static inline struct kernel_request *kernel_send(struct kernel *kernel, uint32_t opcode,
                                                 uint64_t node, const void *body, size_t length)
{
	struct kernel_request *request;
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + length),
		.opcode = opcode,
		.unique = kernel->next_unique,
		.nodeid = node,
		.pid = (uint32_t)kernel->pid,
	};

	assert_true(kernel->request_count < KERNEL_REQUESTS_MAX);
	request = &kernel->requests[kernel->request_count++];
	*request = (struct kernel_request){
		.unique = kernel->next_unique,
		.node = node,
		.opcode = opcode,
		.is_answered = !kernel_wants_reply(opcode),
	};
	kernel->next_unique += 2;

	memcpy(kernel->message, &header, sizeof(header));
	if (length)
		memcpy(kernel->message + sizeof(header), body, length);
	assert_int_equal(send(kernel->descriptor, kernel->message, header.len, MSG_NOSIGNAL),
	                 header.len);
	return request;
}

/** The handshake, with the flags that the kernel offers. */
static inline struct kernel_request *kernel_send_init(struct kernel *kernel, uint32_t minor,
                                                      uint32_t flags)
{
	const struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = minor,
		.max_readahead = 128 << 10,
		.flags = flags,
	};

	return kernel_send(kernel, FUSE_INIT, 0, &init, sizeof(init));
}

static inline struct kernel_request *kernel_send_lookup(struct kernel *kernel, uint64_t parent,
                                                        const char *name)
{
	return kernel_send(kernel, FUSE_LOOKUP, parent, name, strlen(name) + 1);
}

/** A read, a readdir or a readdirplus. */
static inline struct kernel_request *kernel_send_read(struct kernel *kernel, uint32_t opcode,
                                                      uint64_t node, uint64_t offset, uint32_t size)
{
	const struct fuse_read_in in = { .offset = offset, .size = size };
	struct kernel_request *request = kernel_send(kernel, opcode, node, &in, sizeof(in));

	request->size = size;
	request->offset = (int64_t)offset;
	return request;
}

static inline struct kernel_request *kernel_send_getattr(struct kernel *kernel, uint64_t node)
{
	const struct fuse_getattr_in in = { 0 };

	return kernel_send(kernel, FUSE_GETATTR, node, &in, sizeof(in));
}

/** Tell that the caller of @unique, which may be of no request, was interrupted. */
static inline void kernel_send_interrupt(struct kernel *kernel, uint64_t unique)
{
	const struct fuse_interrupt_in in = { .unique = unique };
	struct fuse_in_header header = {
		.len = sizeof(header) + sizeof(in),
		.opcode = FUSE_INTERRUPT,
		.unique = unique | 1,
		.pid = (uint32_t)kernel->pid,
	};
	char message[sizeof(header) + sizeof(in)];

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), &in, sizeof(in));
	assert_int_equal(send(kernel->descriptor, message, sizeof(message), MSG_NOSIGNAL),
	                 sizeof(message));
}

/* Being answered */

static inline struct kernel_request *kernel_find(struct kernel *kernel, uint64_t unique)
{
	for (size_t i = 0; i < kernel->request_count; i++) {
		if (kernel->requests[i].unique == unique)
			return &kernel->requests[i];
	}
	return NULL;
}

static inline void kernel_take(struct kernel *kernel, size_t length)
{
	struct fuse_out_header header;
	struct kernel_request *request;

	assert_true(length >= sizeof(header));
	memcpy(&header, kernel->message, sizeof(header));
	assert_int_equal(header.len, length);
	/* The library's word for an interruption that came too early: send it again. */
	if (header.unique & 1) {
		assert_int_equal(header.error, -EAGAIN);
		return;
	}

	if (header.unique == 0)
		return; /* a notification */

	request = kernel_find(kernel, header.unique);
	if (!request)
		fail_msg("a reply to nothing");
	if (request->is_answered)
		fail_msg("a second reply to an operation %u", request->opcode);
	if (header.error > 0 || !kernel_allows(kernel, request, -header.error))
		fail_msg("operation %u: %s", request->opcode, strerror(-header.error));
	assert_true(!header.error || length == sizeof(header));
	request->is_answered = true;
	if (kernel->replied)
		kernel->replied(kernel, request, -header.error, kernel->message + sizeof(header),
		                length - sizeof(header));
}

/** Take the replies that are there. */
static inline void kernel_receive(struct kernel *kernel)
{
	ssize_t length;

	while ((length = recv(kernel->descriptor, kernel->message, sizeof(kernel->message),
	                      MSG_DONTWAIT)) > 0)
		kernel_take(kernel, (size_t)length);
	assert_true(length == 0 || errno == EAGAIN);
}

static inline size_t kernel_unanswered(const struct kernel *kernel)
{
	size_t count = 0;

	for (size_t i = 0; i < kernel->request_count; i++)
		count += !kernel->requests[i].is_answered;
	return count;
}
