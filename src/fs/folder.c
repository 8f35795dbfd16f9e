/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/fs/folder_parts.h"
#include "kapturefs/fs/tree_parts.h"

static const char *const names[FOLDERS] = {
	[FOLDER_EXPORT] = "export",
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

bool folder_has(enum node_kind kind)
{
	return kind == NODE_FOLDER || kind == NODE_EXPORT_FILE;
}

int folder_lookup(struct tree *tree, struct node node, const char *name,
                  struct tree_attributes *ret)
{
	if (node.kind != NODE_FOLDER)
		return -ENOTDIR;
	return export_lookup(tree, name, ret);
}

int folder_stat(struct tree *tree, struct node node, struct tree_attributes *ret)
{
	if (node.kind == NODE_EXPORT_FILE)
		return export_stat(tree, node, ret);
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

/* The name alone: a look at it makes the file. */
const char *folder_entry(struct node node, struct tree_attributes *ret)
{
	assert(node.kind == NODE_FOLDER);
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_EXPORT_FILE, 1, 0)),
		.type = S_IFREG,
	};
	return EXPORT_FILE;
}
