#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a tree: what tree, tree_list and tree_read share, and nobody else uses. */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/control.h"
#include "kapturefs/fs/superseded.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/model/node.h"
#include "kapturefs/store/catalog.h"

#define CONTROL_DIRECTORY ".kapturefs"

/* What never changes while mounted may be taken for granted for a day. */
#define VALID_FOREVER_MS (UINT64_C(86400) * 1000)

struct tree {
	struct catalog *catalog;
	struct control *control;
	struct superseded *superseded;
	struct searches *searches;
	int64_t started_ms;
};

/** As node_unpack(), and false too for the keys of no kind. */
static inline bool tree_unpack(uint64_t number, struct node *ret)
{
	return node_unpack(number, ret) && (ret->kind != NODE_KEYS || ret->slot <= KEY_LISTINGS);
}

/** The kind of key of a NODE_KEYS. */
static inline enum key_kind tree_keys_kind(struct node node)
{
	return (enum key_kind)(node.slot - 1);
}

/** Whether there is a by-date: the API can only be asked for a day of a known account. */
bool tree_has_days(const struct tree *tree);

/** How long it takes until the day of the date @key has begun somewhere; not above 0 if it has. */
int64_t tree_day_starts_in_ms(const struct tree *tree, const struct key *key);

/* The questions of tree.h about by-date, a NODE_DAY, and the links in it, which are its places. */
int tree_lookup_day(struct tree *tree, struct tree_query *query, const char *name,
                    struct tree_attributes *ret) must_check;
int tree_lookup_in_day(struct tree *tree, struct tree_query *query, struct node node,
                       const char *name, struct tree_attributes *ret) must_check;
int tree_stat_day(struct tree *tree, struct tree_query *query, struct node node,
                  struct tree_attributes *ret) must_check;
int tree_readlink_day(struct tree *tree, struct node node, struct tree_bytes *ret) must_check;

/** The day with @slot, as tree_find(), but never -ENOENT. */
int tree_find_day(struct tree *tree, struct tree_query *query, uint32_t slot, bool of_any_age,
                  struct catalog_day *ret) must_check;

/** The day with @slot as known now, however old. Returns 0, -ESTALE or another negative errno. */
int tree_day_now(struct tree *tree, uint32_t slot, struct catalog_day *ret) must_check;

/** The attributes of the link at @place. Returns 0, or -ESTALE if there is none (any more). */
int tree_fill_day_link(const struct catalog_day *day, uint32_t place,
                       struct tree_attributes *ret) must_check;

/** There is no such entry, which holds for @valid_ms. Returns -ENOENT. */
int tree_absent_for(uint64_t valid_ms, struct tree_attributes *ret) must_check;

/** The attributes of the root, a NODE_KEYS, the control directory or a NODE_FOLDER. */
void tree_fill_top(const struct tree *tree, struct node node, struct tree_attributes *ret);

/** The attributes of the marker at @place, which there must be. */
void tree_fill_marker(uint32_t place, struct tree_attributes *ret);

/**
 * The entry of @node, of a key's slot, or TREE_MISSING; -ENOENT if nobody has that key any more,
 * -ESTALE if another customer has it, under another slot.
 */
int tree_find(struct tree *tree, struct tree_query *query, struct node node, bool of_any_age,
              struct catalog_entry *ret) must_check;

/**
 * The entry of a node of a key's or a customer's slot, as known now, however old; of the latter
 * without its key. Returns 0, -ESTALE or another negative errno.
 */
int tree_entry_now(struct tree *tree, struct node node, struct catalog_entry *ret) must_check;

/** The same, of a customer's slot with its id for a key. */
int tree_whole_entry_now(struct tree *tree, const struct tree_query *query, struct node node,
                         struct catalog_entry *ret) must_check;

/** Whether nodes of @kind are of a customer's slot, not of a key's. */
bool tree_is_of_customer(enum node_kind kind);

/** Bytes of its own, as printf() makes them. Returns 0 or -ENOMEM. */
int tree_bytes_print(struct tree_bytes *ret, const char *format, ...) must_check
        __attribute__((format(printf, 2, 3)));

/** The key with @slot, or the customer, as tree_entry_now(). */
int tree_key_now(struct tree *tree, uint32_t slot, struct cache_key *ret) must_check;
int tree_customer_now(struct tree *tree, uint32_t slot, struct cache_customer *ret) must_check;

/** The id of a customer as a key. Returns 0, or -EIO for what can be no id. */
int tree_id_key(const struct record *record, struct key *ret) must_check;

/** Whether nodes of @kind show versions of a value. */
bool tree_has_versions(enum node_kind kind);

/**
 * The attributes of @node, one with versions, if the version was replaced and is still shown to
 * whoever asks; false if not.
 */
bool tree_stat_replaced(struct tree *tree, const struct tree_query *query, const struct node *node,
                        bool by_descriptor, struct tree_attributes *ret);

/** The snapshot behind a NODE_CONTROL_FILE. Returns 0 or -ESTALE. */
int tree_recall(const struct tree *tree, struct node node, struct control_snapshot *ret) must_check;
