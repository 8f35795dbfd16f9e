/* SPDX-License-Identifier: MIT */

#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kapturefs/fs/channel.h"

/* The operations that a read-only mount can meet; linux/fuse.h. */
static const char *const operation_labels[CHANNEL_OPERATIONS] = {
	[FUSE_LOOKUP] = "operation=\"lookup\"",
	[FUSE_FORGET] = "operation=\"forget\"",
	[FUSE_GETATTR] = "operation=\"getattr\"",
	[FUSE_READLINK] = "operation=\"readlink\"",
	[FUSE_OPEN] = "operation=\"open\"",
	[FUSE_READ] = "operation=\"read\"",
	[FUSE_STATFS] = "operation=\"statfs\"",
	[FUSE_RELEASE] = "operation=\"release\"",
	[FUSE_FSYNC] = "operation=\"fsync\"",
	[FUSE_GETXATTR] = "operation=\"getxattr\"",
	[FUSE_LISTXATTR] = "operation=\"listxattr\"",
	[FUSE_FLUSH] = "operation=\"flush\"",
	[FUSE_INIT] = "operation=\"init\"",
	[FUSE_OPENDIR] = "operation=\"opendir\"",
	[FUSE_READDIR] = "operation=\"readdir\"",
	[FUSE_RELEASEDIR] = "operation=\"releasedir\"",
	[FUSE_FSYNCDIR] = "operation=\"fsyncdir\"",
	[FUSE_ACCESS] = "operation=\"access\"",
	[FUSE_INTERRUPT] = "operation=\"interrupt\"",
	[FUSE_DESTROY] = "operation=\"destroy\"",
	[FUSE_IOCTL] = "operation=\"ioctl\"",
	[FUSE_POLL] = "operation=\"poll\"",
	[FUSE_BATCH_FORGET] = "operation=\"batch_forget\"",
	[FUSE_READDIRPLUS] = "operation=\"readdirplus\"",
	[FUSE_LSEEK] = "operation=\"lseek\"",
	[CHANNEL_OPERATIONS - 1] = "operation=\"other\"",
};

void channel_add_metrics(struct channel *channel, struct metrics *metrics)
{
	for (size_t i = 0; i < CHANNEL_OPERATIONS; i++) {
		if (operation_labels[i])
			metrics_add_counter(metrics, &channel->requests[i], METRIC_COUNTER,
			                    "kapturefs_fuse_requests_total", operation_labels[i],
			                    "Requests of the kernel.");
	}
}

static void count_request(struct channel *channel, uint32_t operation)
{
	if (operation >= CHANNEL_OPERATIONS || !operation_labels[operation])
		operation = CHANNEL_OPERATIONS - 1;
	counter_add(&channel->requests[operation], 1);
}

void *channel_userdata(fuse_req_t request)
{
	struct channel *channel = fuse_req_userdata(request);

	return channel->userdata;
}

/* Count, and remember what the kernel offers in INIT, the first request. */
static void note_request(struct channel *channel, const char *bytes, size_t length)
{
	struct fuse_in_header header;
	struct fuse_init_in init;

	if (length < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	count_request(channel, header.opcode);
	if (header.opcode != FUSE_INIT)
		return;

	memset(&init, 0, sizeof(init));
	length -= sizeof(header);
	memcpy(&init, bytes + sizeof(header), length < sizeof(init) ? length : sizeof(init));
	channel->init_unique = header.unique;
	channel->kernel_flags = init.flags;
}

static ssize_t channel_read(int descriptor, void *bytes, size_t size, void *userdata)
{
	ssize_t length = read(descriptor, bytes, size);

	if (length > 0)
		note_request(userdata, bytes, (size_t)length);
	return length;
}

static void repair_init_reply(struct channel *channel, const struct fuse_out_header *header,
                              const struct iovec *parts, int count)
{
	struct fuse_init_out *reply;

	if (count < 2 || header->unique != channel->init_unique)
		return;

	channel->init_unique = 0;
	if (header->error || parts[1].iov_len < offsetof(struct fuse_init_out, max_background))
		return;
	reply = parts[1].iov_base;
	if (channel->kernel_flags & FUSE_PARALLEL_DIROPS)
		reply->flags |= FUSE_PARALLEL_DIROPS;
}

/* A notification, which another thread may send, answers no request: its number is 0. */
static void note_reply(struct channel *channel, const struct iovec *parts, int count)
{
	struct fuse_out_header header;

	if (count < 1 || parts[0].iov_len != sizeof(header))
		return;
	memcpy(&header, parts[0].iov_base, sizeof(header));
	if (!header.unique)
		return;
	channel->has_replied = true;
	repair_init_reply(channel, &header, parts, count);
}

static ssize_t channel_write(int descriptor, struct iovec *parts, int count, void *userdata)
{
	note_reply(userdata, parts, count);
	return writev(descriptor, parts, count);
}

int channel_attach(struct fuse_session *session)
{
	static const struct fuse_custom_io hooks = {
		.read = channel_read,
		.writev = channel_write,
	};

	return fuse_session_custom_io(session, &hooks, fuse_session_fd(session));
}
