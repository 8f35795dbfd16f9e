/* SPDX-License-Identifier: MIT */
/*
 * The life of a request:
 *
 *   running   it lives on the stack of its handler and asks the tree
 *   waiting   a copy on the heap holds a ticket for the key that it lacks
 *   replied   gone: each path ends in request_end()
 *
 * A waiting request whose caller was interrupted is looked at again and again
 * until the caller has a fatal signal pending, because the kernel tells
 * of the first interruption only, and breaking a call for any signal would break programs that use timers.
 */

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/base/list.h"
#include "kapturefs/base/log.h"
#include "kapturefs/fs/caller.h"
#include "kapturefs/fs/channel.h"
#include "kapturefs/fs/filesystem.h"

enum {
	INTERRUPT_LOOK_MS = 10,
	/* A caller whose state cannot be seen, in another process namespace say, is let go after this. */
	INTERRUPT_GRACE_MS = 2000,
	FILE_PERMISSIONS = 0444,
	DIRECTORY_PERMISSIONS = 0555,
	LINK_PERMISSIONS = 0777,
	BLOCK_SIZE = 512,
};

struct filesystem {
	uv_loop_t *loop;
	struct tree *tree;
	struct catalog *catalog;
	struct filesystem_settings settings;
	filesystem_ready_fn *ready;
	void *userdata;
	struct list waiting;
	struct list interrupted; /* those of the waiting whose caller was interrupted */
	uv_timer_t interrupt_timer;
	char *listing; /* scratch memory for readdir replies */
	size_t listing_size;
};

struct request {
	struct filesystem *filesystem;
	fuse_req_t req;
	const char *operation; /* for the log */
	int (*serve)(
	        struct request
	                *request); /* replies and returns 0, or returns TREE_MISSING or an error */
	uint64_t number;
	const char *name;
	size_t size;
	off_t offset;
	bool plus;
	struct tree_query query;
};

struct waiting {
	struct request request;
	struct list link;
	struct list interrupted;
	uint64_t interrupted_ms; /* of the loop's clock */
	struct catalog_ticket *ticket;
	char name[];
};

static void request_run(struct request *request);

/* Waiting */

static void waiting_free(struct waiting *waiting)
{
	list_remove(&waiting->link);
	list_remove(&waiting->interrupted);
	catalog_cancel(waiting->ticket);
	free(waiting);
}

static void waiting_answered(void *userdata, const struct catalog_result *result)
{
	struct waiting *waiting = userdata;

	waiting->ticket = NULL;
	waiting->request.query.question.waited = true;
	waiting->request.query.question.result = *result;
	fuse_req_interrupt_func(waiting->request.req, NULL, NULL);
	request_run(&waiting->request);
	waiting_free(waiting);
}

static void waiting_fail(struct waiting *waiting, int error)
{
	fuse_reply_err(waiting->request.req, -error);
	waiting_free(waiting);
}

static void look_at_interrupted(uv_timer_t *timer)
{
	struct filesystem *filesystem = container_of(timer, struct filesystem, interrupt_timer);
	uint64_t now_ms = uv_now(filesystem->loop);
	struct list *next;

	for (struct list *link = filesystem->interrupted.next; link != &filesystem->interrupted;
	     link = next) {
		struct waiting *waiting = container_of(link, struct waiting, interrupted);
		enum caller_state state = caller_state(fuse_req_ctx(waiting->request.req)->pid);
		bool grace_over = now_ms - waiting->interrupted_ms >= INTERRUPT_GRACE_MS;

		next = link->next;
		if (state == CALLER_DYING || (state == CALLER_UNKNOWN && grace_over))
			waiting_fail(waiting, -EINTR);
	}
	if (list_is_empty(&filesystem->interrupted))
		uv_timer_stop(timer);
}

/* May run inside fuse_req_interrupt_func(), so it only makes a note. */
static void waiting_interrupted(fuse_req_t req, void *userdata)
{
	struct waiting *waiting = userdata;
	struct filesystem *filesystem = waiting->request.filesystem;

	(void)req;
	waiting->interrupted_ms = uv_now(filesystem->loop);
	list_remove(&waiting->interrupted);
	list_insert_before(&filesystem->interrupted, &waiting->interrupted);
	uv_timer_start(&filesystem->interrupt_timer, look_at_interrupted, 0, INTERRUPT_LOOK_MS);
}

/* Copy the request to the heap and want the key that it lacks. */
static int request_wait(const struct request *request)
{
	struct filesystem *filesystem = request->filesystem;
	size_t name_size = request->name ? strlen(request->name) + 1 : 0;
	struct waiting *waiting;
	int r;

	waiting = calloc(1, sizeof(*waiting) + name_size);
	if (!waiting)
		return -ENOMEM;

	waiting->request = *request;
	if (request->name)
		waiting->request.name = memcpy(waiting->name, request->name, name_size);
	list_init(&waiting->link);
	list_init(&waiting->interrupted);
	r = catalog_want(filesystem->catalog, &request->query.wanted, waiting_answered, waiting,
	                 &waiting->ticket);
	if (r) {
		free(waiting);
		return r;
	}

	list_insert_before(&filesystem->waiting, &waiting->link);
	fuse_req_interrupt_func(request->req, waiting_interrupted, waiting);
	return 0;
}

/* The only place that knows that waiting exists. */
static void request_run(struct request *request)
{
	int r = request->serve(request);

	if (r == TREE_MISSING)
		r = request_wait(request);
	if (r >= 0)
		return;

	log_debug("filesystem: %s failed node=%#llx error=%s", request->operation,
	          (unsigned long long)request->number, strerrorname_np(-r));
	fuse_reply_err(request->req, -r);
}

static struct request request_new(fuse_req_t req, fuse_ino_t number, const char *operation,
                                  int (*serve)(struct request *request))
{
	struct filesystem *filesystem = channel_userdata(req);

	return (struct request){
		.filesystem = filesystem,
		.req = req,
		.operation = operation,
		.serve = serve,
		.number = number,
		.query.question.asked_ms = catalog_now_ms(filesystem->catalog),
	};
}

/* Serving */

static struct timespec to_timespec(int64_t time_ms)
{
	return (struct timespec){ .tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000 };
}

static mode_t permissions(const struct filesystem *filesystem, mode_t type)
{
	if (type == S_IFLNK)
		return LINK_PERMISSIONS;
	return (type == S_IFDIR ? DIRECTORY_PERMISSIONS : FILE_PERMISSIONS) &
	       ~filesystem->settings.umask;
}

static struct stat to_stat(const struct filesystem *filesystem,
                           const struct tree_attributes *attributes)
{
	struct timespec changed = to_timespec(attributes->changed_ms);

	return (struct stat){
		.st_ino = attributes->number,
		.st_mode = attributes->type | permissions(filesystem, attributes->type),
		.st_nlink = attributes->links,
		.st_uid = filesystem->settings.uid,
		.st_gid = filesystem->settings.gid,
		.st_size = (off_t)attributes->size,
		.st_blocks = (blkcnt_t)((attributes->size + BLOCK_SIZE - 1) / BLOCK_SIZE),
		.st_atim = changed,
		.st_mtim = changed,
		.st_ctim = changed,
	};
}

static struct fuse_entry_param to_entry(const struct filesystem *filesystem,
                                        const struct tree_attributes *attributes)
{
	double valid = (double)attributes->valid_ms / 1000;

	return (struct fuse_entry_param){
		.ino = attributes->number,
		.attr = to_stat(filesystem, attributes),
		.attr_timeout = valid,
		.entry_timeout = valid,
	};
}

static int serve_lookup(struct request *request)
{
	struct tree_attributes attributes;
	struct fuse_entry_param entry;
	int r;

	r = tree_lookup(request->filesystem->tree, &request->query, request->number, request->name,
	                &attributes);
	if (r == -ENOENT && attributes.valid_ms > 0) {
		/* An entry without a number: the kernel remembers that there is nothing. */
		entry = (struct fuse_entry_param){
			.entry_timeout = (double)attributes.valid_ms / 1000,
		};
		fuse_reply_entry(request->req, &entry);
		return 0;
	}
	if (r)
		return r;

	entry = to_entry(request->filesystem, &attributes);
	fuse_reply_entry(request->req, &entry);
	return 0;
}

static int serve_getattr(struct request *request)
{
	struct tree_attributes attributes;
	struct stat status;
	int r;

	r = tree_stat(request->filesystem->tree, &request->query, request->number, &attributes);
	if (r)
		return r;

	status = to_stat(request->filesystem, &attributes);
	fuse_reply_attr(request->req, &status, (double)attributes.valid_ms / 1000);
	return 0;
}

static int serve_read(struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	size_t offset = (size_t)request->offset;
	size_t left;
	int r;

	r = tree_read(request->filesystem->tree, &request->query, request->number, &bytes);
	if (r)
		return r;

	left = offset < bytes.length ? bytes.length - offset : 0;
	fuse_reply_buf(request->req, left ? bytes.data + offset : NULL,
	               left < request->size ? left : request->size);
	return 0;
}

static int serve_readlink(struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	char target[PATH_MAX];
	int r;

	r = tree_readlink(request->filesystem->tree, &request->query, request->number, &bytes);
	if (r)
		return r;
	if (bytes.length >= sizeof(target))
		return -ENAMETOOLONG;

	memcpy(target, bytes.data, bytes.length);
	target[bytes.length] = '\0';
	fuse_reply_readlink(request->req, target);
	return 0;
}

/* A readdir reply that is being filled. */
struct reply_listing {
	const struct request *request;
	char *bytes;
	size_t length;
};

static bool add_entry(void *userdata, const char *name, const struct tree_attributes *attributes,
                      bool is_whole, uint64_t cookie)
{
	struct reply_listing *listing = userdata;
	const struct request *request = listing->request;
	struct fuse_entry_param entry = to_entry(request->filesystem, attributes);
	size_t room = request->size - listing->length;
	char *place = listing->bytes + listing->length;
	size_t needed;

	/* Without a number the kernel lists the entry and makes no node of it. */
	if (!is_whole)
		entry.ino = 0;
	needed = request->plus ? fuse_add_direntry_plus(request->req, place, room, name, &entry,
	                                                (off_t)cookie)
	                       : fuse_add_direntry(request->req, place, room, name, &entry.attr,
	                                           (off_t)cookie);
	if (needed > room)
		return false;

	listing->length += needed;
	return true;
}

static int reserve_listing(struct filesystem *filesystem, size_t size)
{
	char *bytes;

	if (size <= filesystem->listing_size)
		return 0;
	bytes = realloc(filesystem->listing, size);
	if (!bytes)
		return -ENOMEM;

	filesystem->listing = bytes;
	filesystem->listing_size = size;
	return 0;
}

static int serve_list(struct request *request)
{
	struct filesystem *filesystem = request->filesystem;
	struct reply_listing listing = { .request = request };
	int r;

	r = reserve_listing(filesystem, request->size);
	if (r)
		return r;
	listing.bytes = filesystem->listing;
	r = tree_list(filesystem->tree, &request->query, request->number, (uint64_t)request->offset,
	              add_entry, &listing);
	if (r)
		return r;

	fuse_reply_buf(request->req, listing.bytes, listing.length);
	return 0;
}

/* Handlers */

static void handle_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct request request = request_new(req, parent, "lookup", serve_lookup);

	request.name = name;
	request_run(&request);
}

static void handle_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
	struct request request = request_new(req, number, "getattr", serve_getattr);

	(void)file;
	request_run(&request);
}

static void handle_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                        struct fuse_file_info *file)
{
	struct request request = request_new(req, number, "read", serve_read);

	(void)file;
	request.size = size;
	request.offset = offset;
	request_run(&request);
}

static void handle_readlink(fuse_req_t req, fuse_ino_t number)
{
	struct request request = request_new(req, number, "readlink", serve_readlink);

	request_run(&request);
}

static void list_from(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset, bool plus)
{
	struct request request = request_new(req, number, "readdir", serve_list);

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

/* Answered like this once, the kernel opens files and directories by itself, for good, and keeps their pages and listings. */
static void handle_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file)
{
	(void)number;
	(void)file;
	fuse_reply_err(req, ENOSYS);
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
	         FUSE_CAP_NO_OPENDIR_SUPPORT);
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
		.opendir = handle_open,
		.readdir = handle_readdir,
		.readdirplus = handle_readdirplus,
	};

	return &operations;
}

/* Life cycle */

int filesystem_new(uv_loop_t *loop, struct tree *tree, struct catalog *catalog,
                   const struct filesystem_settings *settings, filesystem_ready_fn *ready,
                   void *userdata, struct filesystem **ret)
{
	struct filesystem *filesystem;

	filesystem = calloc(1, sizeof(*filesystem));
	if (!filesystem)
		return -ENOMEM;

	filesystem->loop = loop;
	filesystem->tree = tree;
	filesystem->catalog = catalog;
	filesystem->settings = *settings;
	filesystem->ready = ready;
	filesystem->userdata = userdata;
	list_init(&filesystem->waiting);
	list_init(&filesystem->interrupted);
	uv_timer_init(loop, &filesystem->interrupt_timer);
	*ret = filesystem;
	return 0;
}

static void filesystem_closed(uv_handle_t *handle)
{
	struct filesystem *filesystem = container_of(handle, struct filesystem, interrupt_timer);

	free(filesystem->listing);
	free(filesystem);
}

void filesystem_free(struct filesystem *filesystem)
{
	if (!filesystem)
		return;

	assert(list_is_empty(&filesystem->waiting));
	uv_close((uv_handle_t *)&filesystem->interrupt_timer, filesystem_closed);
}

void filesystem_fail_waiting(struct filesystem *filesystem, int error)
{
	while (!list_is_empty(&filesystem->waiting))
		waiting_fail(container_of(filesystem->waiting.next, struct waiting, link), error);
}
