/* SPDX-License-Identifier: MIT */
/* The part of filesystem that asks the tree, and makes replies of its answers. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/fs/filesystem_parts.h"
#include "kapturefs/model/node.h"

enum {
	FILE_PERMISSIONS = 0444,
	DIRECTORY_PERMISSIONS = 0555,
	LINK_PERMISSIONS = 0777,
	BLOCK_SIZE = 512,
	TELLING_MS_MAX = 1000,
	TICKS_MS = 2 * 10, /* at the 100 Hz of the slowest kernels */
};

static struct filesystem *filesystem_of(const struct request *request)
{
	return request->context;
}

/* Making replies */

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
		.st_ino = node_inode(attributes->number),
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

/* The kernel counts in ticks and rounds up, twice: what is fresh to it must be so to us. */
static double to_timeout(uint64_t valid_ms)
{
	return valid_ms > TICKS_MS ? (double)(valid_ms - TICKS_MS) / 1000 : 0;
}

static struct fuse_entry_param to_entry(const struct filesystem *filesystem,
                                        const struct tree_attributes *attributes)
{
	double valid = to_timeout(attributes->valid_ms);

	return (struct fuse_entry_param){
		.ino = attributes->number,
		.generation = attributes->generation,
		.attr = to_stat(filesystem, attributes),
		.attr_timeout = valid,
		.entry_timeout = attributes->is_fleeting ? 0 : valid,
	};
}

/* Serving */

void filesystem_tell(struct request *request, struct notification what)
{
	request->telling = (struct request_telling){ what, clock_ms() };
}

int filesystem_told(const struct request *request)
{
	const struct request_telling *telling = &request->telling;

	if (!telling->since_ms ||
	    notifier_has_told(filesystem_of(request)->notifier, telling->what))
		return 0;
	return clock_ms() - telling->since_ms < TELLING_MS_MAX ? REQUEST_SETTLING : -ETIMEDOUT;
}

static size_t place_of_opening(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15u >> 54;
}

static void note_opening(struct filesystem *filesystem, const struct tree_attributes *attributes)
{
	size_t place = place_of_opening(attributes->number);

	if (attributes->type != S_IFREG)
		return;
	filesystem->openings.all[place].number = attributes->number;
	filesystem->openings.all[place].since_ms = clock_ms();
}

static bool is_opening(const struct filesystem *filesystem, uint64_t number)
{
	size_t place = place_of_opening(number);

	return filesystem->openings.all[place].number == number &&
	       clock_ms() - filesystem->openings.all[place].since_ms < TREE_OPENING_MS;
}

int serve_lookup(struct request *request)
{
	struct tree_attributes attributes;
	struct fuse_entry_param entry;
	int r;

	r = tree_lookup(filesystem_of(request)->tree, &request->query, request->number,
	                request->name, &attributes);
	if (r == -ENOENT && attributes.valid_ms > TICKS_MS) {
		/* An entry without a number: the kernel remembers that there is nothing. */
		entry = (struct fuse_entry_param){
			.entry_timeout = to_timeout(attributes.valid_ms),
		};
		fuse_reply_entry(request->req, &entry);
		return 0;
	}
	if (r)
		return r;

	note_opening(filesystem_of(request), &attributes);
	entry = to_entry(filesystem_of(request), &attributes);
	fuse_reply_entry(request->req, &entry);
	return 0;
}

/*
 * The kernel asks for the attributes of a directory that has expired each time before it shows a
 * listing that it keeps: so it must not keep one by then. Whoever has waited for that once has
 * waited enough: what has been listed since was listed a moment ago.
 */
static int drop_listing(struct request *request, const struct tree_attributes *attributes)
{
	struct notification what;
	int r;

	if (!attributes->is_expired || request->telling.since_ms)
		return 0;
	r = notifier_drop_listing(filesystem_of(request)->notifier, request->number, &what);
	if (r || !what.drop)
		return r;
	filesystem_tell(request, what);
	return REQUEST_SETTLING;
}

int serve_getattr(struct request *request)
{
	struct tree_attributes attributes;
	struct stat status;
	int r;

	if (filesystem_told(request) == REQUEST_SETTLING)
		return REQUEST_SETTLING;
	if (!request->query.question.waited)
		request->query.is_opening = is_opening(filesystem_of(request), request->number);
	r = tree_stat(filesystem_of(request)->tree, &request->query, request->number,
	              request->by_descriptor, &attributes);
	if (!r)
		r = drop_listing(request, &attributes);
	if (r)
		return r;

	status = to_stat(filesystem_of(request), &attributes);
	fuse_reply_attr(request->req, &status, to_timeout(attributes.valid_ms));
	return 0;
}

/* The number under which readahead knows a directory of a customer's values, whatever the key. */
static uint64_t directory_number(uint32_t customer, uint32_t ordinal)
{
	return node_pack(node_of(NODE_FIELD, customer, ordinal));
}

/*
 * Push the values of the directory that holds the value @number, unless that has been done since
 * it was listed; returns whether it has not.
 */
static bool push_around(struct filesystem *filesystem, uint64_t number,
                        const struct tree_bytes *bytes)
{
	const struct member *member;
	struct node node;

	if (!node_unpack(number, &node) || node.kind != NODE_FIELD)
		return false;
	member = record_by_ordinal(bytes->record, node.ordinal);
	if (!readahead_is_first_read(
	            &filesystem->readahead,
	            directory_number(node.slot,
	                             record_member(bytes->record, member->parent)->ordinal)))
		return false;
	notifier_push(filesystem->notifier, node.slot, bytes->record, member->parent);
	return true;
}

/* Whoever reads the first value of a directory that has been listed reads the others next. */
static void read_ahead(struct filesystem *filesystem, uint64_t number,
                       const struct tree_bytes *bytes)
{
	if (push_around(filesystem, number, bytes))
		readahead_seen(&filesystem->readahead);
}

/* Whoever has read one directory after the other now reads this one. */
static void read_ahead_of_all(const struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	struct filesystem *filesystem = filesystem_of(request);
	uint64_t value = readahead_ended(&filesystem->readahead, request->number);

	if (value && tree_read(filesystem->tree, value, 0, 0, &bytes) == 0)
		(void)push_around(filesystem, value, &bytes);
}

int serve_read(struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	size_t offset = (size_t)request->offset;
	size_t left;
	int r;

	r = tree_read(filesystem_of(request)->tree, request->number, offset, request->size, &bytes);
	if (r)
		return r;

	offset -= bytes.start;
	left = offset < bytes.length ? bytes.length - offset : 0;
	fuse_reply_buf(request->req, left ? bytes.data + offset : NULL,
	               left < request->size ? left : request->size);
	read_ahead(filesystem_of(request), request->number, &bytes);
	return 0;
}

int serve_readlink(struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	char target[PATH_MAX];
	int r;

	r = tree_readlink(filesystem_of(request)->tree, request->number, &bytes);
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
	uint64_t value; /* the number of one that has been added */
};

static bool add_entry(void *userdata, const char *name, const struct tree_attributes *attributes,
                      bool is_whole, uint64_t cookie)
{
	struct reply_listing *listing = userdata;
	const struct request *request = listing->request;
	struct fuse_entry_param entry = to_entry(filesystem_of(request), attributes);
	size_t room = request->size - listing->length;
	char *place = listing->bytes + listing->length;
	struct node node;
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
	if (request->plus && is_whole && node_unpack(attributes->number, &node) &&
	    node.kind == NODE_FIELD)
		listing->value = attributes->number;
	return true;
}

static int reserve_listing(struct filesystem *filesystem, size_t size)
{
	char *bytes;

	/* A reply of no size has its place in memory, too. */
	if (size == 0)
		size = 1;
	if (size <= filesystem->listing_size)
		return 0;
	bytes = realloc(filesystem->listing, size);
	if (!bytes)
		return -ENOMEM;

	filesystem->listing = bytes;
	filesystem->listing_size = size;
	return 0;
}

static void note_listed(const struct request *request, uint64_t value)
{
	struct readahead *readahead = &filesystem_of(request)->readahead;
	struct node directory;
	struct node node;

	if (!node_unpack(request->number, &directory) || !node_unpack(value, &node))
		return;
	readahead_listed(readahead, directory_number(node.slot, directory.ordinal));
	readahead_listed_as(readahead, request->number, value);
}

/* What never expires is never dropped. */
static void note_kept(const struct request *request)
{
	struct node node;

	if (node_unpack(request->number, &node) &&
	    (node.kind == NODE_DIRECTORY || node.kind == NODE_DAY))
		notifier_listed(filesystem_of(request)->notifier, request->number);
}

int serve_list(struct request *request)
{
	struct filesystem *filesystem = filesystem_of(request);
	struct reply_listing listing = { .request = request };
	int r;

	r = reserve_listing(filesystem, request->size);
	if (r)
		return r;
	listing.bytes = filesystem->listing;
	r = tree_list(filesystem->tree, &request->query, request->number, (uint64_t)request->offset,
	              add_entry, &listing);
	if (r)
		return r == TREE_BUSY ? REQUEST_SETTLING : r;

	if (listing.length == 0)
		read_ahead_of_all(request);
	note_kept(request);
	fuse_reply_buf(request->req, listing.bytes, listing.length);
	if (listing.value)
		note_listed(request, listing.value);
	return 0;
}

/* A file without holes: data up to its end, and one hole there. */
int serve_lseek(struct request *request)
{
	struct tree_attributes attributes;
	int r;

	r = tree_stat(filesystem_of(request)->tree, &request->query, request->number, true,
	              &attributes);
	if (r)
		return r;
	if (request->offset < 0 || (uint64_t)request->offset >= attributes.size)
		return -ENXIO;

	fuse_reply_lseek(request->req,
	                 request->seeks_hole ? (off_t)attributes.size : request->offset);
	return 0;
}

/* A size of 0 asks how much there is. */
static int reply_attribute(const struct request *request, const struct tree_bytes *bytes)
{
	if (request->size == 0)
		fuse_reply_xattr(request->req, bytes->length);
	else if (request->size < bytes->length)
		return -ERANGE;
	else
		fuse_reply_buf(request->req, bytes->data, bytes->length);
	return 0;
}

int serve_getxattr(struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	int r;

	r = tree_attribute(filesystem_of(request)->tree, &request->query, request->number,
	                   request->name, &bytes);
	return r ? r : reply_attribute(request, &bytes);
}

int serve_listxattr(struct request *request)
{
	cleanup(tree_bytes_fini) struct tree_bytes bytes = { 0 };
	int r;

	r = tree_attribute_names(filesystem_of(request)->tree, &request->query, request->number,
	                         &bytes);
	return r ? r : reply_attribute(request, &bytes);
}
