/* SPDX-License-Identifier: MIT */
/* The part of tree that tells what files and links hold. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/fs/marker.h"
#include "kapturefs/fs/folder.h"
#include "kapturefs/fs/tree_parts.h"

enum { META_SIZE_MAX = 1024 };

static int read_meta(const struct catalog_entry *entry, struct tree_bytes *ret)
{
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, META_SIZE_MAX);
	r = view_print_meta(entry, &text);
	if (r)
		return r;

	ret->length = text.length;
	ret->memory = buffer_steal(&text);
	ret->data = ret->memory;
	return 0;
}

static int read_snapshot(const struct tree *tree, struct node node, struct tree_bytes *ret)
{
	struct control_snapshot snapshot;
	int r;

	r = tree_recall(tree, node, &snapshot);
	if (r)
		return r;
	ret->data = snapshot.data;
	ret->length = snapshot.length;
	return 0;
}

/* The version that was asked for, or none. */
static int read_record(struct record *record, const struct node *node, struct tree_bytes *ret)
{
	const struct member *member = record_by_ordinal(record, node->ordinal);

	if (!view_shows(record, node))
		return -ESTALE;
	if (node->kind == NODE_JSON) {
		ret->data = record_json(record, &ret->length);
		ret->record = record_ref(record);
		return 0;
	}

	ret->data = member->value;
	ret->length = member->value_length;
	ret->record = record_ref(record);
	return 0;
}

int tree_read(struct tree *tree, uint64_t number, uint64_t offset, size_t size,
              struct tree_bytes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	struct record *replaced = NULL;
	struct node node;
	int r;

	if (!tree_unpack(number, &node))
		return -ESTALE;
	*ret = (struct tree_bytes){ 0 };
	if (node.kind == NODE_CONTROL_FILE)
		return read_snapshot(tree, node, ret);
	if (folder_has(node))
		return folder_read(tree, node, offset, size, ret);
	if (node.kind == NODE_MARKER && marker_at(node.slot - 1)) {
		ret->data = marker_at(node.slot - 1)->content;
		ret->length = strlen(ret->data);
		return 0;
	}
	if (!tree_has_versions(node.kind) && node.kind != NODE_META)
		return -EISDIR;

	if (tree_has_versions(node.kind))
		replaced = superseded_find(tree->superseded, &node);
	if (replaced)
		return read_record(replaced, &node, ret);
	r = tree_entry_now(tree, node, &entry);
	if (r)
		return r;
	return node.kind == NODE_META ? read_meta(&entry, ret)
	                              : read_record(entry.customer.record, &node, ret);
}

int tree_bytes_print(struct tree_bytes *ret, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&ret->memory, format, arguments);
	va_end(arguments);
	if (length < 0) {
		ret->memory = NULL;
		return -ENOMEM;
	}
	ret->data = ret->memory;
	ret->length = (size_t)length;
	return 0;
}

static int read_spelling(struct tree *tree, struct node node, struct tree_bytes *ret)
{
	const struct view *view = view_by_kind(node.kind);
	char name[KEY_NAME_SIZE];
	struct cache_key key;
	int r;

	if (!view || node.kind != view->link)
		return -EINVAL;
	r = tree_key_now(tree, node.slot, &key);
	if (r)
		return r;

	key_print_name(&key.key, name);
	return tree_bytes_print(ret, "%s%s", name, view->suffix);
}

int tree_readlink(struct tree *tree, uint64_t number, struct tree_bytes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *primary;
	struct node node;
	int r;

	if (!tree_unpack(number, &node))
		return -ESTALE;
	*ret = (struct tree_bytes){ 0 };
	if (node.kind == NODE_DAY)
		return tree_readlink_day(tree, node, ret);
	if (folder_has(node))
		return folder_readlink(tree, node, ret);
	if (node.kind != NODE_PRIMARY)
		return read_spelling(tree, node, ret);

	r = tree_entry_now(tree, node, &entry);
	if (r)
		return r;
	primary = record_primary_contact(entry.customer.record);
	if (!primary || view_primary_node(node.slot, entry.customer.record).version != node.version)
		return -ESTALE;
	ret->data = primary->name;
	ret->length = primary->name_length;
	ret->record = record_ref(entry.customer.record);
	return 0;
}
