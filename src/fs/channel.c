/* SPDX-License-Identifier: MIT */

#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kapturefs/fs/channel.h"

void *channel_userdata(fuse_req_t request)
{
	struct channel *channel = fuse_req_userdata(request);

	return channel->userdata;
}

/* Remember what the kernel offers in INIT, the first request. */
static void note_request(struct channel *channel, const char *bytes, size_t length)
{
	struct fuse_in_header header;
	struct fuse_init_in init;

	if (length < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	if (header.opcode != FUSE_INIT)
		return;

	memset(&init, 0, sizeof(init));
	length -= sizeof(header);
	memcpy(&init, bytes + sizeof(header), length < sizeof(init) ? length : sizeof(init));
	channel->init_unique = header.unique;
	channel->offers_parallel_lookups = init.flags & FUSE_PARALLEL_DIROPS;
}

static ssize_t channel_read(int descriptor, void *bytes, size_t size, void *userdata)
{
	ssize_t length = read(descriptor, bytes, size);

	if (length > 0)
		note_request(userdata, bytes, (size_t)length);
	return length;
}

static void repair_init_reply(struct channel *channel, const struct iovec *parts, int count)
{
	struct fuse_out_header header;
	struct fuse_init_out *reply;

	if (!channel->init_unique || count < 2 || parts[0].iov_len != sizeof(header))
		return;
	memcpy(&header, parts[0].iov_base, sizeof(header));
	if (header.unique != channel->init_unique)
		return;

	channel->init_unique = 0;
	if (header.error || parts[1].iov_len < offsetof(struct fuse_init_out, max_background))
		return;
	reply = parts[1].iov_base;
	if (channel->offers_parallel_lookups)
		reply->flags |= FUSE_PARALLEL_DIROPS;
}

static ssize_t channel_write(int descriptor, struct iovec *parts, int count, void *userdata)
{
	repair_init_reply(userdata, parts, count);
	return writev(descriptor, parts, count);
}

int channel_attach(struct channel *channel, struct fuse_session *session)
{
	static const struct fuse_custom_io hooks = {
		.read = channel_read,
		.writev = channel_write,
	};

	*channel = (struct channel){ .userdata = channel->userdata };
	return fuse_session_custom_io(session, &hooks, fuse_session_fd(session));
}
