#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The tree of the mount: what a node is, what it contains, what its bytes are.
 *
 * Everything here looks at what is known now and starts nothing. What a function cannot answer
 * without asking the API is TREE_MISSING, and the query then names the key that it lacks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/control.h"
#include "kapturefs/fs/view.h"
#include "kapturefs/store/catalog.h"

struct tree;

/** How long opening a file takes, at most; far below the second in which changes are seen. */
enum { TREE_OPENING_MS = 200 };

/** One question, asked as often as it takes. */
struct tree_query {
	struct catalog_question question;
	bool is_opening; /* of a stat: the node was looked up no longer than TREE_OPENING_MS ago */
	struct key wanted; /* of TREE_MISSING */
};

/** The outcome of a question that only the API can answer, and of one that takes a moment. */
enum { TREE_MISSING = 1, TREE_BUSY = 2 };

/** The content of a file or link, or a stretch of it, kept alive by what it owns. */
struct tree_bytes {
	const char *data;
	size_t length;
	uint64_t start;        /* where in the content it begins */
	struct record *record; /* owned reference, or NULL */
	char *memory;          /* owned, or NULL */
};

void tree_bytes_fini(struct tree_bytes *bytes);

/**
 * Take one entry of a listing; false when there is no more room for it. With number 0 in
 * @attributes nothing but the entry's name and type is told. @cookie continues after it.
 */
typedef bool tree_emit_fn(void *userdata, const char *name,
                          const struct tree_attributes *attributes, bool is_whole, uint64_t cookie);

/** Begin; @catalog and @control outlive the tree. Returns 0 or -ENOMEM. */
int tree_new(struct catalog *catalog, struct control *control, struct tree **ret) must_check;
void tree_free(struct tree *tree);
define_cleanup(struct tree *, tree_free);

/**
 * Tell the tree of an answer that changed something, before anybody who waited for it asks
 * again.
 */
void tree_answer_changed(struct tree *tree, const struct cache_change *change);

/** Whether a value that was replaced is kept, for whoever reads it; see cache_on_shown(). */
bool tree_keeps(const struct tree *tree, uint32_t customer, uint32_t ordinal, uint16_t version);

/*
 * All of these return 0, TREE_MISSING, or a negative errno: -ENOENT, -ESTALE for a node whose key
 * or customer is gone, or whose value was replaced, -ENOTDIR, -EISDIR, -EINVAL, and what
 * catalog_find() returns.
 */

/**
 * The entry @name of the directory @number. With -ENOENT, ret->valid_ms tells how long that
 * holds, 0 if it may change at any time.
 */
int tree_lookup(struct tree *tree, struct tree_query *query, uint64_t number, const char *name,
                struct tree_attributes *ret) must_check;

/** With @by_descriptor for somebody who has it open, for whom a value stays what it was. */
int tree_stat(struct tree *tree, struct tree_query *query, uint64_t number, bool by_descriptor,
              struct tree_attributes *ret) must_check;

/**
 * Hand the entries of a directory after @cookie (0: from the start), `.` and `..` included, to
 * @emit until it has no room. From the start only, the key may be missing. TREE_BUSY: ask again in
 * a moment. Never -ENOENT, which the C libraries take for the end of an empty directory.
 */
int tree_list(struct tree *tree, struct tree_query *query, uint64_t number, uint64_t cookie,
              tree_emit_fn *emit, void *userdata) must_check;

/* What follows tells what is known, however old, and is never TREE_MISSING. */

/**
 * What a file holds, of a long one @size bytes from @offset on; *@ret to be ended by
 * tree_bytes_fini().
 */
int tree_read(struct tree *tree, uint64_t number, uint64_t offset, size_t size,
              struct tree_bytes *ret) must_check;

/** Where a link leads, as tree_read(). */
int tree_readlink(struct tree *tree, uint64_t number, struct tree_bytes *ret) must_check;

/**
 * The key of the customer that @path names, from the node @number; "" names the node's own.
 * Returns 0, -EISDIR if it names none, -ENOENT if nobody can have that key, or another of the
 * errnos above.
 */
int tree_key(struct tree *tree, uint64_t number, const char *path, struct key *ret) must_check;

/**
 * The value of the extended attribute @name of a node, as tree_read(); -ENODATA if it has none of
 * that name.
 */
int tree_attribute(struct tree *tree, struct tree_query *query, uint64_t number, const char *name,
                   struct tree_bytes *ret) must_check;

/** The names of all extended attributes of a node, each with its NUL, as tree_read(). */
int tree_attribute_names(struct tree *tree, struct tree_query *query, uint64_t number,
                         struct tree_bytes *ret) must_check;

/** The number of the directory that lists the keys of @kind. */
uint64_t tree_keys_number(enum key_kind kind);
