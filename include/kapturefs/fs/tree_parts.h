#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a tree: what tree and tree_list share, and nobody else uses. */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/control.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/model/node.h"
#include "kapturefs/store/catalog.h"

#define CONTROL_DIRECTORY ".kapturefs"

struct tree {
	struct catalog *catalog;
	struct control *control;
	int64_t started_ms;
};

/** The kind of key of a NODE_KEYS. */
static inline enum key_kind tree_keys_kind(struct node node)
{
	return (enum key_kind)(node.slot - 1);
}

/** How long an answer still is fresh. */
uint64_t tree_valid_ms(const struct tree *tree, const struct catalog_entry *entry);

/** The attributes of the root, a NODE_KEYS or the control directory. */
void tree_fill_top(const struct tree *tree, struct node node, struct tree_attributes *ret);

/**
 * The entry of a node of a key's or a customer's slot, as known now, however old; of the latter
 * without its key. Returns 0, -ESTALE or another negative errno.
 */
int tree_entry_now(struct tree *tree, const struct tree_query *query, struct node node,
                   struct catalog_entry *ret) must_check;
