#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The files of .kapturefs/: the daemon's own state, always live.
 *
 * Each look at a name takes a snapshot, and the snapshot is the file: it has a number of its own,
 * never changes, and has an exact size. So whoever has found the file reads all of it
 * and nothing newer, however long that takes, and whoever looks again finds another file.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct control;

/** Append what the file holds now. Errors as buffer_append(). */
typedef int control_print_fn(void *userdata, struct buffer *text);

enum {
	CONTROL_FILES_MAX = 16,
	/* So many snapshots of a file are kept; who is slower than so many others gets ESTALE. */
	CONTROL_SNAPSHOTS = 16,
};

/** One look at a file. */
struct control_snapshot {
	uint32_t file;       /* its place, from 0 */
	uint32_t generation; /* which look it was; at most NODE_ORDINAL_MAX, then from 0 again */
	int64_t taken_ms;    /* Unix time */
	const char *data; /* borrowed until the file has been looked at CONTROL_SNAPSHOTS times */
	size_t length;
};

/** Begin without files. Returns 0 or -ENOMEM. */
int control_new(struct control **ret) must_check;
void control_free(struct control *control);
define_cleanup(struct control *, control_free);

/** Add the file @name, static memory; at most CONTROL_FILES_MAX. */
void control_add(struct control *control, const char *name, control_print_fn *print,
                 void *userdata);

/** The name of the file at @place, or NULL beyond the last. */
const char *control_name(const struct control *control, uint32_t place);

/** Take a snapshot of the file @name at @now_ms. Returns 0, -ENOENT, or what printing returned. */
int control_look(struct control *control, const char *name, int64_t now_ms,
                 struct control_snapshot *ret) must_check;

/** An earlier snapshot. Returns 0, or -ESTALE if it is not kept any more. */
int control_recall(const struct control *control, uint32_t file, uint32_t generation,
                   struct control_snapshot *ret) must_check;
