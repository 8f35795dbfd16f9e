/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/fs/folder_parts.h"
#include "kapturefs/fs/tree_parts.h"

static const char *const names[FOLDERS] = {
	[FOLDER_EXPORT] = "export",
	[FOLDER_SEARCH] = "search",
};

const char *folder_name(enum folder folder)
{
	return names[folder];
}

struct node folder_find(const char *name)
{
	for (uint32_t folder = 0; folder < FOLDERS; folder++) {
		if (strcmp(name, names[folder]) == 0)
			return node_of(NODE_FOLDER, folder + 1, 0);
	}
	return node_of(NODE_FOLDER, 0, 0);
}

static bool is_link(struct node node)
{
	return node.kind == NODE_KEY_LINK && node.ordinal == NODE_LINK_TO_ID;
}

bool folder_has(struct node node)
{
	return node.kind == NODE_FOLDER || node.kind == NODE_EXPORT_FILE ||
	       node.kind == NODE_SEARCH || is_link(node);
}

static bool is_folder(struct node node, enum folder folder)
{
	return node.kind == NODE_FOLDER && node.slot == (uint32_t)folder + 1;
}

int folder_lookup(struct tree *tree, struct node node, const char *name,
                  struct tree_attributes *ret)
{
	if (node.kind == NODE_SEARCH)
		return search_lookup(tree, node, name, ret);
	if (is_folder(node, FOLDER_SEARCH))
		return search_lookup_words(tree, name, ret);
	if (is_folder(node, FOLDER_EXPORT))
		return export_lookup(tree, name, ret);
	return -ENOTDIR;
}

int folder_stat(struct tree *tree, struct node node, struct tree_attributes *ret)
{
	if (node.kind == NODE_EXPORT_FILE)
		return export_stat(tree, node, ret);
	if (node.kind == NODE_SEARCH)
		return search_stat(tree, node, ret);
	if (is_link(node))
		return search_stat_link(tree, node, ret);
	if (node.slot > FOLDERS)
		return -ESTALE;
	tree_fill_top(tree, node, ret);
	return 0;
}

int folder_read(struct tree *tree, struct node node, uint64_t offset, size_t size,
                struct tree_bytes *ret)
{
	return node.kind == NODE_EXPORT_FILE ? export_read(tree, node, offset, size, ret) : -EISDIR;
}

int folder_readlink(struct tree *tree, struct node node, struct tree_bytes *ret)
{
	return is_link(node) ? search_readlink(tree, node, ret) : -EINVAL;
}

int folder_list(struct tree *tree, struct node node, size_t place, folder_entry_fn *emit,
                void *userdata)
{
	/* The name alone: a look at it makes the file. */
	const struct tree_attributes export = {
		.number = node_pack(node_of(NODE_EXPORT_FILE, 1, 0)),
		.type = S_IFREG,
	};

	if (node.kind == NODE_SEARCH)
		return search_list(tree, node, place, emit, userdata);
	if (is_folder(node, FOLDER_EXPORT) && place == 0)
		emit(userdata, EXPORT_FILE, &export, 0);
	return 0;
}
