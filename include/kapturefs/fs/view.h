#pragma once
/* SPDX-License-Identifier: MIT */
/* What of a customer's entry is shown, and how: attributes and bytes, without asking anybody. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/model/node.h"
#include "kapturefs/store/catalog.h"

struct tree_attributes {
	uint64_t number;
	uint32_t generation; /* tells it from what had the same number long before */
	mode_t type;         /* S_IFDIR, S_IFREG or S_IFLNK */
	uint32_t links;
	uint64_t size;
	int64_t changed_ms; /* Unix time */
	uint64_t valid_ms;  /* how long this may be taken for granted */
	bool is_fleeting;   /* but for the name, which has to be looked up each time */
	bool is_expired;    /* of a directory: nobody may be shown a listing that was made before */
};

/**
 * `<key>`, `<key>.json` or `<key>.meta`: a node, and a link to it under the key's other
 * spellings.
 */
struct view {
	const char *suffix;
	enum node_kind kind;
	enum node_kind link;
};

/** The view that @name asks for, by its suffix; *@length becomes that of the key. */
const struct view *view_by_name(const char *name, size_t *length);

/** The view of nodes or links of @kind, or NULL. */
const struct view *view_by_kind(enum node_kind kind);

/**
 * The attributes of @view of @entry, or of a link to it. Returns 0 or -ENOMEM.
 */
int view_fill(const struct view *view, bool is_link, const struct catalog_entry *entry,
              struct tree_attributes *ret) must_check;

/** Whether view_fill() does without customer.record and customer.keys of the entry. */
bool view_is_brief(const struct view *view, bool is_link);

/** Whether to look at it is to go into the customer, so that its answer must be fresh. */
bool view_asks(const struct view *view, bool is_link);

/** The attributes of a member of the entry's record. */
void view_fill_member(const struct catalog_entry *entry, const struct member *member,
                      struct tree_attributes *ret);

/** The attributes of `contacts/primary`, which must exist. */
void view_fill_primary(const struct catalog_entry *entry, struct tree_attributes *ret);

/** Whether @directory shows a link `primary`. */
bool view_has_primary(const struct record *record, const struct member *directory);

/** The node of a value, in the version that it has in a record of the customer with @slot. */
struct node view_field_node(uint32_t slot, const struct member *member);

/** The node of the JSON, likewise. */
struct node view_json_node(uint32_t slot, const struct record *record);

/** The node of the link to @record's primary contact, with the version that it has there. */
struct node view_primary_node(uint32_t slot, const struct record *record);

/** Whether @record has the value of @node, a NODE_FIELD or NODE_JSON, in just that version. */
bool view_shows(const struct record *record, const struct node *node);

/** Append what `<key>.meta` holds: one `name=value` a line. Errors as buffer_append(). */
int view_print_meta(const struct catalog_entry *entry, struct buffer *text) must_check;
