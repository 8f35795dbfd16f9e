/* SPDX-License-Identifier: MIT */
/* What must hold of whatever the daemon tells the kernel: in a reply, or unasked. */

#include "play.h"
#include "values.h"
#include "kapturefs/model/node.h"

/* What the wrapped functions see, which get no userdata. */
static const struct play *playing;

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
void play_begin(struct play *play)
{
	playing = play;
}

/* What replies tell */

static void learn(struct play *play, uint64_t number)
{
	struct node node;

	assert_true(node_unpack(number, &node));
	if (play->node_count < PLAY_NODES_MAX)
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

void play_check_reply(struct kernel *kernel, const struct kernel_request *request, int error,
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
