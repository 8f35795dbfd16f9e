/* SPDX-License-Identifier: MIT */
/* The handlers of the FUSE operations: each makes a request of its arguments and runs it. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/fs/channel.h"
#include "kapturefs/fs/filesystem_parts.h"

/* After its time-out, a request is overdue: the promise is a second. */
enum { OVERDUE_AFTER_MS = 1000 };

struct request filesystem_request(fuse_req_t req, fuse_ino_t number, const char *operation,
                                  request_serve_fn *serve)
{
	struct filesystem *filesystem = channel_userdata(req);

	return request_new(filesystem->requests, req, number, operation, serve, filesystem);
}

static void handle_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct request request = filesystem_request(req, parent, "lookup", serve_lookup);

	request.name = name;
	request_run(&request);
}

static void handle_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
	struct request request = filesystem_request(req, number, "getattr", serve_getattr);

	/* libfuse has one where the kernel says so (FUSE_GETATTR_FH), and nothing is in it. */
	request.by_descriptor = file;
	request_run(&request);
}

static void handle_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                        struct fuse_file_info *file)
{
	struct request request = filesystem_request(req, number, "read", serve_read);

	(void)file;
	request.size = size;
	request.offset = offset;
	request_run(&request);
}

static void handle_readlink(fuse_req_t req, fuse_ino_t number)
{
	struct request request = filesystem_request(req, number, "readlink", serve_readlink);

	request_run(&request);
}

static void list_from(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset, bool plus)
{
	struct request request = filesystem_request(req, number, "readdir", serve_list);

	request.size = size;
	request.offset = offset;
	request.plus = plus;
	request_run(&request);
}

static void handle_readdir(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                           struct fuse_file_info *file)
{
	(void)file;
	list_from(req, number, size, offset, false);
}

static void handle_readdirplus(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                               struct fuse_file_info *file)
{
	(void)file;
	list_from(req, number, size, offset, true);
}

/*
 * Answered like this once, the kernel opens, flushes and closes files and directories by itself,
 * for good, and keeps their pages and listings. Extended attributes that are not wanted are refused
 * with the same error, lest they be asked for again. No other operation may ever get it.
 */
static void handle_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
	(void)number;
	(void)file;
	fuse_reply_err(req, ENOSYS);
}

static void handle_lseek(fuse_req_t req, fuse_ino_t number, off_t offset, int whence,
                         struct fuse_file_info *file)
{
	struct request request = filesystem_request(req, number, "lseek", serve_lseek);

	(void)file;
	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	request.offset = offset;
	request.seeks_hole = whence == SEEK_HOLE;
	request_run(&request);
}

/* Like any regular file: always ready. */
static void handle_poll(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file,
                        struct fuse_pollhandle *handle)
{
	(void)number;
	(void)file;
	if (handle)
		fuse_pollhandle_destroy(handle);
	fuse_reply_poll(req, POLLIN | POLLRDNORM);
}

/* There is nothing to be written, so it has been. */
static void handle_fsync(fuse_req_t req, fuse_ino_t number, int is_data,
                         struct fuse_file_info *file)
{
	(void)number;
	(void)is_data;
	(void)file;
	fuse_reply_err(req, 0);
}

static void handle_getxattr(fuse_req_t req, fuse_ino_t number, const char *name, size_t size)
{
	struct request request = filesystem_request(req, number, "getxattr", serve_getxattr);
	const struct filesystem *filesystem = request.context;

	if (!filesystem->settings.xattr) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	request.name = name;
	request.size = size;
	request_run(&request);
}

static void handle_listxattr(fuse_req_t req, fuse_ino_t number, size_t size)
{
	struct request request = filesystem_request(req, number, "listxattr", serve_listxattr);
	const struct filesystem *filesystem = request.context;

	if (!filesystem->settings.xattr) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	request.size = size;
	request_run(&request);
}

/* Numbers are arithmetic: there is nothing to forget. */
static void handle_forget(fuse_req_t req, fuse_ino_t number, uint64_t lookups)
{
	(void)number;
	(void)lookups;
	fuse_reply_none(req);
}

static void handle_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

static void handle_init(void *userdata, struct fuse_conn_info *connection)
{
	struct channel *channel = userdata;
	struct filesystem *filesystem = channel->userdata;

	connection->want |=
	        connection->capable &
	        (FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
	         FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_NO_OPEN_SUPPORT |
	         FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_IOCTL_DIR);
	filesystem->ready(filesystem->userdata);
}

const struct fuse_lowlevel_ops *filesystem_operations(void)
{
	static const struct fuse_lowlevel_ops operations = {
		.init = handle_init,
		.lookup = handle_lookup,
		.forget = handle_forget,
		.forget_multi = handle_forget_multi,
		.getattr = handle_getattr,
		.readlink = handle_readlink,
		.open = handle_open,
		.read = handle_read,
		.flush = handle_open,
		.fsync = handle_fsync,
		.opendir = handle_open,
		.readdir = handle_readdir,
		.fsyncdir = handle_fsync,
		.getxattr = handle_getxattr,
		.listxattr = handle_listxattr,
		.ioctl = handle_ioctl,
		.poll = handle_poll,
		.readdirplus = handle_readdirplus,
		.lseek = handle_lseek,
	};

	return &operations;
}

/* Life cycle */

static void kernel_told(void *userdata)
{
	struct filesystem *filesystem = userdata;

	requests_wake(filesystem->requests);
}

int filesystem_new(uv_loop_t *loop, struct tree *tree, struct catalog *catalog,
                   struct notifier *notifier, const struct filesystem_settings *settings,
                   filesystem_ready_fn *ready, void *userdata, struct filesystem **ret)
{
	cleanup(filesystem_freep) struct filesystem *filesystem = NULL;
	int r;

	filesystem = calloc(1, sizeof(*filesystem));
	if (!filesystem)
		return -ENOMEM;

	filesystem->tree = tree;
	filesystem->catalog = catalog;
	filesystem->notifier = notifier;
	filesystem->settings = *settings;
	filesystem->ready = ready;
	filesystem->userdata = userdata;
	r = requests_new(loop, catalog, catalog_timeout_ms(catalog) + OVERDUE_AFTER_MS,
	                 &filesystem->requests);
	if (r)
		return r;

	notifier_on_told(notifier, kernel_told, filesystem);
	*ret = steal(&filesystem);
	return 0;
}

void filesystem_add_metrics(struct filesystem *filesystem, struct metrics *metrics)
{
	requests_add_metrics(filesystem->requests, metrics);
}

void filesystem_free(struct filesystem *filesystem)
{
	if (!filesystem)
		return;

	requests_free(filesystem->requests);
	free(filesystem->listing);
	free(filesystem);
}

void filesystem_fail_waiting(struct filesystem *filesystem, int error)
{
	requests_fail_waiting(filesystem->requests, error);
}

size_t filesystem_list_waiting(const struct filesystem *filesystem, struct request_waiting *ret,
                               size_t max)
{
	return requests_list_waiting(filesystem->requests, ret, max);
}
