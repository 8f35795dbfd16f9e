#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a file system: what filesystem and filesystem_serve share, and nobody else uses. */

#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/readahead.h"
#include "kapturefs/fs/request.h"

struct filesystem {
	struct tree *tree;
	struct requests *requests;
	struct notifier *notifier;
	struct readahead readahead;
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
