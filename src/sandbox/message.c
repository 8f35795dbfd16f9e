/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/date.h"
#include "kapturefs/sandbox/members.h"
#include "kapturefs/sandbox/message.h"

enum { LIMIT_DEFAULT = 100 };

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

static int read_day(const struct member *member, int32_t *ret)
{
	return is_left_out(member) || !member->text ||
	                       date_parse(member->text, member->text_length, ret)
	               ? MESSAGE_INVALID
	               : 0;
}

static int read_number(const struct member *member, uint64_t otherwise, uint64_t *ret)
{
	*ret = otherwise;
	if (is_left_out(member))
		return 0;
	return member->text && message_read_number(member->text, 0, UINT32_MAX, ret)
	               ? 0
	               : MESSAGE_INVALID;
}

int message_read_range(const char *body, size_t length, struct message_range *ret)
{
	cleanup(members_fini) struct members members = { .items = NULL };
	struct message_range range;
	int r;

	r = members_read(body, length, &members);
	if (r)
		return r;
	r = read_number(members_find(&members, "cm_id"), 0, &range.account);
	if (!r)
		r = read_day(members_find(&members, "createStartDate"), &range.first);
	if (!r)
		r = read_day(members_find(&members, "createEndDate"), &range.last);
	if (!r)
		r = read_number(members_find(&members, "limit"), LIMIT_DEFAULT, &range.limit);
	if (!r)
		r = read_number(members_find(&members, "offset"), 0, &range.offset);
	if (r)
		return r;
	if (range.last < range.first)
		return MESSAGE_INVALID;
	*ret = range;
	return 0;
}

static int read_boolean(const struct member *member, bool *ret)
{
	*ret = strcmp(member->value, "true") == 0;
	return *ret || strcmp(member->value, "false") == 0 ? 0 : MESSAGE_INVALID;
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
