#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a file system: what its files share, and nobody else uses. */

#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/readahead.h"
#include "kapturefs/fs/request.h"

/*
 * Which values somebody was told of by their names just now. Opening a file is several requests of
 * the kernel: the look-up of its name, and of its attributes, to see who may, and for fstat(2).
 * These are to be of what the first has found, or nobody could open what changes with each answer.
 */
struct openings {
	struct {
		uint64_t number;
		uint64_t since_ms;
	} all[1024]; /* by the hash of the number; the later takes the place */
};

struct filesystem {
	struct tree *tree;
	struct catalog *catalog;
	struct requests *requests;
	struct notifier *notifier;
	struct readahead readahead;
	struct openings openings;
	struct filesystem_settings settings;
	filesystem_ready_fn *ready;
	void *userdata;
	char *listing; /* scratch memory for readdir replies */
	size_t listing_size;
};

/* How each operation is served, for request_run(). */
int serve_lookup(struct request *request) must_check;
int serve_getattr(struct request *request) must_check;
int serve_read(struct request *request) must_check;
int serve_readlink(struct request *request) must_check;
int serve_list(struct request *request) must_check;
int serve_lseek(struct request *request) must_check;
int serve_getxattr(struct request *request) must_check;
int serve_listxattr(struct request *request) must_check;

/** A request that has just come, for its handler to complete and run. */
struct request filesystem_request(fuse_req_t req, fuse_ino_t number, const char *operation,
                                  request_serve_fn *serve);

/** The reply to @request must wait until the kernel has been told @what. */
void filesystem_tell(struct request *request, struct notification what);

/**
 * Whether the kernel has been told what @request waits for, if anything. Returns 0,
 * REQUEST_SETTLING, or -ETIMEDOUT when it takes too long.
 */
int filesystem_told(const struct request *request) must_check;

/* filesystem_order.c */
int serve_refresh(struct request *request) must_check;
int serve_forget(struct request *request) must_check;
int serve_peek(struct request *request) must_check;
int serve_why(struct request *request) must_check;
void handle_ioctl(fuse_req_t req, fuse_ino_t number, unsigned int command, void *argument,
                  struct fuse_file_info *file, unsigned flags, const void *in, size_t in_size,
                  size_t out_size);
