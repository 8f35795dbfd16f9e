/* SPDX-License-Identifier: MIT */
/* The part of tree that tells whom a path is about, and asks nobody. */

#include <errno.h>
#include <string.h>

#include "kapturefs/fs/folder.h"
#include "kapturefs/fs/tree_parts.h"

/* `by-id/7/name`, step by step. */
static size_t take_name(const char **path, const char **ret)
{
	size_t length = strcspn(*path, "/");

	*ret = *path;
	*path += length;
	*path += strspn(*path, "/");
	return length;
}

static int key_of_day(const struct tree *tree, const char *name, size_t length, struct key *ret)
{
	struct key key;

	if (!tree_has_days(tree) || key_parse(KEY_DATE, name, length, &key) ||
	    tree_day_starts_in_ms(tree, &key) > 0)
		return -ENOENT;
	*ret = key;
	return 0;
}

/* `7/name`, where a link of that name leads to the customer with that id. */
static int key_of_link(const char *path, struct key *ret)
{
	const char *name;
	size_t length = take_name(&path, &name);

	return key_parse(KEY_ID, name, length, ret) ? -ENOENT : 0;
}

static int key_in_search(const char *path, struct key *ret)
{
	const char *name;

	(void)take_name(&path, &name);
	return *path ? key_of_link(path, ret) : -EISDIR;
}

static int key_in_keys(const struct tree *tree, enum key_kind kind, const char *path,
                       struct key *ret)
{
	const char *name;
	size_t length = take_name(&path, &name);

	if (!length)
		return -EISDIR;
	if (kind == KEY_DATE)
		return *path ? key_of_link(path, ret) : key_of_day(tree, name, length, ret);
	(void)view_by_name(name, &length);
	return key_parse_name(catalog_phone_country(tree->catalog), kind, name, length, ret)
	               ? -ENOENT
	               : 0;
}

static int key_in_root(const struct tree *tree, const char *path, struct key *ret)
{
	const char *search = folder_name(FOLDER_SEARCH);
	const char *name;
	size_t length = take_name(&path, &name);

	for (enum key_kind kind = 0; kind < KEY_LISTINGS; kind++) {
		const char *directory = key_kind_facts(kind)->directory;

		if (strlen(directory) == length && memcmp(directory, name, length) == 0)
			return key_in_keys(tree, kind, path, ret);
	}
	if (length == strlen(search) && memcmp(name, search, length) == 0)
		return key_in_search(path, ret);
	return -EISDIR;
}

static int key_of_customer(struct tree *tree, uint32_t slot, struct key *ret)
{
	struct cache_customer customer;
	int r;

	r = tree_customer_now(tree, slot, &customer);
	if (r)
		return r;
	r = tree_id_key(customer.record, ret);
	record_unref(customer.record);
	return r;
}

static int key_of_slot(struct tree *tree, uint32_t slot, struct key *ret)
{
	struct cache_key known;
	int r;

	r = tree_key_now(tree, slot, &known);
	if (!r)
		*ret = known.key;
	return r;
}

int tree_key(struct tree *tree, uint64_t number, const char *path, struct key *ret)
{
	struct node node;

	if (!tree_unpack(number, &node))
		return -ESTALE;
	if (node.kind == NODE_ROOT)
		return key_in_root(tree, path, ret);
	if (node.kind == NODE_KEYS)
		return key_in_keys(tree, tree_keys_kind(node), path, ret);
	if (node.kind == NODE_CONTROL || node.kind == NODE_CONTROL_FILE ||
	    (folder_has(node) && node.kind != NODE_KEY_LINK))
		return -EISDIR;
	return tree_is_of_customer(node.kind) ? key_of_customer(tree, node.slot, ret)
	                                      : key_of_slot(tree, node.slot, ret);
}
