/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/export_parts.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/model/payload.h"

enum { TOLD_MAX = 20 };

struct left_out {
	size_t line;
	const char *why;
	struct key id; /* its text is empty if that cannot be read, either */
};

/* What is wrong with one customer. Other errors are everybody's. */
static const struct reason {
	int error;
	const char *why;
} reasons[] = {
	{ -E2BIG, "more columns than a table has room for; name those wanted by --columns" },
	{ -ENAMETOOLONG, "nested too deeply for a column; name those wanted by --columns" },
	{ -EFBIG, "too large" },
	{ -EPROTO, "no customer's object" },
};

void export_left_rewind(struct export_left *left)
{
	left->next = 0;
}

bool export_left_has(struct export_left *left, size_t line)
{
	if (left->next == left->count || left->items[left->next].line != line)
		return false;
	left->next++;
	return true;
}

static int make_room(struct export_left *left)
{
	size_t capacity = left->capacity ? left->capacity * 2 : 16;
	struct left_out *items;

	if (left->count < left->capacity)
		return 0;
	items = reallocarray(left->items, capacity, sizeof(*items));
	if (!items)
		return -ENOMEM;
	left->items = items;
	left->capacity = capacity;
	return 0;
}

/* Behind those before it: a later pass may find somebody whom an earlier one has let through. */
static int insert(struct export_left *left, const struct left_out *item)
{
	size_t behind = left->count - left->next;
	int r;

	r = make_room(left);
	if (r)
		return r;
	memmove(left->items + left->next + 1, left->items + left->next,
	        behind * sizeof(*left->items));
	left->items[left->next++] = *item;
	left->count++;
	return 0;
}

int export_left_add(struct export_left *left, size_t line, const char *json, size_t length,
                    int error)
{
	struct left_out item = { .line = line };
	int r;

	for (size_t i = 0; !item.why && i < array_length(reasons); i++) {
		if (reasons[i].error == error)
			item.why = reasons[i].why;
	}
	if (!item.why)
		return error;
	r = payload_read_id(json, length, &item.id);
	if (r == -ENOMEM)
		return r;
	if (r)
		item.id.text[0] = '\0';
	return insert(left, &item);
}

int export_left_tell(const struct export_left *left)
{
	for (size_t i = 0; i < left->count && i < TOLD_MAX; i++) {
		const struct left_out *item = &left->items[i];
		const char *id = item->id.text;

		terminal_complain("kapturefs: export: customer %s: left out: %s",
		                  *id ? id : "without an id", item->why);
	}
	if (left->count > TOLD_MAX)
		terminal_complain("kapturefs: export: %zu more customers are left out",
		                  left->count - TOLD_MAX);
	return left->count ? EXIT_LOCAL : EXIT_OK;
}

void export_left_fini(struct export_left *left)
{
	free(left->items);
	*left = (struct export_left){ 0 };
}
