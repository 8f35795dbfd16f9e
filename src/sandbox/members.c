/* SPDX-License-Identifier: MIT */
/*
 * The strict scanner of model/json decides what is JSON and where the values
 * stand; cJSON, on its armoured copy, decodes names and strings.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "kapturefs/model/json.h"
#include "kapturefs/model/json_writer.h"
#include "kapturefs/sandbox/members.h"

define_cleanup(cJSON *, cJSON_Delete);

static void member_fini(struct member *member)
{
	free(member->name);
	free(member->value);
	free(member->text);
	*member = (struct member){ .name = NULL };
}

void members_fini(struct members *members)
{
	for (size_t i = 0; i < members->count; i++)
		member_fini(&members->items[i]);
	free(members->items);
	*members = (struct members){ .items = NULL };
}

/* Bytes with a NUL behind them, as both kinds of reader below expect. */
static char *copy_bytes(const char *bytes, size_t length)
{
	char *copy = malloc(length + 1);

	if (copy) {
		memcpy(copy, bytes, length);
		copy[length] = '\0';
	}
	return copy;
}

static int decode(const char *armoured, char **ret, size_t *ret_length)
{
	*ret = strdup(armoured);
	if (!*ret)
		return -ENOMEM;
	*ret_length = json_unarmour(*ret, strlen(*ret));
	(*ret)[*ret_length] = '\0';
	return 0;
}

static int read_member(const cJSON *item, const char *value, size_t length, struct member *member)
{
	int r;

	r = decode(item->string, &member->name, &member->name_length);
	if (r)
		return r;
	member->value = copy_bytes(value, length);
	if (!member->value)
		return -ENOMEM;
	member->value_length = length;
	/* Behind the letter that tells a string from a number. */
	return cJSON_IsString(item)
	               ? decode(item->valuestring + 1, &member->text, &member->text_length)
	               : 0;
}

/* Room for @count members, none of them there yet. */
static int members_allocate(struct members *members, size_t count)
{
	members->items = calloc(count ? count : 1, sizeof(*members->items));
	return members->items ? 0 : -ENOMEM;
}

static int read_object(const char *json, const struct json_scan *scan, const cJSON *root,
                       struct members *members)
{
	const cJSON *item;
	int r;

	r = members_allocate(members, scan->member_count);
	cJSON_ArrayForEach(item, root)
	{
		const struct json_span *span = &scan->members[members->count];

		if (!r)
			r = read_member(item, json + span->start, span->length,
			                &members->items[members->count++]);
	}
	return r;
}

static int read_names(const cJSON *root, struct members *members)
{
	const cJSON *item;
	int r;

	r = members_allocate(members, (size_t)cJSON_GetArraySize(root));
	cJSON_ArrayForEach(item, root)
	{
		struct member *member = &members->items[members->count];

		if (r)
			return r;
		/* Numbers are armoured as strings too; their letter is another. */
		if (!cJSON_IsString(item) || item->valuestring[0] != 's')
			return MEMBERS_INVALID;
		r = decode(item->valuestring + 1, &member->name, &member->name_length);
		members->count++;
	}
	return r;
}

/* The length of the valid JSON value at the beginning of @json, blanks behind it included. */
static size_t length_of_value(const char *json, size_t length)
{
	bool is_quoted = false;
	size_t depth = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		if (json[i] == '\\')
			i++;
		else if (json[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (json[i] == '[' || json[i] == '{'))
			depth++;
		else if (!is_quoted && !depth && (json[i] == ',' || json[i] == ']'))
			break;
		else if (!is_quoted && (json[i] == ']' || json[i] == '}'))
			depth--;
	}
	return i;
}

static int read_elements(const char *json, size_t length, const cJSON *root,
                         struct members *members)
{
	const char *next = memchr(json, '[', length);
	const char *end = json + length;
	size_t count = (size_t)cJSON_GetArraySize(root);
	int r;

	r = members_allocate(members, count);
	for (size_t i = 0; !r && i < count; i++) {
		struct member *member = &members->items[members->count++];

		next++; /* the bracket, or the comma */
		member->value_length = length_of_value(next, (size_t)(end - next));
		member->value = copy_bytes(next, member->value_length);
		if (!member->value)
			return -ENOMEM;
		next += member->value_length;
	}
	return r;
}

/* What is read. */
enum what { OBJECT, NAMES, ELEMENTS };

static int read_any(const char *json, size_t length, enum what what, struct members *ret)
{
	cleanup(json_scan_fini) struct json_scan scan = { .members = NULL };
	cleanup(members_fini) struct members members = { .items = NULL };
	cleanup(cJSON_Deletep) cJSON *root = NULL;
	size_t offset;
	int r;

	r = json_scan(json, length, &scan, &offset);
	if (r)
		return r == -EPROTO ? MEMBERS_INVALID : r;
	root = cJSON_ParseWithLength(scan.armoured.data, scan.armoured.length);
	if (!root)
		return -ENOMEM; /* the scanner has let nothing else through */
	if (what == OBJECT ? !cJSON_IsObject(root) : !cJSON_IsArray(root))
		return MEMBERS_INVALID;

	if (what == OBJECT)
		r = read_object(json, &scan, root, &members);
	else if (what == NAMES)
		r = read_names(root, &members);
	else
		r = read_elements(json, length, root, &members);
	if (r)
		return r;
	*ret = members;
	members = (struct members){ .items = NULL };
	return 0;
}

int members_read(const char *json, size_t length, struct members *ret)
{
	return read_any(json, length, OBJECT, ret);
}

int members_read_names(const char *json, size_t length, struct members *ret)
{
	return read_any(json, length, NAMES, ret);
}

int members_read_elements(const char *json, size_t length, struct members *ret)
{
	return read_any(json, length, ELEMENTS, ret);
}

static bool is_named(const struct member *member, const char *name, size_t length)
{
	return member->name_length == length && memcmp(member->name, name, length) == 0;
}

static struct member *find(const struct members *members, const char *name, size_t length)
{
	for (size_t i = members->count; i-- > 0;) {
		if (is_named(&members->items[i], name, length))
			return &members->items[i];
	}
	return NULL;
}

const struct member *members_find(const struct members *members, const char *name)
{
	return find(members, name, strlen(name));
}

static int append(struct members *members, const struct member *member, char *value)
{
	struct member *items;
	char *name;

	items = reallocarray(members->items, members->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	members->items = items;
	name = copy_bytes(member->name, member->name_length);
	if (!name)
		return -ENOMEM;
	items[members->count++] = (struct member){
		.name = name,
		.name_length = member->name_length,
		.value = value,
		.value_length = member->value_length,
	};
	return 0;
}

int members_set(struct members *members, const struct member *member)
{
	struct member *place = find(members, member->name, member->name_length);
	char *value = copy_bytes(member->value, member->value_length);
	int r = 0;

	if (!value)
		return -ENOMEM;
	if (!place) {
		r = append(members, member, value);
		if (r)
			free(value);
		return r;
	}
	free(place->value);
	free(place->text);
	place->text = NULL; /* only what is read has it */
	place->value = value;
	place->value_length = member->value_length;
	return 0;
}

void members_remove(struct members *members, const struct member *member)
{
	size_t kept = 0;

	for (size_t i = 0; i < members->count; i++) {
		if (is_named(&members->items[i], member->name, member->name_length))
			member_fini(&members->items[i]);
		else
			members->items[kept++] = members->items[i];
	}
	members->count = kept;
}

int members_write(const struct members *members, struct buffer *buffer)
{
	int r;

	r = buffer_append_text(buffer, "{");
	for (size_t i = 0; !r && i < members->count; i++) {
		const struct member *member = &members->items[i];

		if (i)
			r = buffer_append_text(buffer, ",");
		if (!r)
			r = json_append_string(buffer, member->name, member->name_length);
		if (!r)
			r = buffer_append_text(buffer, ":");
		if (!r)
			r = buffer_append(buffer, member->value, member->value_length);
	}
	return r ? r : buffer_append_text(buffer, "}");
}
