/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/node.h"
#include "kapturefs/model/record_parts.h"

/* Life */

struct record *record_ref(struct record *record)
{
	record->references++;
	return record;
}

void record_unref(struct record *record)
{
	if (record && --record->references == 0)
		free(record);
}

define_cleanup(struct named *, free);

/* Names */

int names_compare(const char *left, size_t left_length, const char *right, size_t right_length)
{
	if (left_length != right_length)
		return left_length < right_length ? -1 : 1;
	return memcmp(left, right, left_length);
}

static int compare_named(const void *left_named, const void *right_named)
{
	const struct named *left = left_named;
	const struct named *right = right_named;
	int order = 0;

	if (left->length != right->length)
		return left->length < right->length ? -1 : 1;
	if (left->head != right->head)
		return left->head < right->head ? -1 : 1;
	if (left->length > sizeof(left->head))
		order = memcmp(left->name, right->name, left->length);
	if (order)
		return order;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* The first bytes as a number that compares as they do. */
static uint64_t read_head(const char *name, size_t length)
{
	uint64_t head = 0;

	memcpy(&head, name, length < sizeof(head) ? length : sizeof(head));
	return be64toh(head);
}

/* The elements of arrays, of which there may be millions, mostly come in order. */
void names_sort(struct named *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		names[i].head = read_head(names[i].name, names[i].length);
	for (size_t i = 1; i < count; i++) {
		if (compare_named(&names[i - 1], &names[i]) > 0) {
			qsort(names, count, sizeof(*names), compare_named);
			return;
		}
	}
}

/* Building */

/* What the file of a member of @type holds whatever was sent, or NULL. */
static const char *constant_value(enum member_type type)
{
	switch (type) {
	case MEMBER_TRUE:
		return "true\n";
	case MEMBER_FALSE:
		return "false\n";
	case MEMBER_NULL:
	case MEMBER_OBJECT:
	case MEMBER_ARRAY:
		return "";
	case MEMBER_NUMBER:
	case MEMBER_STRING:
		break;
	}
	return NULL;
}

static size_t size_of_text(const struct record_parts *parts)
{
	size_t size = strlen(parts->id) + 1 + strlen(parts->account) + 1 + parts->json_length + 2;

	for (uint32_t i = 0; i < parts->count; i++) {
		const struct member *part = &parts->members[i];

		size += part->name_length + (size_t)1;
		if (!constant_value(part->type))
			size += part->value_length + (size_t)2;
	}
	return size;
}

/* Copy to *@place with @ending and a NUL, and move *@place behind that. */
static const char *put_text(char **place, const char *text, size_t length, const char *ending)
{
	char *copy = *place;

	if (length)
		memcpy(copy, text, length);
	*place = stpcpy(copy + length, ending) + 1;
	return copy;
}

static void put_value(char **place, const struct member *part, struct member *member)
{
	bool is_empty = part->value_length == 0;

	member->value = constant_value(part->type);
	if (member->value) {
		member->value_length = (uint32_t)strlen(member->value);
		return;
	}
	member->value = put_text(place, part->value, part->value_length, is_empty ? "" : "\n");
	member->value_length = part->value_length + !is_empty;
}

static void put_members(struct record *record, const struct record_parts *parts, char *place)
{
	record->id = put_text(&place, parts->id, strlen(parts->id), "");
	record->account = put_text(&place, parts->account, strlen(parts->account), "");
	record->json = put_text(&place, parts->json, parts->json_length, "\n");
	record->json_length = parts->json_length + 1;

	for (uint32_t i = 0; i < parts->count; i++) {
		const struct member *part = &parts->members[i];
		struct member *member = &record->members[i];

		*member = *part;
		member->name = put_text(&place, part->name, part->name_length, "");
		member->ordinal = i;
		member->changed_ms = 0;
		member->changes = 0;
		put_value(&place, part, member);
		record->by_document[i] = i;
		record->by_ordinal[i] = i;
	}
}

/* Fill by_name, a directory at a time. */
static int sort_names(struct record *record)
{
	cleanup(freep) struct named *names = NULL;
	uint32_t count_max = 0;

	for (uint32_t i = 0; i < record->count; i++) {
		if (record->members[i].child_count > count_max)
			count_max = record->members[i].child_count;
	}
	names = calloc(count_max + (size_t)1, sizeof(*names));
	if (!names)
		return -ENOMEM;

	record->by_name[0] = 0;
	for (uint32_t i = 0; i < record->count; i++) {
		const struct member *directory = &record->members[i];

		for (uint32_t k = 0; k < directory->child_count; k++) {
			const struct member *child = &record->members[directory->first_child + k];

			names[k] = (struct named){
				.name = child->name,
				.length = child->name_length,
				.index = directory->first_child + k,
			};
		}
		names_sort(names, directory->child_count);
		for (uint32_t k = 0; k < directory->child_count; k++)
			record->by_name[directory->first_child + k] = names[k].index;
	}
	return 0;
}

static uint32_t index_of(const struct record *record, const struct member *member)
{
	return (uint32_t)(member - record->members);
}

static void find_contacts(struct record *record)
{
	const struct member *contacts =
	        record_child(record, record->members, "contacts", strlen("contacts"));

	if (!contacts || contacts->type != MEMBER_ARRAY)
		return;

	record->contacts = index_of(record, contacts);
	for (uint32_t k = 0; k < contacts->child_count; k++) {
		const struct member *contact = &record->members[contacts->first_child + k];
		const struct member *is_primary = record_child(record, contact, "isPrimaryContact",
		                                               strlen("isPrimaryContact"));

		if (contact->type == MEMBER_OBJECT && is_primary &&
		    is_primary->type == MEMBER_TRUE) {
			record->primary_contact = index_of(record, contact);
			return;
		}
	}
}

int record_new(const struct record_parts *parts, struct record **ret)
{
	cleanup(record_unrefp) struct record *record = NULL;
	size_t orders = sizeof(*record) + parts->count * sizeof(struct member);
	size_t text = orders + 3 * sizeof(uint32_t) * parts->count;
	size_t footprint = text + size_of_text(parts);
	int r;

	assert(parts->count > 0);
	record = malloc(footprint);
	if (!record)
		return -ENOMEM;

	*record = (struct record){ .references = 1, .footprint = footprint };
	record->count = parts->count;
	record->next_ordinal = parts->count;
	record->by_document = (uint32_t *)(void *)((char *)record + orders);
	record->by_name = record->by_document + parts->count;
	record->by_ordinal = record->by_name + parts->count;
	put_members(record, parts, (char *)record + text);
	r = sort_names(record);
	if (r)
		return r;

	find_contacts(record);
	*ret = steal(&record);
	return 0;
}

void record_raise(struct record *record, int64_t now_ms)
{
	assert(record->references == 1);
	for (uint32_t i = 0; i < record->count; i++) {
		if (record->members[i].changed_ms < now_ms)
			record->members[i].changed_ms = now_ms;
	}
	if (record->primary.changed_ms < now_ms)
		record->primary.changed_ms = now_ms;
}

/* Reading */

const char *record_id(const struct record *record)
{
	return record->id;
}

const char *record_account(const struct record *record)
{
	return record->account;
}

const char *record_json(const struct record *record, size_t *ret_length)
{
	*ret_length = record->json_length;
	return record->json;
}

size_t record_footprint(const struct record *record)
{
	return record->footprint;
}

const struct member *record_member(const struct record *record, uint32_t index)
{
	return index < record->count ? &record->members[index] : NULL;
}

uint32_t record_member_count(const struct record *record)
{
	return record->count;
}

uint32_t record_next_ordinal(const struct record *record)
{
	return record->next_ordinal;
}

void record_begin_at(struct record *record, uint32_t ordinal)
{
	assert(record->references == 1);
	if (ordinal > NODE_ORDINAL_MAX + 1 - record->next_ordinal)
		return;
	for (uint32_t i = 1; i < record->count; i++)
		record->members[i].ordinal += ordinal;
	record->next_ordinal += ordinal;
}

const struct member *record_by_ordinal(const struct record *record, uint32_t ordinal)
{
	uint32_t low = 0;
	uint32_t high = record->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct member *member = &record->members[record->by_ordinal[middle]];

		if (member->ordinal == ordinal)
			return member;
		if (member->ordinal < ordinal)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct member *record_child(const struct record *record, const struct member *directory,
                                  const char *name, size_t length)
{
	uint32_t low = directory->first_child;
	uint32_t high = low + directory->child_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct member *child = &record->members[record->by_name[middle]];
		int order = names_compare(child->name, child->name_length, name, length);

		if (order == 0)
			return child;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct member *record_child_after(const struct record *record, const struct member *directory,
                                        uint32_t ordinal)
{
	uint32_t end = directory->first_child + directory->child_count;
	uint32_t low = directory->first_child;
	uint32_t high = end;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (record->members[middle].ordinal <= ordinal)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end ? &record->members[low] : NULL;
}

const struct member *record_sibling(const struct record *record, const struct member *child)
{
	const struct member *directory = &record->members[child->parent];
	const struct member *end =
	        &record->members[directory->first_child + directory->child_count];

	if (child == record->members || child + 1 == end)
		return NULL;
	return child + 1;
}

uint16_t member_version(const struct member *member)
{
	return (uint16_t)(member->changes & NODE_VERSION_MAX);
}

uint32_t member_generation(const struct member *member)
{
	return member->changes / (NODE_VERSION_MAX + 1);
}

bool member_is_directory(const struct member *member)
{
	return member->type == MEMBER_OBJECT || member->type == MEMBER_ARRAY;
}

const struct member *record_primary_contact(const struct record *record)
{
	return record->primary_contact ? &record->members[record->primary_contact] : NULL;
}

struct record_primary record_primary(const struct record *record)
{
	return record->primary;
}

const struct member *record_contacts(const struct record *record)
{
	return record->contacts ? &record->members[record->contacts] : NULL;
}
