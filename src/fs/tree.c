/* SPDX-License-Identifier: MIT */
/*
 * Two ages of answers are told apart. Looking a name up and asking for
 * attributes decide freshness: they find the node's key, and may miss it. Reading and
 * listing take what is known, however old, because whoever reads has just been told the size.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/model/node.h"

/* What never changes while mounted may be taken for granted for a day. */
#define VALID_FOREVER_MS (UINT64_C(86400) * 1000)

enum {
	COOKIE_DOT = 1,
	COOKIE_DOT_DOT,
	COOKIE_PRIMARY, /* contacts/primary, before the contacts */
	COOKIE_FIRST,   /* then the entries' own: ordinals and slots */
	META_SIZE_MAX = 1024,
};

struct tree {
	struct catalog *catalog;
	int64_t started_ms;
};

int tree_new(struct catalog *catalog, struct tree **ret)
{
	struct tree *tree;

	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;

	tree->catalog = catalog;
	tree->started_ms = catalog_now_ms(catalog);
	*ret = tree;
	return 0;
}

void tree_free(struct tree *tree)
{
	free(tree);
}

void tree_bytes_fini(struct tree_bytes *bytes)
{
	record_unref(steal(&bytes->record));
	free(steal(&bytes->memory));
}

uint64_t tree_keys_number(enum key_kind kind)
{
	return node_pack((struct node){ NODE_KEYS, (uint32_t)kind + 1, 0 });
}

static enum key_kind keys_kind(struct node node)
{
	return (enum key_kind)(node.slot - 1);
}

/* Finding what a node is about */

static int find(struct tree *tree, struct tree_query *query, const struct key *key,
                struct catalog_entry *ret)
{
	int r = catalog_find(tree->catalog, key, &query->question, ret);

	if (r == CATALOG_MISSING) {
		query->wanted = *key;
		return TREE_MISSING;
	}
	return r == CATALOG_ABSENT ? -ENOENT : r;
}

static int customer_now(struct tree *tree, uint32_t slot, struct cache_customer *ret)
{
	int r = catalog_customer(tree->catalog, slot, ret);

	return r == CATALOG_ABSENT ? -ESTALE : r;
}

static int key_now(struct tree *tree, uint32_t slot, struct cache_key *ret)
{
	int r = catalog_key(tree->catalog, slot, ret);

	return r == CATALOG_ABSENT ? -ESTALE : r;
}

/* The entry of a node that is numbered by its key's slot. */
static int find_by_key_slot(struct tree *tree, struct tree_query *query, uint32_t slot,
                            struct catalog_entry *ret)
{
	struct cache_key key;
	int r;

	r = key_now(tree, slot, &key);
	if (r)
		return r;
	r = find(tree, query, &key.key, ret);
	if (r)
		return r == -ENOENT ? -ESTALE : r;

	/* The key may lead to another customer by now, as another key. */
	if (ret->key.slot == slot)
		return 0;
	catalog_entry_fini(ret);
	return -ESTALE;
}

/* The entry, by its id, of a node that is numbered by its customer's slot. */
static int find_by_customer_slot(struct tree *tree, struct tree_query *query, uint32_t slot,
                                 struct catalog_entry *ret)
{
	struct cache_customer customer;
	struct key id;
	int r;

	r = customer_now(tree, slot, &customer);
	if (r)
		return r;
	r = key_parse(KEY_ID, record_id(customer.record), strlen(record_id(customer.record)), &id);
	record_unref(customer.record);
	if (r)
		return -EIO;

	r = find(tree, query, &id, ret);
	return r == -ENOENT ? -ESTALE : r;
}

/* Attributes */

static uint64_t entry_valid_ms(const struct tree *tree, const struct catalog_entry *entry)
{
	int64_t left_ms = entry->expires_ms - catalog_now_ms(tree->catalog);

	return left_ms > 0 ? (uint64_t)left_ms : 0;
}

static void fill_member(const struct catalog_entry *entry, const struct member *member,
                        uint64_t valid_ms, struct tree_attributes *ret)
{
	bool is_directory = member_is_directory(member);

	*ret = (struct tree_attributes){
		.number = node_pack((struct node){
		        is_directory ? NODE_DIRECTORY : NODE_FIELD,
		        is_directory ? entry->key.slot : entry->customer.slot,
		        member->ordinal,
		}),
		.type = is_directory ? S_IFDIR : S_IFREG,
		.links = is_directory ? 1 : entry->customer.keys,
		.size = member->value_length,
		.changed_ms = member->changed_ms,
		.valid_ms = valid_ms,
	};
}

static void fill_primary(const struct catalog_entry *entry, uint64_t valid_ms,
                         struct tree_attributes *ret)
{
	const struct member *contacts = record_contacts(entry->customer.record);
	const struct member *primary = record_primary_contact(entry->customer.record);

	*ret = (struct tree_attributes){
		.number = node_pack((struct node){ NODE_PRIMARY, entry->customer.slot, 0 }),
		.type = S_IFLNK,
		.links = entry->customer.keys,
		.size = primary->name_length,
		.changed_ms = contacts->changed_ms,
		.valid_ms = valid_ms,
	};
}

static void fill_json(const struct catalog_entry *entry, uint64_t valid_ms,
                      struct tree_attributes *ret)
{
	size_t length;

	record_json(entry->customer.record, &length);
	*ret = (struct tree_attributes){
		.number = node_pack((struct node){ NODE_JSON, entry->customer.slot, 0 }),
		.type = S_IFREG,
		.links = entry->customer.keys,
		.size = length,
		.changed_ms = record_member(entry->customer.record, 0)->changed_ms,
		.valid_ms = valid_ms,
	};
}

static void fill_link(const struct catalog_entry *entry, enum node_kind kind, size_t length,
                      uint64_t valid_ms, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack((struct node){ kind, entry->key.slot, 0 }),
		.type = S_IFLNK,
		.links = 1,
		.size = length,
		.changed_ms = record_member(entry->customer.record, 0)->changed_ms,
		.valid_ms = valid_ms,
	};
}

static int print_time(struct buffer *text, const char *name, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm parts;
	char date[sizeof("2024-05-02T16:15:42")];

	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	return buffer_print(text, "%s=%s.%03dZ\n", name, date, (int)(time_ms % 1000));
}

static int write_meta(const struct catalog_entry *entry, struct buffer *text)
{
	int r;

	r = buffer_print(text, "id=%s\nkey=%s:%s\n", record_id(entry->customer.record),
	                 key_kind_facts(entry->key.key.kind)->word, entry->key.key.text);
	if (!r)
		r = print_time(text, "fetched", entry->key.fetched_ms);
	if (!r)
		r = print_time(text, "expires", entry->expires_ms);
	if (!r)
		r = print_time(text, "changed",
		               record_member(entry->customer.record, 0)->changed_ms);
	if (!r)
		r = buffer_print(text, "state=%s\nsource=%s\n", entry->is_stale ? "stale" : "fresh",
		                 entry->is_from_api ? "api" : "cache");
	return r;
}

/*
 * The text follows from the answer and its state alone, and so does the time at which it became
 * what it is: whoever sees the same time may keep the text.
 */
static int fill_meta(const struct tree *tree, const struct catalog_entry *entry, uint64_t valid_ms,
                     struct tree_attributes *ret)
{
	int64_t changed_ms = entry->is_from_api ? entry->key.fetched_ms : tree->started_ms;
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, META_SIZE_MAX);
	r = write_meta(entry, &text);
	if (r)
		return r;

	if (entry->is_stale && entry->expires_ms > changed_ms)
		changed_ms = entry->expires_ms;
	*ret = (struct tree_attributes){
		.number = node_pack((struct node){ NODE_META, entry->key.slot, 0 }),
		.type = S_IFREG,
		.links = 1,
		.size = text.length,
		.changed_ms = changed_ms,
		.valid_ms = valid_ms,
	};
	return 0;
}

static void fill_top(const struct tree *tree, struct node node, struct tree_attributes *ret)
{
	int64_t changed_ms = 0;

	if (node.kind == NODE_KEYS)
		changed_ms = catalog_listing_changed_ms(tree->catalog, keys_kind(node));
	*ret = (struct tree_attributes){
		.number = node_pack(node),
		.type = S_IFDIR,
		.links = 1,
		.changed_ms = changed_ms,
		.valid_ms = VALID_FOREVER_MS,
	};
}

/* Looking up */

static int absent_for(uint64_t valid_ms, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){ .valid_ms = valid_ms };
	return -ENOENT;
}

static int lookup_in_root(const struct tree *tree, const char *name, struct tree_attributes *ret)
{
	for (int kind = 0; kind < KEY_KINDS; kind++) {
		if (strcmp(name, key_kind_facts((enum key_kind)kind)->directory) == 0) {
			fill_top(tree, (struct node){ NODE_KEYS, (uint32_t)kind + 1, 0 }, ret);
			return 0;
		}
	}
	return absent_for(VALID_FOREVER_MS, ret);
}

/* `<key>`, `<key>.json` or `<key>.meta`: each is a node, and a link to it under the key's other spellings. */
struct view {
	const char *suffix;
	enum node_kind kind;
	enum node_kind link;
};

static const struct view views[] = {
	{ ".json", NODE_JSON, NODE_JSON_LINK },
	{ ".meta", NODE_META, NODE_META_LINK },
	{ "", NODE_DIRECTORY, NODE_KEY_LINK },
};

/* The view that @name asks for, by its suffix; *@length becomes that of the key. */
static const struct view *find_view(const char *name, size_t *length)
{
	const struct view *view = views;
	size_t suffix_length;

	for (;; view++) {
		suffix_length = strlen(view->suffix);
		if (*length >= suffix_length &&
		    memcmp(name + *length - suffix_length, view->suffix, suffix_length) == 0)
			break;
	}
	*length -= suffix_length;
	return view;
}

static int fill_view(const struct tree *tree, const struct view *view, bool is_spelled,
                     const struct catalog_entry *entry, struct tree_attributes *ret)
{
	uint64_t valid_ms = entry_valid_ms(tree, entry);

	if (!is_spelled) {
		fill_link(entry, view->link, strlen(entry->key.key.text) + strlen(view->suffix),
		          valid_ms, ret);
		return 0;
	}
	if (view->kind == NODE_JSON) {
		fill_json(entry, valid_ms, ret);
		return 0;
	}
	if (view->kind == NODE_META)
		return fill_meta(tree, entry, valid_ms, ret);

	fill_member(entry, record_member(entry->customer.record, 0), valid_ms, ret);
	return 0;
}

static int lookup_in_keys(struct tree *tree, struct tree_query *query, enum key_kind kind,
                          const char *name, struct tree_attributes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	size_t length = strlen(name);
	const struct view *view = find_view(name, &length);
	struct key key;
	int r;

	if (key_parse(kind, name, length, &key))
		return absent_for(VALID_FOREVER_MS, ret);

	/* That nobody has the key may change with any answer, so nobody may take it for granted. */
	r = find(tree, query, &key, &entry);
	if (r == -ENOENT)
		return absent_for(0, ret);
	if (r)
		return r;
	return fill_view(tree, view, key_is_spelled(&key, name, length), &entry, ret);
}

static bool has_primary(const struct record *record, const struct member *directory)
{
	return directory == record_contacts(record) && record_primary_contact(record) &&
	       !record_child(record, directory, "primary", strlen("primary"));
}

static int lookup_in_directory(struct tree *tree, struct tree_query *query, struct node node,
                               const char *name, struct tree_attributes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *directory;
	const struct member *child;
	uint64_t valid_ms;
	int r;

	r = find_by_key_slot(tree, query, node.slot, &entry);
	if (r)
		return r;
	directory = record_by_ordinal(entry.customer.record, node.ordinal);
	if (!directory)
		return -ESTALE;

	valid_ms = entry_valid_ms(tree, &entry);
	child = record_child(entry.customer.record, directory, name, strlen(name));
	if (child) {
		fill_member(&entry, child, valid_ms, ret);
		return 0;
	}
	if (strcmp(name, "primary") == 0 && has_primary(entry.customer.record, directory)) {
		fill_primary(&entry, valid_ms, ret);
		return 0;
	}
	return absent_for(valid_ms, ret);
}

int tree_lookup(struct tree *tree, struct tree_query *query, uint64_t number, const char *name,
                struct tree_attributes *ret)
{
	struct node node;

	if (!node_unpack(number, &node))
		return -ESTALE;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;

	if (node.kind == NODE_ROOT)
		return lookup_in_root(tree, name, ret);
	if (node.kind == NODE_KEYS)
		return lookup_in_keys(tree, query, keys_kind(node), name, ret);
	if (node.kind == NODE_DIRECTORY)
		return lookup_in_directory(tree, query, node, name, ret);
	return -ENOTDIR;
}

/* Attributes of a known node */

static bool is_of_customer(enum node_kind kind)
{
	return kind == NODE_FIELD || kind == NODE_PRIMARY || kind == NODE_JSON;
}

static int fill_known(const struct tree *tree, struct node node, const struct catalog_entry *entry,
                      struct tree_attributes *ret)
{
	uint64_t valid_ms = entry_valid_ms(tree, entry);
	const struct member *member;

	if (node.kind == NODE_DIRECTORY || node.kind == NODE_FIELD) {
		member = record_by_ordinal(entry->customer.record, node.ordinal);
		if (!member || member_is_directory(member) != (node.kind == NODE_DIRECTORY))
			return -ESTALE;
		fill_member(entry, member, valid_ms, ret);
		return 0;
	}
	if (node.kind == NODE_PRIMARY) {
		if (!record_primary_contact(entry->customer.record))
			return -ESTALE;
		fill_primary(entry, valid_ms, ret);
		return 0;
	}
	for (size_t i = 0; i < array_length(views); i++) {
		if (node.kind == views[i].kind || node.kind == views[i].link)
			return fill_view(tree, &views[i], node.kind == views[i].kind, entry, ret);
	}
	return -ESTALE;
}

int tree_stat(struct tree *tree, struct tree_query *query, uint64_t number,
              struct tree_attributes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	struct node node;
	int r;

	if (!node_unpack(number, &node))
		return -ESTALE;
	if (node.kind == NODE_ROOT || node.kind == NODE_KEYS) {
		fill_top(tree, node, ret);
		return 0;
	}

	r = is_of_customer(node.kind) ? find_by_customer_slot(tree, query, node.slot, &entry)
	                              : find_by_key_slot(tree, query, node.slot, &entry);
	if (r)
		return r;
	return fill_known(tree, node, &entry, ret);
}

/* Content */

/* The entry of a node of either slot, as known now, however old. */
static int entry_now(struct tree *tree, const struct tree_query *query, struct node node,
                     struct catalog_entry *ret)
{
	struct tree_query settled = *query;

	/* Like somebody who has waited in vain: whatever there is will do. */
	settled.question.waited = true;
	settled.question.result = (struct catalog_result){ -ESTALE, true };
	if (is_of_customer(node.kind))
		return customer_now(tree, node.slot, &ret->customer);
	return find_by_key_slot(tree, &settled, node.slot, ret);
}

static int read_meta(const struct catalog_entry *entry, struct tree_bytes *ret)
{
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, META_SIZE_MAX);
	r = write_meta(entry, &text);
	if (r)
		return r;

	ret->length = text.length;
	ret->memory = buffer_steal(&text);
	ret->data = ret->memory;
	return 0;
}

int tree_read(struct tree *tree, struct tree_query *query, uint64_t number, struct tree_bytes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *member;
	struct node node;
	int r;

	if (!node_unpack(number, &node))
		return -ESTALE;
	if (node.kind != NODE_FIELD && node.kind != NODE_JSON && node.kind != NODE_META)
		return -EISDIR;

	r = entry_now(tree, query, node, &entry);
	if (r)
		return r;
	*ret = (struct tree_bytes){ 0 };
	if (node.kind == NODE_META)
		return read_meta(&entry, ret);
	if (node.kind == NODE_JSON) {
		ret->data = record_json(entry.customer.record, &ret->length);
		ret->record = record_ref(entry.customer.record);
		return 0;
	}

	member = record_by_ordinal(entry.customer.record, node.ordinal);
	if (!member || member_is_directory(member))
		return -ESTALE;
	ret->data = member->value;
	ret->length = member->value_length;
	ret->record = record_ref(entry.customer.record);
	return 0;
}

static int read_spelling(struct tree *tree, struct node node, struct tree_bytes *ret)
{
	struct cache_key key;
	int length;
	int r;

	r = key_now(tree, node.slot, &key);
	if (r)
		return r;

	for (size_t i = 0; i < array_length(views); i++) {
		if (node.kind != views[i].link)
			continue;
		length = asprintf(&ret->memory, "%s%s", key.key.text, views[i].suffix);
		if (length < 0) {
			ret->memory = NULL;
			return -ENOMEM;
		}
		ret->data = ret->memory;
		ret->length = (size_t)length;
		return 0;
	}
	return -EINVAL;
}

int tree_readlink(struct tree *tree, struct tree_query *query, uint64_t number,
                  struct tree_bytes *ret)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *primary;
	struct node node;
	int r;

	if (!node_unpack(number, &node))
		return -ESTALE;
	*ret = (struct tree_bytes){ 0 };
	if (node.kind != NODE_PRIMARY)
		return read_spelling(tree, node, ret);

	r = entry_now(tree, query, node, &entry);
	if (r)
		return r;
	primary = record_primary_contact(entry.customer.record);
	if (!primary)
		return -ESTALE;
	ret->data = primary->name;
	ret->length = primary->name_length;
	ret->record = record_ref(entry.customer.record);
	return 0;
}

/* Listing */

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

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		fill_top(tree, (struct node){ NODE_KEYS, (uint32_t)kind + 1, 0 }, &attributes);
		if (!emit(listing, key_kind_facts((enum key_kind)kind)->directory, &attributes,
		          true, COOKIE_FIRST + (uint64_t)kind))
			break;
	}
	return 0;
}

/* Only names and numbers: whoever lists a million keys does not want a million nodes. */
static int list_keys(struct tree *tree, enum key_kind kind, struct listing *listing)
{
	uint32_t slot =
	        listing->cookie >= COOKIE_FIRST ? (uint32_t)(listing->cookie - COOKIE_FIRST) : 0;
	struct cache_key key;
	int r;

	for (;;) {
		struct tree_attributes attributes = { .type = S_IFDIR };

		r = catalog_next_key(tree->catalog, kind, slot, &key);
		if (r)
			return r == CATALOG_ABSENT ? 0 : r;

		slot = key.slot;
		attributes.number = node_pack((struct node){ NODE_DIRECTORY, slot, 0 });
		if (!emit(listing, key.key.text, &attributes, false, COOKIE_FIRST + slot))
			return 0;
	}
}

static int list_members(const struct tree *tree, const struct catalog_entry *entry,
                        const struct member *directory, struct listing *listing)
{
	const struct record *record = entry->customer.record;
	uint64_t valid_ms = entry_valid_ms(tree, entry);
	struct tree_attributes attributes;
	const struct member *child;

	if (has_primary(record, directory)) {
		fill_primary(entry, valid_ms, &attributes);
		if (!emit(listing, "primary", &attributes, true, COOKIE_PRIMARY))
			return 0;
	}

	child = record_child_after(record, directory,
	                           listing->cookie >= COOKIE_FIRST
	                                   ? (uint32_t)(listing->cookie - COOKIE_FIRST)
	                                   : 0);
	for (; child; child = record_sibling(record, child)) {
		fill_member(entry, child, valid_ms, &attributes);
		if (!emit(listing, child->name, &attributes, true, COOKIE_FIRST + child->ordinal))
			break;
	}
	return 0;
}

static int list_directory(struct tree *tree, const struct tree_query *query, struct node node,
                          struct listing *listing)
{
	cleanup(catalog_entry_fini) struct catalog_entry entry = { 0 };
	const struct member *directory;
	int r;

	r = entry_now(tree, query, node, &entry);
	if (r)
		return r;
	directory = record_by_ordinal(entry.customer.record, node.ordinal);
	if (!directory || !member_is_directory(directory))
		return -ESTALE;
	return list_members(tree, &entry, directory, listing);
}

int tree_list(struct tree *tree, struct tree_query *query, uint64_t number, uint64_t cookie,
              tree_emit_fn *emit_entry, void *userdata)
{
	struct listing listing = { emit_entry, userdata, cookie };
	struct node node;

	if (!node_unpack(number, &node))
		return -ESTALE;
	if (node.kind != NODE_ROOT && node.kind != NODE_KEYS && node.kind != NODE_DIRECTORY)
		return -ENOTDIR;

	if (!emit_dots(&listing, number))
		return 0;
	if (node.kind == NODE_ROOT)
		return list_root(tree, &listing);
	if (node.kind == NODE_KEYS)
		return list_keys(tree, keys_kind(node), &listing);
	return list_directory(tree, query, node, &listing);
}
