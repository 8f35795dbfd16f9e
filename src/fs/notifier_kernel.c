/* SPDX-License-Identifier: MIT */
/*
 * The part of notifier that talks to the kernel. -ENOENT is its usual answer: it does not know the
 * node, so it has nothing to drop or to keep.
 *
 * Names are dropped below customers only, and that waits for look-ups in the same directory, which
 * are of that customer. Below by-id and its like it would wait for everybody's look-ups, and have
 * everybody wait; so what is there either means the same whatever changes, or is looked up each
 * time, like <key>.json.
 */

#include <string.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/folder.h"
#include "kapturefs/fs/notifier_parts.h"
#include "kapturefs/fs/view.h"
#include "kapturefs/model/node.h"

enum {
	PUSH_SIZE_MAX = 64 << 10,
	PAGE_BYTES = 4096,
};

/* The nodes of a key's slot beside its directories of a customer. */
static const enum node_kind kinds_of_key[] = {
	NODE_META, NODE_KEY_LINK, NODE_JSON_LINK, NODE_META_LINK, NODE_DAY,
};

static void push_value(struct notifier *notifier, uint32_t customer, const struct member *member)
{
	struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(member->value_length);
	union {
		const char *value;
		void *memory;
	} place = { .value = member->value };
	uint64_t number = node_pack(view_field_node(customer, member));

	bytes.buf[0].mem = place.memory;
	if (fuse_lowlevel_notify_store(notifier->session, number, 0, &bytes, FUSE_BUF_NO_SPLICE) ==
	    0)
		counter_add(&notifier->pushed_pages,
		            (member->value_length + PAGE_BYTES - 1) / PAGE_BYTES);
}

void notifier_push_values(struct notifier *notifier, const struct notice *notice)
{
	const struct member *directory = record_member(notice->record, notice->directory);

	for (uint32_t i = 0; i < directory->child_count; i++) {
		const struct member *child =
		        record_member(notice->record, directory->first_child + i);

		if (!member_is_directory(child) && child->value_length > 0 &&
		    child->value_length <= PUSH_SIZE_MAX)
			push_value(notifier, notice->customer, child);
	}
}

/* Pages */

static void drop_pages(struct notifier *notifier, struct node node)
{
	(void)fuse_lowlevel_notify_inval_inode(notifier->session, node_pack(node), 0, 0);
}

static void drop_value(struct notifier *notifier, struct node node)
{
	counter_add(&notifier->changed_values, 1);
	drop_pages(notifier, node);
}

/* What the member is in a later record, if there is one and it is still there. */
static const struct member *member_now(const struct record *successor, const struct member *before)
{
	return successor ? record_by_ordinal(successor, before->ordinal) : NULL;
}

static void drop_changed_fields(struct notifier *notifier, uint32_t customer,
                                const struct record *previous, const struct record *successor)
{
	const struct member *before;
	const struct member *now;

	for (uint32_t i = 0; (before = record_member(previous, i)); i++) {
		now = member_now(successor, before);
		if (!member_is_directory(before) && (!now || now->changed_ms != before->changed_ms))
			drop_value(notifier, view_field_node(customer, before));
	}
}

void notifier_drop_changed(struct notifier *notifier, uint32_t customer,
                           const struct record *previous, const struct record *successor)
{
	drop_changed_fields(notifier, customer, previous, successor);
	drop_value(notifier, view_json_node(customer, previous));
}

/* Listings, links and states have no versions, so their pages go whatever changed. */
static void drop_pages_of_key(struct notifier *notifier, const struct urgent *urgent, uint32_t key)
{
	const struct member *before;

	for (size_t i = 0; i < array_length(kinds_of_key); i++)
		drop_pages(notifier, node_of(kinds_of_key[i], key, 0));
	for (uint32_t i = 0; (before = record_member(urgent->previous, i)); i++) {
		if (member_is_directory(before))
			drop_pages(notifier, node_of(NODE_DIRECTORY, key, before->ordinal));
	}
}

static void drop_all_pages(struct notifier *notifier, const struct urgent *urgent)
{
	drop_changed_fields(notifier, urgent->customer, urgent->previous, urgent->successor);
	drop_pages(notifier, view_primary_node(urgent->customer, urgent->previous));
	for (size_t i = 0; i < urgent->key_count; i++)
		drop_pages_of_key(notifier, urgent, urgent->keys[i]);
	for (uint32_t kind = 0; !urgent->successor && kind < KEY_LISTINGS; kind++)
		drop_pages(notifier, node_of(NODE_KEYS, kind + 1, 0));
	drop_value(notifier, view_json_node(urgent->customer, urgent->previous));
}

/* Names */

static void drop_name(struct notifier *notifier, uint32_t key, uint32_t directory, const char *name,
                      size_t length)
{
	if (fuse_lowlevel_notify_inval_entry(notifier->session,
	                                     node_pack(node_of(NODE_DIRECTORY, key, directory)),
	                                     name, length) == 0)
		counter_add(&notifier->dropped_entries, 1);
}

static void drop_member(struct notifier *notifier, uint32_t key, const struct record *record,
                        const struct member *member)
{
	drop_name(notifier, key, record_member(record, member->parent)->ordinal, member->name,
	          member->name_length);
}

/*
 * Directories that are still there keep their names, because somebody may be in them. Of the
 * others, what is in them goes along.
 */
static void drop_old_names(struct notifier *notifier, const struct urgent *urgent, uint32_t key)
{
	const struct member *before;

	for (uint32_t i = 1; (before = record_member(urgent->previous, i)); i++) {
		if (!member_now(urgent->successor, before))
			drop_member(notifier, key, urgent->previous, before);
	}
}

/* A name that was not there a moment ago is remembered, too. */
static void drop_present_names(struct notifier *notifier, const struct urgent *urgent, uint32_t key)
{
	const struct member *contacts = record_contacts(urgent->successor);
	const struct member *member;

	for (uint32_t i = 1; (member = record_member(urgent->successor, i)); i++) {
		if (!member_is_directory(member) ||
		    !record_by_ordinal(urgent->previous, member->ordinal))
			drop_member(notifier, key, urgent->successor, member);
	}
	if (contacts)
		drop_name(notifier, key, contacts->ordinal, "primary", strlen("primary"));
}

void notifier_drop_urgent(struct notifier *notifier, const struct urgent *urgent)
{
	for (size_t i = 0; i < urgent->ended.count; i++)
		drop_pages(notifier, folder_export_node(urgent->ended.generations[i]));
	if (!urgent->previous)
		return;
	drop_all_pages(notifier, urgent);
	for (size_t i = 0; i < urgent->key_count; i++) {
		drop_old_names(notifier, urgent, urgent->keys[i]);
		if (urgent->successor)
			drop_present_names(notifier, urgent, urgent->keys[i]);
	}
}

/* Attributes; on the reactor */

static void expire(struct notifier *notifier, struct node node)
{
	(void)fuse_lowlevel_notify_inval_inode(notifier->session, node_pack(node), -1, 0);
}

/* Directories are of the keys' slots, and each has its own of the customer's. */
static void expire_directory(struct notifier *notifier, const struct cache_change *change,
                             uint32_t ordinal)
{
	for (size_t i = 0; i < change->key_count; i++)
		expire(notifier, node_of(NODE_DIRECTORY, change->keys[i], ordinal));
}

/* What was there and is no more, or is not any longer what it was. */
static void expire_previous(struct notifier *notifier, const struct cache_change *change)
{
	const struct member *before;
	const struct member *now;

	for (uint32_t i = 0; (before = record_member(change->previous, i)); i++) {
		now = member_now(change->customer.record, before);
		if (now && now->changed_ms == before->changed_ms)
			continue;
		if (member_is_directory(before))
			expire_directory(notifier, change, before->ordinal);
		else
			expire(notifier, view_field_node(change->customer.slot, before));
	}
	expire(notifier, view_json_node(change->customer.slot, change->previous));
	expire(notifier, view_primary_node(change->customer.slot, change->previous));
}

static void expire_keys(struct notifier *notifier, const struct cache_change *change)
{
	expire_directory(notifier, change, 0);
	for (size_t i = 0; i < change->key_count; i++) {
		for (size_t j = 0; j < array_length(kinds_of_key); j++)
			expire(notifier, node_of(kinds_of_key[j], change->keys[i], 0));
	}
}

void notifier_expire(struct notifier *notifier, const struct cache_change *change)
{
	for (int kind = 0; kind < KEY_LISTINGS; kind++) {
		if (change->listing[kind])
			expire(notifier, node_of(NODE_KEYS, (uint32_t)kind + 1, 0));
	}
	/* That dates can be asked for is seen in the root. */
	if (change->listing[KEY_DATE])
		expire(notifier, node_of(NODE_ROOT, 1, 0));
	/*
	 * Who opens a directory that the kernel believes in is only told when reading it that it
	 * is none any more; one that it does not believe in is looked up again.
	 */
	if (change->at_once || change->roster || change->has_gone)
		expire_keys(notifier, change);
	if (change->previous && (!change->customer.record || change->values))
		expire_previous(notifier, change);
}
