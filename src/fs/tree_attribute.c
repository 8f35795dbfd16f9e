/* SPDX-License-Identifier: MIT */
/*
 * The part of tree that shows extended attributes: the lines of <key>.meta, each as an attribute,
 * and the JSON type of a member. Like reading, this takes what is known.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/fs/tree_parts.h"

#define PREFIX "user.kapture."

enum { TEXT_SIZE_MAX = 4096 };

static const char *const type_words[] = {
	[MEMBER_NULL] = "null",     [MEMBER_FALSE] = "boolean", [MEMBER_TRUE] = "boolean",
	[MEMBER_NUMBER] = "number", [MEMBER_STRING] = "string", [MEMBER_OBJECT] = "object",
	[MEMBER_ARRAY] = "array",
};

/* Whether the node has attributes; links cannot have any, and the rest is not of a customer. */
static bool has_attributes(enum node_kind kind)
{
	return kind == NODE_DIRECTORY || kind == NODE_FIELD || kind == NODE_JSON ||
	       kind == NODE_META;
}

static int print_type(const struct catalog_entry *entry, const struct node *node,
                      struct buffer *text)
{
	const struct member *member = record_by_ordinal(entry->customer.record, node->ordinal);

	if (node->kind != NODE_DIRECTORY && node->kind != NODE_FIELD)
		return 0;
	if (!member)
		return -ESTALE;
	return buffer_print(text, "type=%s\n", type_words[member->type]);
}

/* All attributes as `name=value` lines. */
static int print(struct tree *tree, struct tree_query *query, const struct node *node,
                 struct buffer *text)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	int r;

	r = tree_whole_entry_now(tree, query, *node, &entry);
	if (!r)
		r = view_print_meta(&entry, text);
	if (!r)
		r = print_type(&entry, node, text);
	return r;
}

static int take(struct buffer *text, struct tree_bytes *ret)
{
	*ret = (struct tree_bytes){ .length = text->length };
	ret->memory = buffer_steal(text);
	ret->data = ret->memory;
	return 0;
}

int tree_attribute(struct tree *tree, struct tree_query *query, uint64_t number, const char *name,
                   struct tree_bytes *ret)
{
	cleanup(buffer_fini) struct buffer text;
	cleanup(buffer_fini) struct buffer value;
	struct node node;
	size_t length;
	int r;

	buffer_init(&text, TEXT_SIZE_MAX);
	buffer_init(&value, TEXT_SIZE_MAX);
	if (!tree_unpack(number, &node))
		return -ESTALE;
	if (!has_attributes(node.kind) || strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return -ENODATA;
	name += strlen(PREFIX);
	length = strlen(name);
	r = print(tree, query, &node, &text);
	if (r)
		return r;
	for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, name, length) != 0 || line[length] != '=')
			continue;
		r = buffer_append(&value, line + length + 1, (size_t)(end - line) - length - 1);
		return r ? r : take(&value, ret);
	}
	return -ENODATA;
}

int tree_attribute_names(struct tree *tree, struct tree_query *query, uint64_t number,
                         struct tree_bytes *ret)
{
	cleanup(buffer_fini) struct buffer text;
	cleanup(buffer_fini) struct buffer names;
	struct node node;
	int r;

	buffer_init(&text, TEXT_SIZE_MAX);
	buffer_init(&names, TEXT_SIZE_MAX);
	if (!tree_unpack(number, &node))
		return -ESTALE;
	*ret = (struct tree_bytes){ 0 };
	if (!has_attributes(node.kind))
		return 0;

	r = print(tree, query, &node, &text);
	for (char *line = text.data, *end; !r && (end = strchr(line, '\n')); line = end + 1) {
		r = buffer_append_text(&names, PREFIX);
		if (!r)
			r = buffer_append(&names, line, strcspn(line, "="));
		if (!r)
			r = buffer_append(&names, "", 1);
	}
	return r ? r : take(&names, ret);
}
