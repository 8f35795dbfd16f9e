/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/sandbox/members.h"
#include "kapturefs/sandbox/message.h"

enum {
	DELAY_MS_MAX = 600000,
	STATUS_MIN = 200, /* what is below is not the end of an answer */
	STATUS_MAX = 599,
};

bool message_read_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret)
{
	unsigned long long value;

	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno || value < minimum || value > maximum)
		return false;
	*ret = value;
	return true;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/*
 * What stands between the brackets is one value exactly if it is JSON by itself:
 * no element is nothing, and two have a comma between them.
 */
static int read_only_element(const char *body, size_t length, struct members *ret)
{
	while (length && is_blank(*body)) {
		body++;
		length--;
	}
	while (length && is_blank(body[length - 1]))
		length--;
	if (length < 2 || body[0] != '[' || body[length - 1] != ']')
		return MESSAGE_INVALID;
	return members_read(body + 1, length - 2, ret);
}

static bool is_left_out(const struct member *member)
{
	return !member || strcmp(member->value, "null") == 0 ||
	       (member->text && !member->text_length);
}

static int read_key(const struct member *member, enum key_kind kind, struct key *ret)
{
	if (!member->text)
		return MESSAGE_INVALID;
	/* Strings may be spelled as people spell them; 1.5 is a number and no phone number. */
	if (member->value[0] != '"' && member->text[strspn(member->text, "0123456789")])
		return MESSAGE_INVALID;
	return key_parse(kind, member->text, member->text_length, ret) ? MESSAGE_INVALID : 0;
}

int message_read_request(const char *body, size_t length, struct key *ret)
{
	static const enum key_kind precedence[] = { KEY_ID, KEY_EMAIL, KEY_PHONE };
	cleanup(members_fini) struct members members = { .items = NULL };
	int r;

	r = read_only_element(body, length, &members);
	if (r)
		return r;
	for (size_t i = 0; i < array_length(precedence); i++) {
		const char *name = key_kind_facts(precedence[i])->request_member;
		const struct member *member = members_find(&members, name);

		if (!is_left_out(member))
			return read_key(member, precedence[i], ret);
	}
	return MESSAGE_INVALID;
}

/* The readers of one member each; 0, MESSAGE_INVALID or -ENOMEM. */

static int read_number(const struct member *member, uint64_t minimum, uint64_t maximum,
                       uint64_t *ret)
{
	/* A number, and not a string that looks like one. */
	if (!member->text || member->value[0] == '"')
		return MESSAGE_INVALID;
	return message_read_number(member->text, minimum, maximum, ret) ? 0 : MESSAGE_INVALID;
}

static int read_boolean(const struct member *member, bool *ret)
{
	*ret = strcmp(member->value, "true") == 0;
	return *ret || strcmp(member->value, "false") == 0 ? 0 : MESSAGE_INVALID;
}

static int read_body(const struct member *member, struct behaviour *behaviour)
{
	if (member->value[0] != '"')
		return MESSAGE_INVALID;
	free(behaviour->body);
	behaviour->body = malloc(member->text_length + 1);
	if (!behaviour->body)
		return -ENOMEM;
	memcpy(behaviour->body, member->text, member->text_length + 1);
	behaviour->body_length = member->text_length;
	return 0;
}

static int read_behaviour_key(const struct member *member, struct behaviour *behaviour)
{
	if (is_left_out(member) || !member->text)
		return MESSAGE_INVALID;
	free(behaviour->key);
	behaviour->key = strdup(member->text);
	return behaviour->key ? 0 : -ENOMEM;
}

static int read_behaviour_member(const struct member *member, struct behaviour *behaviour)
{
	uint64_t number = 0;
	int r = MESSAGE_INVALID;

	if (strcmp(member->name, "delay_ms") == 0) {
		r = read_number(member, 0, DELAY_MS_MAX, &number);
		behaviour->is_delayed = true;
		behaviour->delay_ms = (uint32_t)number;
	} else if (strcmp(member->name, "status") == 0) {
		r = read_number(member, STATUS_MIN, STATUS_MAX, &number);
		behaviour->status = (unsigned)number;
	} else if (strcmp(member->name, "count") == 0) {
		r = read_number(member, 1, UINT32_MAX, &number);
		behaviour->is_counted = true;
		behaviour->count = (uint32_t)number;
	} else if (strcmp(member->name, "body") == 0) {
		r = read_body(member, behaviour);
	} else if (strcmp(member->name, "hang") == 0) {
		r = read_boolean(member, &behaviour->is_hanging);
	} else if (strcmp(member->name, "key") == 0) {
		r = read_behaviour_key(member, behaviour);
	}
	return r;
}

int message_read_behaviour(const char *body, size_t length, struct behaviour **ret)
{
	cleanup(members_fini) struct members members = { .items = NULL };
	cleanup(behaviour_freep) struct behaviour *behaviour = NULL;
	int r;

	r = members_read(body, length, &members);
	if (r)
		return r;
	if (members.count) {
		behaviour = calloc(1, sizeof(*behaviour));
		if (!behaviour)
			return -ENOMEM;
		list_init(&behaviour->link);
	}
	for (size_t i = 0; i < members.count; i++) {
		r = read_behaviour_member(&members.items[i], behaviour);
		if (r)
			return r;
	}
	*ret = steal(&behaviour);
	return 0;
}

static int read_change_member(const struct member *member, struct change *change)
{
	if (strcmp(member->name, "set") == 0 && !change->set.items)
		return members_read(member->value, member->value_length, &change->set);
	if (strcmp(member->name, "remove") == 0 && !change->removed.items)
		return members_read_names(member->value, member->value_length, &change->removed);
	if (strcmp(member->name, "deleted") == 0) {
		change->has_deleted = true;
		return read_boolean(member, &change->is_deleted);
	}
	return strcmp(member->name, "id") == 0 ? 0 : MESSAGE_INVALID;
}

int message_read_change(const char *body, size_t length, struct key *ret_id, struct change *ret)
{
	cleanup(members_fini) struct members members = { .items = NULL };
	cleanup(change_fini) struct change change = { .has_deleted = false };
	const struct member *id;
	int r;

	r = members_read(body, length, &members);
	if (r)
		return r;
	id = members_find(&members, "id");
	r = id ? read_key(id, KEY_ID, ret_id) : MESSAGE_INVALID;
	for (size_t i = 0; !r && i < members.count; i++)
		r = read_change_member(&members.items[i], &change);
	if (r)
		return r;

	*ret = change;
	change = (struct change){ .has_deleted = false };
	return 0;
}
