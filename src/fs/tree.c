/* SPDX-License-Identifier: MIT */
/*
 * Going into a customer takes a fresh answer: looking up a name below its directory, listing the
 * directory from the start, and asking for the attributes of a value. They find the node's key, and
 * may miss it. All else takes what is known, however old: the directories themselves are looked at
 * by whoever lists the keys, and whoever reads has just been told the size.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/fs/marker.h"
#include "kapturefs/fs/folder.h"
#include "kapturefs/fs/tree_parts.h"

/* Of the memory for parsed customers, which it is besides. */
enum { SUPERSEDED_PART = 4 };

int tree_new(struct catalog *catalog, struct control *control, struct tree **ret)
{
	cleanup(tree_freep) struct tree *tree = NULL;
	int r;

	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	r = superseded_new(catalog_memory_max(catalog) / SUPERSEDED_PART, &tree->superseded);
	if (!r)
		r = searches_new(&tree->searches);
	if (r)
		return r;

	tree->catalog = catalog;
	tree->control = control;
	tree->started_ms = catalog_now_ms(catalog);
	*ret = steal(&tree);
	return 0;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;

	superseded_free(tree->superseded);
	searches_free(tree->searches);
	free(tree);
}

void tree_bytes_fini(struct tree_bytes *bytes)
{
	record_unref(steal(&bytes->record));
	free(steal(&bytes->memory));
}

uint64_t tree_keys_number(enum key_kind kind)
{
	return node_pack(node_of(NODE_KEYS, (uint32_t)kind + 1, 0));
}

/* Finding what a node is about */

static int find_for(struct tree *tree, struct tree_query *query,
                    const struct catalog_question *question, const struct key *key,
                    struct catalog_entry *ret)
{
	int r = catalog_find(tree->catalog, key, question, ret);

	if (r == CATALOG_MISSING) {
		query->wanted = *key;
		return TREE_MISSING;
	}
	return r == CATALOG_ABSENT ? -ENOENT : r;
}

int tree_customer_now(struct tree *tree, uint32_t slot, struct cache_customer *ret)
{
	int r = catalog_customer(tree->catalog, slot, ret);

	return r == CATALOG_ABSENT ? -ESTALE : r;
}

int tree_key_now(struct tree *tree, uint32_t slot, struct cache_key *ret)
{
	int r = catalog_key(tree->catalog, slot, ret);

	return r == CATALOG_ABSENT ? -ESTALE : r;
}

/* Whether the node's attributes can be told without the customer's record. */
static bool is_brief(struct node node)
{
	const struct view *view = view_by_kind(node.kind);

	return view && !node.ordinal && view_is_brief(view, node.kind == view->link);
}

int tree_find(struct tree *tree, struct tree_query *query, struct node node, bool of_any_age,
              struct catalog_entry *ret)
{
	struct catalog_question question = query->question;
	struct cache_key key;
	int r;

	r = tree_key_now(tree, node.slot, &key);
	/* Who was evicted comes back with other numbers below. */
	if (r || (!key.customer && node.kind == NODE_DIRECTORY && node.ordinal))
		return r ? r : -ESTALE;
	question.of_any_age = of_any_age;
	question.is_brief = of_any_age && is_brief(node);
	r = find_for(tree, query, &question, &key.key, ret);
	if (r)
		return r;

	/* The key may lead to another customer by now, as another key. */
	if (ret->key.slot == node.slot)
		return 0;
	catalog_entry_fini(ret);
	return -ESTALE;
}

int tree_id_key(const struct record *record, struct key *ret)
{
	const char *id = record_id(record);

	return key_parse(KEY_ID, id, strlen(id), ret) ? -EIO : 0;
}

/* The entry, by its id, of a node that is numbered by its customer's slot. */
static int find_by_customer_slot(struct tree *tree, struct tree_query *query, uint32_t slot,
                                 struct catalog_entry *ret)
{
	struct cache_customer customer;
	struct key id;
	int r;

	r = tree_customer_now(tree, slot, &customer);
	if (r)
		return r;
	r = tree_id_key(customer.record, &id);
	record_unref(customer.record);
	if (r)
		return r;

	r = find_for(tree, query, &query->question, &id, ret);
	return r == -ENOENT ? -ESTALE : r;
}

/* Attributes */

void tree_fill_top(const struct tree *tree, struct node node, struct tree_attributes *ret)
{
	int64_t changed_ms = 0;

	if (node.kind == NODE_KEYS)
		changed_ms = catalog_listing_changed_ms(tree->catalog, tree_keys_kind(node));
	/* Whoever has listed the root without by-date must see that there is more to it. */
	else if (node.kind == NODE_ROOT)
		changed_ms = tree_has_days(tree);
	*ret = (struct tree_attributes){
		.number = node_pack(node),
		.type = S_IFDIR,
		.links = 1,
		.changed_ms = changed_ms,
		.valid_ms = VALID_FOREVER_MS,
	};
}

/* Looking up */

int tree_absent_for(uint64_t valid_ms, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){ .valid_ms = valid_ms };
	return -ENOENT;
}

void tree_fill_marker(uint32_t place, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_MARKER, place + 1, 0)),
		.type = S_IFREG,
		.links = 1,
		.size = strlen(marker_at(place)->content),
		.valid_ms = VALID_FOREVER_MS,
	};
}

static int lookup_in_root(const struct tree *tree, const char *name, struct tree_attributes *ret)
{
	struct node folder = folder_find(name);
	int marker;

	for (int kind = 0; kind < KEY_LISTINGS; kind++) {
		if (strcmp(name, key_kind_facts((enum key_kind)kind)->directory) == 0) {
			if (kind == KEY_DATE && !tree_has_days(tree))
				return tree_absent_for(0, ret);
			tree_fill_top(tree, node_of(NODE_KEYS, (uint32_t)kind + 1, 0), ret);
			return 0;
		}
	}
	if (strcmp(name, CONTROL_DIRECTORY) == 0) {
		tree_fill_top(tree, node_of(NODE_CONTROL, 1, 0), ret);
		return 0;
	}
	if (folder.slot) {
		tree_fill_top(tree, folder, ret);
		return 0;
	}
	marker = marker_find(name);
	if (marker < 0)
		return tree_absent_for(VALID_FOREVER_MS, ret);
	tree_fill_marker((uint32_t)marker, ret);
	return 0;
}

int tree_recall(const struct tree *tree, struct node node, struct control_snapshot *ret)
{
	return control_recall(tree->control, node.slot - 1, node.ordinal, ret);
}

static void fill_snapshot(const struct control_snapshot *snapshot, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(
		        node_of(NODE_CONTROL_FILE, snapshot->file + 1, snapshot->generation)),
		.type = S_IFREG,
		.links = 1,
		.size = snapshot->length,
		.changed_ms = snapshot->taken_ms,
	};
}

static int lookup_in_control(struct tree *tree, const char *name, struct tree_attributes *ret)
{
	struct control_snapshot snapshot;
	int r;

	r = control_look(tree->control, name, catalog_now_ms(tree->catalog), &snapshot);
	if (r == -ENOENT)
		return tree_absent_for(VALID_FOREVER_MS, ret);
	if (r)
		return r;
	fill_snapshot(&snapshot, ret);
	return 0;
}

static int lookup_in_keys(struct tree *tree, struct tree_query *query, enum key_kind kind,
                          const char *name, struct tree_attributes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	size_t length = strlen(name);
	const struct view *view = view_by_name(name, &length);
	struct catalog_question question = query->question;
	char listed[KEY_NAME_SIZE];
	struct key key;
	bool is_link;
	int r;

	if (key_parse_name(catalog_phone_country(tree->catalog), kind, name, length, &key))
		return tree_absent_for(VALID_FOREVER_MS, ret);

	/* That nobody has the key may change with any answer, so nobody may take it for granted. */
	key_print_name(&key, listed);
	is_link = strlen(listed) != length || memcmp(listed, name, length) != 0;
	question.is_brief = view_is_brief(view, is_link);
	question.of_any_age = !view_asks(view, is_link);
	r = find_for(tree, query, &question, &key, &entry);
	if (r == -ENOENT)
		return tree_absent_for(0, ret);
	if (r)
		return r;
	return view_fill(view, is_link, &entry, ret);
}

static int lookup_in_directory(struct tree *tree, struct tree_query *query, struct node node,
                               const char *name, struct tree_attributes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *directory;
	const struct member *child;
	int r;

	r = tree_find(tree, query, node, false, &entry);
	if (r == -ENOENT)
		return tree_absent_for(0, ret);
	if (r)
		return r;
	directory = record_by_ordinal(entry.customer.record, node.ordinal);
	if (!directory)
		return -ESTALE;

	child = record_child(entry.customer.record, directory, name, strlen(name));
	if (child) {
		view_fill_member(&entry, child, ret);
		return 0;
	}
	if (strcmp(name, "primary") == 0 && view_has_primary(entry.customer.record, directory)) {
		view_fill_primary(&entry, ret);
		return 0;
	}
	/* It may come by any answer, for whatever key. */
	return tree_absent_for(0, ret);
}

int tree_lookup(struct tree *tree, struct tree_query *query, uint64_t number, const char *name,
                struct tree_attributes *ret)
{
	struct node node;

	if (!tree_unpack(number, &node))
		return -ESTALE;
	/* Of addresses, which have a limit of their own, names may be longer. */
	if (node.kind == NODE_KEYS && tree_keys_kind(node) == KEY_EMAIL)
		return lookup_in_keys(tree, query, KEY_EMAIL, name, ret);
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;

	if (node.kind == NODE_ROOT)
		return lookup_in_root(tree, name, ret);
	if (node.kind == NODE_KEYS && tree_keys_kind(node) == KEY_DATE)
		return tree_lookup_day(tree, query, name, ret);
	if (node.kind == NODE_DAY)
		return tree_lookup_in_day(tree, query, node, name, ret);
	if (node.kind == NODE_KEYS)
		return lookup_in_keys(tree, query, tree_keys_kind(node), name, ret);
	if (node.kind == NODE_DIRECTORY)
		return lookup_in_directory(tree, query, node, name, ret);
	if (node.kind == NODE_CONTROL)
		return lookup_in_control(tree, name, ret);
	return folder_has(node) ? folder_lookup(tree, node, name, ret) : -ENOTDIR;
}

/* Attributes of a known node */

bool tree_is_of_customer(enum node_kind kind)
{
	return kind == NODE_FIELD || kind == NODE_PRIMARY || kind == NODE_JSON;
}

static int fill_known(struct node node, const struct catalog_entry *entry,
                      struct tree_attributes *ret)
{
	const struct member *member;
	const struct view *view;

	if ((node.kind == NODE_DIRECTORY && node.ordinal) || node.kind == NODE_FIELD) {
		member = record_by_ordinal(entry->customer.record, node.ordinal);
		if (!member || member_is_directory(member) != (node.kind == NODE_DIRECTORY))
			return -ESTALE;
		view_fill_member(entry, member, ret);
		return 0;
	}
	if (node.kind == NODE_PRIMARY) {
		if (!record_primary_contact(entry->customer.record))
			return -ESTALE;
		view_fill_primary(entry, ret);
		return 0;
	}
	view = view_by_kind(node.kind);
	return view ? view_fill(view, node.kind == view->link, entry, ret) : -ESTALE;
}

bool tree_has_versions(enum node_kind kind)
{
	return kind == NODE_FIELD || kind == NODE_JSON;
}

static int stat_entry(struct tree *tree, struct tree_query *query, struct node node,
                      struct tree_attributes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	int r;

	/* What was answered to his look-up of the name, or found by it, is as good as an answer. */
	if (query->is_opening) {
		query->question.waited = true;
		query->question.asked_ms -= TREE_OPENING_MS;
		query->question.result = (struct catalog_result){ -ESTALE, .may_pass = true };
	}

	r = tree_is_of_customer(node.kind) ? find_by_customer_slot(tree, query, node.slot, &entry)
	                                   : tree_find(tree, query, node, true, &entry);
	if (!r)
		r = fill_known(node, &entry, ret);
	if (!r && ret->number != node_pack(node))
		r = -ESTALE;
	return r == -ENOENT ? -ESTALE : r;
}

int tree_stat(struct tree *tree, struct tree_query *query, uint64_t number, bool by_descriptor,
              struct tree_attributes *ret)
{
	struct control_snapshot snapshot;
	struct node node;
	int r;

	if (!tree_unpack(number, &node))
		return -ESTALE;
	if (node.kind == NODE_ROOT || node.kind == NODE_CONTROL || node.kind == NODE_KEYS) {
		tree_fill_top(tree, node, ret);
		return 0;
	}
	if (node.kind == NODE_MARKER && marker_at(node.slot - 1)) {
		tree_fill_marker(node.slot - 1, ret);
		return 0;
	}
	if (node.kind == NODE_CONTROL_FILE) {
		r = tree_recall(tree, node, &snapshot);
		if (!r)
			fill_snapshot(&snapshot, ret);
		return r;
	}

	if (node.kind == NODE_DAY)
		return tree_stat_day(tree, query, node, ret);
	if (folder_has(node))
		return folder_stat(tree, node, ret);
	if (tree_has_versions(node.kind) &&
	    tree_stat_replaced(tree, query, &node, by_descriptor, ret))
		return 0;
	return stat_entry(tree, query, node, ret);
}

/* The entry of a node of either slot, as known now, however old. */
int tree_entry_now(struct tree *tree, struct node node, struct catalog_entry *ret)
{
	int r;

	if (tree_is_of_customer(node.kind))
		return tree_customer_now(tree, node.slot, &ret->customer);
	r = catalog_known(tree->catalog, node.slot, ret);
	return r == CATALOG_ABSENT ? -ESTALE : r;
}

/* Like somebody who has waited in vain: whatever there is will do. */
int tree_whole_entry_now(struct tree *tree, const struct tree_query *query, struct node node,
                         struct catalog_entry *ret)
{
	struct tree_query settled = *query;

	if (!tree_is_of_customer(node.kind))
		return tree_entry_now(tree, node, ret);
	settled.question.waited = true;
	settled.question.result = (struct catalog_result){ .error = -ESTALE, .may_pass = true };
	return find_by_customer_slot(tree, &settled, node.slot, ret);
}
