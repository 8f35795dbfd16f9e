#pragma once
/* SPDX-License-Identifier: MIT */
/* What is in the folders; see folder.h, whose functions these are the parts of. */

#include "kapturefs/base/base.h"
#include "kapturefs/fs/folder.h"

/** The name of the only file in `export`. */
#define EXPORT_FILE "customers.ndjson"

int export_lookup(struct tree *tree, const char *name, struct tree_attributes *ret) must_check;

/** Returns 0, or -ESTALE for a text that is not held any more. */
int export_stat(struct tree *tree, struct node node, struct tree_attributes *ret) must_check;
int export_read(struct tree *tree, struct node node, uint64_t offset, size_t size,
                struct tree_bytes *ret) must_check;

/** `search`: the directory of those that match @words, made now or before. */
int search_lookup_words(struct tree *tree, const char *words,
                        struct tree_attributes *ret) must_check;

/** A NODE_SEARCH: its own, what is in it, and the links in it. */
int search_stat(struct tree *tree, struct node node, struct tree_attributes *ret) must_check;
int search_lookup(struct tree *tree, struct node node, const char *name,
                  struct tree_attributes *ret) must_check;
int search_list(struct tree *tree, struct node node, size_t place, folder_entry_fn *emit,
                void *userdata) must_check;
int search_stat_link(struct tree *tree, struct node node, struct tree_attributes *ret) must_check;
int search_readlink(struct tree *tree, struct node node, struct tree_bytes *ret) must_check;
