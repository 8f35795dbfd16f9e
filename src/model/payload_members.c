/* SPDX-License-Identifier: MIT */
/*
 * The tree is walked breadth first. A directory is expanded by listing what the
 * parser found in it, dropping what does not count, and adding the rest to the
 * draft under file names.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/naming.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/model/record_parts.h"
#include "payload_listing.h"
#include "payload_members.h"

define_cleanup(char *, free);

/* The record in the making. */
struct draft {
	struct member *members; /* room for every item that was parsed; names to come */
	cJSON **items;          /* what each member is made of */
	uint32_t count;
	struct buffer names; /* the members' file names one after the other, each with a NUL */
	struct buffer scratch;
};

static bool is_number(const cJSON *item)
{
	return cJSON_IsString(item) && item->valuestring[0] == 'n';
}

static enum member_type type_of(const cJSON *item)
{
	if (cJSON_IsObject(item))
		return MEMBER_OBJECT;
	if (cJSON_IsArray(item))
		return MEMBER_ARRAY;
	if (cJSON_IsString(item))
		return is_number(item) ? MEMBER_NUMBER : MEMBER_STRING;
	if (cJSON_IsTrue(item))
		return MEMBER_TRUE;
	return cJSON_IsFalse(item) ? MEMBER_FALSE : MEMBER_NULL;
}

/* Names */

/* Write the file name of the listed item at @place, with its NUL, and its length to *@ret. */
static int encode_name(struct draft *draft, const struct listing *listing, uint32_t place,
                       uint32_t salt, char name[NAMING_LENGTH_MAX + 1], uint32_t *ret)
{
	const struct named *sent = &listing->names[place];
	size_t length;
	int r;

	if (!sent->name) {
		*ret = (uint32_t)snprintf(name, NAMING_LENGTH_MAX + 1, "%u", place);
		return 0;
	}

	buffer_clear(&draft->scratch);
	r = buffer_append(&draft->scratch, sent->name, sent->length);
	if (r)
		return r;
	length = json_unarmour(draft->scratch.data, sent->length);
	*ret = (uint32_t)naming_encode(draft->scratch.data, length, salt, name);
	return 0;
}

/* Beside the contacts stands the link to one of them, which none may hide; see view.h. */
static uint32_t escape_primary(char name[NAMING_LENGTH_MAX + 1], uint32_t length)
{
	if (strcmp(name, "primary") != 0)
		return length;
	return (uint32_t)snprintf(name, NAMING_LENGTH_MAX + 1, "%%%02Xrimary", (unsigned)'p');
}

static bool is_contacts(const struct draft *draft, uint32_t index)
{
	return index > 0 && draft->members[index].parent == 0 &&
	       draft->members[index].type == MEMBER_ARRAY &&
	       strcmp(draft->items[index]->string, "contacts") == 0;
}

/* Members */

/* Takes the armour off the item's text, where the value stands until the record is made. */
static void set_value(struct member *member, const cJSON *item)
{
	if (member->type != MEMBER_STRING && member->type != MEMBER_NUMBER)
		return;

	member->value = item->valuestring + 1;
	member->value_length =
	        (uint32_t)json_unarmour(item->valuestring + 1, strlen(item->valuestring + 1));
}

static void add_member(struct draft *draft, cJSON *item, uint32_t parent, uint32_t name_length)
{
	struct member *member = &draft->members[draft->count];

	*member = (struct member){
		.parent = parent,
		.name_length = name_length,
		.type = type_of(item),
	};
	set_value(member, item);
	draft->items[draft->count++] = item;
}

static int add_listed(struct draft *draft, const struct listing *listing, uint32_t parent)
{
	char name[NAMING_LENGTH_MAX + 1];
	uint32_t length;
	int r;

	for (uint32_t i = 0; i < listing->count; i++) {
		r = encode_name(draft, listing, i, 0, name, &length);
		if (!r && is_contacts(draft, parent))
			length = escape_primary(name, length);
		if (!r)
			r = buffer_append(&draft->names, name, length + (size_t)1);
		if (r)
			return r;
		add_member(draft, listing->items[i], parent, length);
	}
	return 0;
}

/* Collect the names that may have been cut, sorted, in listing->sorted; returns their number. */
static uint32_t find_cut(const struct draft *draft, struct listing *listing, uint32_t first,
                         size_t start)
{
	const char *name = draft->names.data + start;
	uint32_t count = 0;

	for (uint32_t i = 0; i < listing->count; i++) {
		uint32_t length = draft->members[first + i].name_length;

		if (listing->names[i].length > NAMING_LENGTH_MAX / 3)
			listing->sorted[count++] = (struct named){
				.name = name,
				.length = length,
				.index = i,
			};
		name += length + 1;
	}
	names_sort(listing->sorted, count);
	return count;
}

/*
 * Two names in one directory meet only when both are cut and their hashes are
 * the same. All but the last of them get another salt, until none meet; the
 * length stays, because only the hash depends on the salt.
 */
static int tell_apart(struct draft *draft, struct listing *listing, uint32_t first, size_t start)
{
	bool is_done = false;

	for (uint32_t salt = 1; !is_done; salt++) {
		uint32_t count = find_cut(draft, listing, first, start);

		is_done = true;
		for (uint32_t i = 0; i < count; i++) {
			const struct named *meeting = &listing->sorted[i];
			char name[NAMING_LENGTH_MAX + 1];
			uint32_t length;
			int r;

			if (!listing_is_repeated(listing->sorted, count, i))
				continue;
			r = encode_name(draft, listing, meeting->index, salt, name, &length);
			if (r)
				return r;
			memcpy(draft->names.data + (meeting->name - draft->names.data), name,
			       length);
			is_done = false;
		}
	}
	return 0;
}

static int expand(struct draft *draft, uint32_t index)
{
	cleanup(listing_fini) struct listing listing = { 0 };
	const cJSON *item = draft->items[index];
	struct member *directory = &draft->members[index];
	size_t start = draft->names.length;
	int r;

	r = listing_init(&listing, item);
	if (r || !listing.count)
		return r;
	if (directory->type == MEMBER_OBJECT)
		listing_drop_repeated(&listing);
	else
		listing_name_elements(&listing);

	directory->first_child = draft->count;
	directory->child_count = listing.count;
	r = add_listed(draft, &listing, index);
	return r ? r : tell_apart(draft, &listing, directory->first_child, start);
}

/* Draft */

static void draft_fini(struct draft *draft)
{
	free(draft->members);
	free(draft->items);
	buffer_fini(&draft->names);
	buffer_fini(&draft->scratch);
}

/* The gate lets nothing through that is nested deeper than JSON_DEPTH_MAX. */
static uint32_t count_items(const cJSON *item)
{
	uint32_t count = 1;

	for (const cJSON *child = item->child; child; child = child->next)
		count += count_items(child);
	return count;
}

static int draft_init(struct draft *draft, cJSON *customer)
{
	uint32_t count = count_items(customer);

	if (count > PAYLOAD_VALUES_MAX)
		return -EFBIG;
	buffer_init(&draft->names, SIZE_MAX);
	buffer_init(&draft->scratch, SIZE_MAX);
	draft->members = calloc(count, sizeof(*draft->members));
	draft->items = calloc(count, sizeof(cJSON *));
	if (!draft->members || !draft->items)
		return -ENOMEM;

	add_member(draft, customer, 0, 0);
	return buffer_append(&draft->names, "", 1);
}

static int draft_tree(struct draft *draft)
{
	const char *name;
	int r;

	for (uint32_t i = 0; i < draft->count; i++) {
		if (!member_is_directory(&draft->members[i]))
			continue;
		r = expand(draft, i);
		if (r)
			return r;
	}

	name = draft->names.data;
	for (uint32_t i = 0; i < draft->count; i++) {
		draft->members[i].name = name;
		name += draft->members[i].name_length + 1;
	}
	return 0;
}

/* As a number, whatever zeros it begins with; 0 is what the API has for none. */
bool payload_find_id(const cJSON *customer, struct key *ret)
{
	const cJSON *id = payload_last_member(customer, "id");

	return id && cJSON_IsString(id) &&
	       key_parse(KEY_ID, id->valuestring + 1, strlen(id->valuestring + 1), ret) == 0 &&
	       strcmp(ret->text, "0") != 0;
}

int payload_build(cJSON *customer, const char *json, size_t length, struct record **ret)
{
	cleanup(draft_fini) struct draft draft = { 0 };
	cleanup(freep) char *account = NULL;
	const cJSON *cm_id = payload_last_member(customer, "cmId");
	struct record_parts parts;
	struct key key;
	int r;

	if (!payload_find_id(customer, &key))
		return -EPROTO;
	/* A U+0000 in it stays armoured: that tells it from all other accounts as well. */
	account = strdup(cm_id && cJSON_IsString(cm_id) ? cm_id->valuestring + 1 : "");
	if (!account)
		return -ENOMEM;

	r = draft_init(&draft, customer);
	if (!r)
		r = draft_tree(&draft);
	if (r)
		return r;

	parts = (struct record_parts){
		.members = draft.members,
		.count = draft.count,
		.id = key.text,
		.account = account,
		.json = json,
		.json_length = length,
	};
	return record_new(&parts, ret);
}
