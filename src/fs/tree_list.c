/* SPDX-License-Identifier: MIT */
/* The part of tree that lists. */

#include <errno.h>
#include <sys/stat.h>

#include "kapturefs/fs/marker.h"
#include "kapturefs/fs/folder.h"
#include "kapturefs/fs/tree_parts.h"

enum {
	COOKIE_DOT = 1,
	COOKIE_DOT_DOT,
	COOKIE_PRIMARY, /* contacts/primary, before the contacts */
	COOKIE_FIRST,   /* then the entries' own: ordinals and slots */
};

struct listing {
	tree_emit_fn *emit;
	void *userdata;
	uint64_t cookie; /* the last that was emitted */
};

static bool emit(struct listing *listing, const char *name,
                 const struct tree_attributes *attributes, bool is_whole, uint64_t cookie)
{
	if (cookie <= listing->cookie)
		return true;
	if (!listing->emit(listing->userdata, name, attributes, is_whole, cookie))
		return false;
	listing->cookie = cookie;
	return true;
}

static bool emit_dots(struct listing *listing, uint64_t number)
{
	const struct tree_attributes self = { .number = number, .type = S_IFDIR };

	return emit(listing, ".", &self, false, COOKIE_DOT) &&
	       emit(listing, "..", &self, false, COOKIE_DOT_DOT);
}

static int list_root(const struct tree *tree, struct listing *listing)
{
	struct tree_attributes attributes;
	const struct marker *marker;

	for (int kind = 0; kind < KEY_LISTINGS; kind++) {
		if (kind == KEY_DATE && !tree_has_days(tree))
			continue;
		tree_fill_top(tree, node_of(NODE_KEYS, (uint32_t)kind + 1, 0), &attributes);
		if (!emit(listing, key_kind_facts((enum key_kind)kind)->directory, &attributes,
		          true, COOKIE_FIRST + (uint64_t)kind))
			return 0;
	}
	tree_fill_top(tree, node_of(NODE_CONTROL, 1, 0), &attributes);
	if (!emit(listing, CONTROL_DIRECTORY, &attributes, true, COOKIE_FIRST + KEY_LISTINGS))
		return 0;
	for (uint32_t folder = 0; folder < FOLDERS; folder++) {
		tree_fill_top(tree, node_of(NODE_FOLDER, folder + 1, 0), &attributes);
		if (!emit(listing, folder_name((enum folder)folder), &attributes, true,
		          COOKIE_FIRST + KEY_LISTINGS + 1 + folder))
			return 0;
	}
	for (uint32_t place = 0; (marker = marker_at(place)); place++) {
		tree_fill_marker(place, &attributes);
		if (marker->is_listed && !emit(listing, marker->name, &attributes, true,
		                               COOKIE_FIRST + KEY_LISTINGS + 1 + FOLDERS + place))
			return 0;
	}
	return 0;
}

/* Names alone: a look at one makes the file. */
static int list_control(const struct tree *tree, struct listing *listing)
{
	const char *name;

	for (uint32_t place = 0; (name = control_name(tree->control, place)); place++) {
		const struct tree_attributes attributes = {
			.number = node_pack(node_of(NODE_CONTROL_FILE, place + 1, 0)),
			.type = S_IFREG,
		};

		if (!emit(listing, name, &attributes, false, COOKIE_FIRST + place))
			break;
	}
	return 0;
}

static bool emit_in_folder(void *userdata, const char *name,
                           const struct tree_attributes *attributes, size_t place)
{
	return emit(userdata, name, attributes, false, COOKIE_FIRST + place);
}

static int list_folder(struct tree *tree, struct node node, struct listing *listing)
{
	size_t place =
	        listing->cookie >= COOKIE_FIRST ? (size_t)(listing->cookie - COOKIE_FIRST) + 1 : 0;

	return folder_list(tree, node, place, emit_in_folder, listing);
}

struct key_listing {
	struct listing *listing;
	uint32_t country;
};

/* Only names and numbers: whoever lists a million keys does not want a million nodes. */
static bool emit_key(void *userdata, const struct cache_key *key)
{
	const struct key_listing *keys = userdata;
	enum node_kind kind = key->key.kind == KEY_DATE ? NODE_DAY : NODE_DIRECTORY;
	const struct tree_attributes attributes = {
		.number = node_pack(node_of(kind, key->slot, 0)),
		.type = S_IFDIR,
	};
	char name[KEY_NAME_SIZE];

	/* What was stored by other rules, say for another country, is another's spelling now. */
	if (!key_is_canonical(keys->country, &key->key))
		return true;
	key_print_name(&key->key, name);
	return emit(keys->listing, name, &attributes, false, COOKIE_FIRST + key->slot);
}

static int list_keys(struct tree *tree, enum key_kind kind, struct listing *listing)
{
	struct key_listing keys = { listing, catalog_phone_country(tree->catalog) };
	uint32_t slot =
	        listing->cookie >= COOKIE_FIRST ? (uint32_t)(listing->cookie - COOKIE_FIRST) : 0;

	return catalog_list_keys(tree->catalog, kind, slot, emit_key, &keys);
}

static int list_members(const struct catalog_entry *entry, const struct member *directory,
                        struct listing *listing)
{
	const struct record *record = entry->customer.record;
	struct tree_attributes attributes;
	const struct member *child;

	if (view_has_primary(record, directory)) {
		view_fill_primary(entry, &attributes);
		if (!emit(listing, "primary", &attributes, true, COOKIE_PRIMARY))
			return 0;
	}

	child = record_child_after(record, directory,
	                           listing->cookie >= COOKIE_FIRST
	                                   ? (uint32_t)(listing->cookie - COOKIE_FIRST)
	                                   : 0);
	for (; child; child = record_sibling(record, child)) {
		view_fill_member(entry, child, &attributes);
		if (!emit(listing, child->name, &attributes, true, COOKIE_FIRST + child->ordinal))
			break;
	}
	return 0;
}

/* From the start it must be fresh; who goes on goes on in what there is. */
static int list_directory(struct tree *tree, struct tree_query *query, struct node node,
                          struct listing *listing)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *directory;
	int r;

	r = listing->cookie ? tree_entry_now(tree, node, &entry)
	                    : tree_find(tree, query, node, false, &entry);
	if (r)
		return r;
	directory = record_by_ordinal(entry.customer.record, node.ordinal);
	if (!directory || !member_is_directory(directory))
		return -ESTALE;
	if (!emit_dots(listing, node_pack(node)))
		return 0;
	return list_members(&entry, directory, listing);
}

static int list_day(struct tree *tree, struct tree_query *query, uint32_t slot,
                    struct listing *listing)
{
	uint32_t place =
	        listing->cookie >= COOKIE_FIRST ? (uint32_t)(listing->cookie - COOKIE_FIRST) : 0;
	struct tree_attributes attributes;
	struct catalog_day day;
	int r;

	r = listing->cookie ? tree_day_now(tree, slot, &day)
	                    : tree_find_day(tree, query, slot, false, &day);
	if (r)
		return r;
	if (!emit_dots(listing, node_pack(node_of(NODE_DAY, slot, 0))))
		return 0;
	while (place++ < day.roster->ids.count) {
		/* Those that are gone have left their places. */
		if (tree_fill_day_link(&day, place, &attributes) == 0 &&
		    !emit(listing, roster_at(day.roster, place), &attributes, true,
		          COOKIE_FIRST + place))
			break;
	}
	return 0;
}

static int list(struct tree *tree, struct tree_query *query, uint64_t number,
                struct listing *listing)
{
	struct node node;

	if (!tree_unpack(number, &node))
		return -ESTALE;
	if (node.kind != NODE_ROOT && node.kind != NODE_KEYS && node.kind != NODE_DIRECTORY &&
	    node.kind != NODE_CONTROL && node.kind != NODE_FOLDER && node.kind != NODE_SEARCH &&
	    (node.kind != NODE_DAY || node.ordinal))
		return -ENOTDIR;

	if (node.kind == NODE_DAY)
		return list_day(tree, query, node.slot, listing);
	if (node.kind == NODE_DIRECTORY)
		return list_directory(tree, query, node, listing);
	if (!emit_dots(listing, number))
		return 0;
	if (node.kind == NODE_ROOT)
		return list_root(tree, listing);
	if (node.kind == NODE_KEYS)
		return list_keys(tree, tree_keys_kind(node), listing);
	return folder_has(node) ? list_folder(tree, node, listing) : list_control(tree, listing);
}

int tree_list(struct tree *tree, struct tree_query *query, uint64_t number, uint64_t cookie,
              tree_emit_fn *emit_entry, void *userdata)
{
	struct listing listing = { emit_entry, userdata, cookie };
	int r = list(tree, query, number, &listing);

	return r == -ENOENT ? -ESTALE : r;
}
