/* SPDX-License-Identifier: MIT */
/*
 * The part of notifier that talks to the kernel. -ENOENT is its usual answer: it does not know the
 * node, so it has nothing to drop or to keep.
 *
 * All that a change does is told by the attributes: the kernel asks for them before it shows
 * anything of a node, and gets ESTALE for a value that was replaced or a member that has gone. Then
 * it looks the path up anew, name by name, whatever it believed of the names. There are two things
 * of which it asks nothing: what a link says, which is dropped, and then asked for, with the same
 * end; and a file in the middle of a path, which may be a directory by now. Its name is dropped.
 *
 * To drop a name waits for look-ups in the same directory, which are of that customer. Below by-id
 * and its like it would wait for everybody's look-ups, and have everybody wait; so what is there
 * either means the same whatever changes, or is looked up each time, like <key>.json.
 */

#include <errno.h>
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
static const enum node_kind links_of_key[] = { NODE_KEY_LINK, NODE_JSON_LINK, NODE_META_LINK };
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

void notifier_push_values(struct notifier *notifier, const struct push *push)
{
	const struct member *directory = record_member(push->record, push->directory);

	for (uint32_t i = 0; i < directory->child_count; i++) {
		const struct member *child =
		        record_member(push->record, directory->first_child + i);

		if (!member_is_directory(child) && child->value_length > 0 &&
		    child->value_length <= PUSH_SIZE_MAX)
			push_value(notifier, push->customer, child);
	}
}

/* Pages and names; on the thread */

static void drop_pages(struct notifier *notifier, struct node node)
{
	(void)fuse_lowlevel_notify_inval_inode(notifier->session, node_pack(node), 0, 0);
}

/* Nothing is left of who was forgotten. */
static void drop_all_pages(struct notifier *notifier, const struct urgent *urgent)
{
	const struct member *member;

	for (uint32_t i = 0; (member = record_member(urgent->previous, i)); i++) {
		if (!member_is_directory(member)) {
			drop_pages(notifier, view_field_node(urgent->customer, member));
			continue;
		}
		for (size_t k = 0; k < urgent->key_count; k++)
			drop_pages(notifier,
			           node_of(NODE_DIRECTORY, urgent->numbers[k], member->ordinal));
	}
	drop_pages(notifier, view_json_node(urgent->customer, urgent->previous));
	drop_pages(notifier, view_primary_node(urgent->customer, urgent->previous));
	for (size_t k = 0; k < urgent->key_count; k++) {
		for (size_t i = 0; i < array_length(kinds_of_key); i++)
			drop_pages(notifier, node_of(kinds_of_key[i], urgent->numbers[k], 0));
	}
	for (uint32_t kind = 0; kind < KEY_LISTINGS; kind++)
		drop_pages(notifier, node_of(NODE_KEYS, kind + 1, 0));
}

static const struct member *member_now(const struct record *successor, const struct member *before)
{
	return successor ? record_by_ordinal(successor, before->ordinal) : NULL;
}

/* The directory that stands where @before, a file, stood; or NULL. */
static const struct member *directory_instead(const struct record *previous,
                                              const struct record *successor,
                                              const struct member *before)
{
	const struct member *parent = record_member(previous, before->parent);
	const struct member *child;

	if (member_is_directory(before) || member_now(successor, before))
		return NULL;
	parent = member_now(successor, parent);
	child = parent ? record_child(successor, parent, before->name, before->name_length) : NULL;
	return child && member_is_directory(child) ? child : NULL;
}

static void drop_name(struct notifier *notifier, const struct urgent *urgent,
                      const struct member *before)
{
	uint32_t directory = record_member(urgent->previous, before->parent)->ordinal;

	for (size_t k = 0; k < urgent->key_count; k++) {
		uint64_t number = node_pack(node_of(NODE_DIRECTORY, urgent->numbers[k], directory));

		if (fuse_lowlevel_notify_inval_entry(notifier->session, number, before->name,
		                                     before->name_length) == 0)
			counter_add(&notifier->dropped_entries, 1);
	}
}

/* What the link to the primary contact says, the kernel keeps. */
static bool has_other_primary(const struct record *previous, const struct record *successor)
{
	return !successor ||
	       view_primary_node(0, previous).version != view_primary_node(0, successor).version;
}

static bool has_new_directory(const struct record *previous, const struct record *successor)
{
	const struct member *before;

	for (uint32_t i = 1; (before = record_member(previous, i)); i++) {
		if (directory_instead(previous, successor, before))
			return true;
	}
	return false;
}

bool notifier_has_to_drop(const struct cache_change *change)
{
	const struct record *previous = change->previous;
	const struct record *successor = change->customer.record;

	if (change->place_count || change->is_forgotten || change->ended.count || change->has_led)
		return true;
	if (!previous || (successor && !change->values))
		return false;
	return has_other_primary(previous, successor) || has_new_directory(previous, successor);
}

/* The links of customers who have left the lists of days. */
static void drop_places(struct notifier *notifier, const struct urgent *urgent)
{
	const uint32_t *places = urgent->numbers + urgent->key_count;

	for (size_t k = 0; k < urgent->key_count; k++) {
		for (size_t i = 0; i < urgent->place_count; i++)
			drop_pages(notifier, node_of(NODE_DAY, urgent->numbers[k], places[i]));
	}
}

/* The links to keys by other spellings, of keys that may lead nowhere now. */
static void drop_links(struct notifier *notifier, const struct urgent *urgent)
{
	for (size_t k = 0; k < urgent->key_count; k++) {
		for (size_t i = 0; i < array_length(links_of_key); i++)
			drop_pages(notifier, node_of(links_of_key[i], urgent->numbers[k], 0));
	}
}

void notifier_drop_urgent(struct notifier *notifier, const struct urgent *urgent)
{
	const struct member *before;

	for (size_t i = 0; i < urgent->ended.count; i++)
		drop_pages(notifier, folder_export_node(urgent->ended.generations[i]));
	drop_places(notifier, urgent);
	if (urgent->has_led)
		drop_links(notifier, urgent);
	if (!urgent->previous)
		return;
	if (urgent->is_forgotten) {
		drop_all_pages(notifier, urgent);
		return;
	}
	if (has_other_primary(urgent->previous, urgent->successor))
		drop_pages(notifier, view_primary_node(urgent->customer, urgent->previous));
	for (uint32_t i = 1; (before = record_member(urgent->previous, i)); i++) {
		if (directory_instead(urgent->previous, urgent->successor, before))
			drop_name(notifier, urgent, before);
	}
}

/* Attributes; on the reactor */

bool notifier_expire_node(struct notifier *notifier, uint64_t number)
{
	return fuse_lowlevel_notify_inval_inode(notifier->session, number, -1, 0) != -ENOENT;
}

static void expire(struct notifier *notifier, struct node node)
{
	uint64_t number = node_pack(node);

	if (!notifier_expire_node(notifier, number))
		notifier_expire_later(notifier, number);
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
		if (now && now->changes == before->changes)
			continue;
		if (member_is_directory(before)) {
			expire_directory(notifier, change, before->ordinal);
			continue;
		}
		counter_add(&notifier->changed_values, 1);
		expire(notifier, view_field_node(change->customer.slot, before));
	}
	expire(notifier, view_json_node(change->customer.slot, change->previous));
	expire(notifier, view_primary_node(change->customer.slot, change->previous));
}

/* What is of the customer itself, under whatever key. */
static void expire_values(struct notifier *notifier, const struct cache_customer *customer)
{
	const struct member *member;

	for (uint32_t i = 0; (member = record_member(customer->record, i)); i++) {
		if (!member_is_directory(member))
			expire(notifier, view_field_node(customer->slot, member));
	}
	expire(notifier, view_json_node(customer->slot, customer->record));
	expire(notifier, view_primary_node(customer->slot, customer->record));
}

/*
 * Values of which only the number of links is another. One that the kernel does not know is not
 * expired again: whoever has just listed a customer by a new key would ask for each of them.
 */
static void expire_links(struct notifier *notifier, const struct cache_customer *customer)
{
	const struct member *member;

	for (uint32_t i = 0; (member = record_member(customer->record, i)); i++) {
		if (!member_is_directory(member))
			(void)notifier_expire_node(notifier,
			                           node_pack(view_field_node(customer->slot,
			                                                     member)));
	}
	(void)notifier_expire_node(notifier,
	                           node_pack(view_json_node(customer->slot, customer->record)));
	(void)notifier_expire_node(notifier,
	                           node_pack(view_primary_node(customer->slot, customer->record)));
}

static void expire_directories(struct notifier *notifier, const struct cache_change *change,
                               const struct record *record)
{
	const struct member *member;

	for (uint32_t i = 0; (member = record_member(record, i)); i++) {
		if (member_is_directory(member))
			expire_directory(notifier, change, member->ordinal);
	}
}

static void expire_keys(struct notifier *notifier, const struct cache_change *change)
{
	for (size_t i = 0; i < change->key_count; i++) {
		for (size_t j = 0; j < array_length(kinds_of_key); j++)
			expire(notifier, node_of(kinds_of_key[j], change->keys[i], 0));
	}
}

static void expire_places(struct notifier *notifier, const struct cache_change *change)
{
	for (size_t i = 0; i < change->key_count; i++) {
		for (size_t j = 0; j < change->place_count; j++)
			expire(notifier, node_of(NODE_DAY, change->keys[i], change->places[j]));
	}
}

static void expire_listings(struct notifier *notifier, const struct cache_change *change)
{
	for (int kind = 0; kind < KEY_LISTINGS; kind++) {
		if (change->listing[kind])
			expire(notifier, node_of(NODE_KEYS, (uint32_t)kind + 1, 0));
	}
	/* That dates can be asked for is seen in the root. */
	if (change->listing[KEY_DATE])
		expire(notifier, node_of(NODE_ROOT, 1, 0));
}

/* Of the keys of a customer who was not known the kernel knows nothing. */
static bool is_new(const struct cache_change *change)
{
	return change->customer.record && !change->previous && !change->other.record &&
	       !change->has_gone && !change->at_once && !change->rules;
}

void notifier_expire(struct notifier *notifier, const struct cache_change *change)
{
	const struct cache_customer *customer = &change->customer;
	bool has_changed = change->previous && (!customer->record || change->values);

	expire_listings(notifier, change);
	if (!is_new(change))
		expire_keys(notifier, change);
	expire_places(notifier, change);
	if (has_changed)
		expire_previous(notifier, change);
	if (change->at_once || change->has_gone)
		expire_directory(notifier, change, 0);
	if (customer->record && (change->times || change->rules))
		expire_values(notifier, customer);
	else if (customer->record && change->links)
		expire_links(notifier, customer);
	if (customer->record && (change->times || change->rules))
		expire_directories(notifier, change, customer->record);
	if (change->other.record) {
		expire_values(notifier, &change->other);
		expire_directories(notifier, change, change->other.record);
	}
}
