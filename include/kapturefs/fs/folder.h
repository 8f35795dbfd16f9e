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
	FOLDER_SEARCH,
	FOLDERS,
};

const char *folder_name(enum folder folder);

/** Find the folder with @name: a node, or one with slot 0. */
struct node folder_find(const char *name);

/** The file that shows the text of @generation; see catalog_export(). */
struct node folder_export_node(uint32_t generation);

/** Whether @node is a folder, or in one. */
bool folder_has(struct node node);

/*
 * For such nodes, as the functions of tree without `folder_`, but never TREE_MISSING.
 */
int folder_lookup(struct tree *tree, struct node node, const char *name,
                  struct tree_attributes *ret) must_check;
int folder_stat(struct tree *tree, struct node node, struct tree_attributes *ret) must_check;
int folder_read(struct tree *tree, struct node node, uint64_t offset, size_t size,
                struct tree_bytes *ret) must_check;

int folder_readlink(struct tree *tree, struct node node, struct tree_bytes *ret) must_check;

/** Take the entry at @place, from 0 on; false when there is no more room. */
typedef bool folder_entry_fn(void *userdata, const char *name,
                             const struct tree_attributes *attributes, size_t place);

/** Hand the entries from @place on to @emit. Returns as tree_list(). */
int folder_list(struct tree *tree, struct node node, size_t place, folder_entry_fn *emit,
                void *userdata) must_check;

/** What is known of searches. Returns 0 or -ENOMEM; NULL is ignored. */
struct searches;
int searches_new(struct searches **ret) must_check;
void searches_free(struct searches *searches);
