/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kapturefs/fs/view.h"

enum { META_SIZE_MAX = 1024 };

static const struct view views[] = {
	{ ".json", NODE_JSON, NODE_JSON_LINK },
	{ ".meta", NODE_META, NODE_META_LINK },
	{ "", NODE_DIRECTORY, NODE_KEY_LINK },
};

const struct view *view_by_name(const char *name, size_t *length)
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

const struct view *view_by_kind(enum node_kind kind)
{
	for (size_t i = 0; i < array_length(views); i++) {
		if (views[i].kind == kind || views[i].link == kind)
			return &views[i];
	}
	return NULL;
}

struct node view_field_node(uint32_t slot, const struct member *member)
{
	return (struct node){ NODE_FIELD, slot, member->ordinal, member_version(member) };
}

/* It changes with the customer as a whole, which is the first member, with ordinal 0. */
struct node view_json_node(uint32_t slot, const struct record *record)
{
	return (struct node){ NODE_JSON, slot, 0, member_version(record_member(record, 0)) };
}

/* The kernel keeps what a link says, so that a link that says something else is another node. */
struct node view_primary_node(uint32_t slot, const struct record *record)
{
	uint32_t changes = record_primary(record).changes;

	return (struct node){ NODE_PRIMARY, slot, 0, (uint16_t)(changes & NODE_VERSION_MAX) };
}

bool view_shows(const struct record *record, const struct node *node)
{
	const struct member *member = record_by_ordinal(record, node->ordinal);

	return member && member_version(member) == node->version &&
	       member_is_directory(member) == (node->kind == NODE_JSON);
}

/* Who lists a directory that has expired is to ask. */
static uint64_t directory_valid_ms(const struct catalog_entry *entry)
{
	return entry->is_stale ? 0 : entry->valid_ms;
}

void view_fill_member(const struct catalog_entry *entry, const struct member *member,
                      struct tree_attributes *ret)
{
	bool is_directory = member_is_directory(member);

	*ret = (struct tree_attributes){
		.number = node_pack(
		        is_directory ? node_of(NODE_DIRECTORY, entry->key.slot, member->ordinal)
		                     : view_field_node(entry->customer.slot, member)),
		.generation = is_directory ? 0 : member_generation(member),
		.type = is_directory ? S_IFDIR : S_IFREG,
		.links = is_directory ? 1 : entry->customer.keys,
		.size = member->value_length,
		.changed_ms = member->changed_ms,
		.valid_ms = is_directory ? directory_valid_ms(entry) : entry->valid_ms,
		.is_expired = is_directory && entry->is_stale,
	};
}

void view_fill_primary(const struct catalog_entry *entry, struct tree_attributes *ret)
{
	struct record_primary changed = record_primary(entry->customer.record);
	const struct member *primary = record_primary_contact(entry->customer.record);

	*ret = (struct tree_attributes){
		.number =
		        node_pack(view_primary_node(entry->customer.slot, entry->customer.record)),
		.generation = changed.changes / (NODE_VERSION_MAX + 1),
		.type = S_IFLNK,
		.links = entry->customer.keys,
		.size = primary->name_length,
		.changed_ms = changed.changed_ms,
		.valid_ms = entry->valid_ms,
	};
}

/*
 * Its name means one version, and is where the kernel cannot be made to drop names; see
 * notifier_kernel.c.
 */
static void fill_json(const struct catalog_entry *entry, struct tree_attributes *ret)
{
	size_t length;

	record_json(entry->customer.record, &length);
	*ret = (struct tree_attributes){
		.number = node_pack(view_json_node(entry->customer.slot, entry->customer.record)),
		.generation = member_generation(record_member(entry->customer.record, 0)),
		.type = S_IFREG,
		.links = entry->customer.keys,
		.size = length,
		.changed_ms = entry->customer.changed_ms,
		.valid_ms = entry->valid_ms,
		.is_fleeting = true,
	};
}

/* When what the key shows last changed, if only because it came to show it. */
static int64_t key_changed_ms(const struct catalog_entry *entry)
{
	return entry->key.since_ms > entry->customer.changed_ms ? entry->key.since_ms
	                                                        : entry->customer.changed_ms;
}

static void fill_link(const struct catalog_entry *entry, enum node_kind kind, size_t length,
                      struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(kind, entry->key.slot, 0)),
		.type = S_IFLNK,
		.links = 1,
		.size = length,
		.changed_ms = key_changed_ms(entry),
		.valid_ms = entry->valid_ms,
	};
}

/* As of the first member, which is the customer. */
static void fill_directory(const struct catalog_entry *entry, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_DIRECTORY, entry->key.slot, 0)),
		.type = S_IFDIR,
		.links = 1,
		.changed_ms = key_changed_ms(entry),
		.valid_ms = directory_valid_ms(entry),
		.is_expired = entry->is_stale,
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

int view_print_meta(const struct catalog_entry *entry, struct buffer *text)
{
	int r;

	r = buffer_print(text, "id=%s\nkey=%s:%s\n", record_id(entry->customer.record),
	                 key_kind_facts(entry->key.key.kind)->word, entry->key.key.text);
	if (!r)
		r = print_time(text, "fetched", entry->key.fetched_ms);
	if (!r)
		r = print_time(text, "expires", entry->expires_ms);
	if (!r)
		r = print_time(text, "changed", entry->customer.changed_ms);
	if (!r)
		r = buffer_print(text, "state=%s\nsource=%s\n", entry->is_stale ? "stale" : "fresh",
		                 entry->is_from_api ? "api" : "cache");
	return r;
}

/*
 * The text follows from the answer and its state alone, and so does the time at which it became
 * what it is: whoever sees the same time may keep the text.
 */
static int fill_meta(const struct catalog_entry *entry, struct tree_attributes *ret)
{
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, META_SIZE_MAX);
	r = view_print_meta(entry, &text);
	if (r)
		return r;

	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_META, entry->key.slot, 0)),
		.type = S_IFREG,
		.links = 1,
		.size = text.length,
		.changed_ms = entry->stated_ms,
		.valid_ms = entry->valid_ms,
	};
	return 0;
}

bool view_has_primary(const struct record *record, const struct member *directory)
{
	return directory == record_contacts(record) && record_primary_contact(record);
}

int view_fill(const struct view *view, bool is_link, const struct catalog_entry *entry,
              struct tree_attributes *ret)
{
	char name[KEY_NAME_SIZE];

	if (is_link) {
		key_print_name(&entry->key.key, name);
		fill_link(entry, view->link, strlen(name) + strlen(view->suffix), ret);
		return 0;
	}
	if (view->kind == NODE_JSON) {
		fill_json(entry, ret);
		return 0;
	}
	if (view->kind == NODE_META)
		return fill_meta(entry, ret);

	fill_directory(entry, ret);
	return 0;
}

bool view_is_brief(const struct view *view, bool is_link)
{
	return is_link || view->kind == NODE_DIRECTORY;
}

bool view_asks(const struct view *view, bool is_link)
{
	return view->kind == NODE_JSON && !is_link;
}
