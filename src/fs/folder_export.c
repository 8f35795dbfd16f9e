/* SPDX-License-Identifier: MIT */
/*
 * The part of tree that shows all known customers as one file.
 *
 * Each look at the name finds the customers as they are then, as a file of its own, which never
 * changes: so its attributes may be taken for granted, and its pages be kept, but not its name.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/fs/folder_parts.h"
#include "kapturefs/fs/tree_parts.h"

enum { FILE_SLOT = 1 };

struct node folder_export_node(uint32_t generation)
{
	return node_of(NODE_EXPORT_FILE, FILE_SLOT, generation);
}

static void fill(const struct cache_export *export, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(folder_export_node(export->generation)),
		.type = S_IFREG,
		.links = 1,
		.size = export->size,
		.changed_ms = export->changed_ms,
		.valid_ms = VALID_FOREVER_MS,
		.is_fleeting = true,
	};
}

int export_lookup(struct tree *tree, const char *name, struct tree_attributes *ret)
{
	struct cache_export export;
	int r;

	if (strcmp(name, EXPORT_FILE) != 0)
		return tree_absent_for(VALID_FOREVER_MS, ret);
	r = catalog_export(tree->catalog, &export);
	if (!r)
		fill(&export, ret);
	return r;
}

int export_stat(struct tree *tree, struct node node, struct tree_attributes *ret)
{
	struct cache_export export;
	int r;

	r = catalog_export_find(tree->catalog, node.ordinal, &export);
	if (!r)
		fill(&export, ret);
	return r;
}

int export_read(struct tree *tree, struct node node, uint64_t offset, size_t size,
                struct tree_bytes *ret)
{
	int r;

	ret->memory = malloc(size);
	if (!ret->memory)
		return -ENOMEM;
	r = catalog_export_read(tree->catalog, node.ordinal, offset, ret->memory, size,
	                        &ret->length);
	ret->data = ret->memory;
	ret->start = offset;
	return r;
}
