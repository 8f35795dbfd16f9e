#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The directories of the root that show all known customers at once, each in its own way, and what
 * is in them. None of it asks the API.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/model/node.h"

enum folder {
	FOLDER_EXPORT,
	FOLDERS,
};

const char *folder_name(enum folder folder);

/** Find the folder with @name: a node, or one with slot 0. */
struct node folder_find(const char *name);

/** Whether nodes of @kind are folders, or in one. */
bool folder_has(enum node_kind kind);

/*
 * For such nodes, as the functions of tree without `folder_`, but never TREE_MISSING.
 */
int folder_lookup(struct tree *tree, struct node node, const char *name,
                  struct tree_attributes *ret) must_check;
int folder_stat(struct tree *tree, struct node node, struct tree_attributes *ret) must_check;
int folder_read(struct tree *tree, struct node node, uint64_t offset, size_t size,
                struct tree_bytes *ret) must_check;

/** The name of the only entry of the folder; NULL for none. */
const char *folder_entry(struct node node, struct tree_attributes *ret);
