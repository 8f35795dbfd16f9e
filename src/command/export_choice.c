/* SPDX-License-Identifier: MIT */
/* The columns of --columns: a mistake in one would be an empty column that nobody notices. */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kapturefs/base/spelling.h"
#include "kapturefs/command/export_parts.h"

bool export_choice_has(struct export_columns *columns, const char *name)
{
	size_t place;

	return export_columns_place(columns, name, strlen(name), &place) == 0 && place != SIZE_MAX;
}

int export_choice_read(const char *list, struct export_columns *ret,
                       struct config_complaint *complaint)
{
	for (const char *at = list;; at++) {
		size_t length = strcspn(at, ",");
		size_t count = ret->names.count;
		size_t place;
		int r;

		if (!length)
			return config_complain(
			        complaint,
			        "--columns: no list of columns, separated by commas: "
			        "column %zu has no name",
			        count + 1);
		r = export_columns_place(ret, at, length, &place);
		if (r)
			return r;
		if (ret->names.count == count)
			return config_complain(complaint, "--columns: column %zu, %s: named twice",
			                       count + 1,
			                       string_set_at(&ret->names, (uint32_t)place));
		at += length;
		if (!*at)
			break;
	}
	ret->is_closed = true;
	return 0;
}

bool export_choice_is_within(const struct export_columns *chosen, struct export_columns *known)
{
	for (size_t i = 0; i < chosen->names.count; i++) {
		if (!export_choice_has(known, string_set_at(&chosen->names, (uint32_t)i)))
			return false;
	}
	return true;
}

/* A column of what has a path of its own, or NULL: `generationDate.year` for `generationDate`. */
static const char *find_part(const struct export_columns *known, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < known->names.count; i++) {
		if (strncmp(string_set_at(&known->names, (uint32_t)i), name, length) == 0 &&
		    string_set_at(&known->names, (uint32_t)i)[length] == '.')
			return string_set_at(&known->names, (uint32_t)i);
	}
	return NULL;
}

static const char *find_near(const struct export_columns *known, const char *name)
{
	struct spelling spelling = { .word = name };

	for (size_t i = 0; i < known->names.count; i++)
		spelling_try(&spelling, string_set_at(&known->names, (uint32_t)i));
	return spelling.nearest;
}

int export_choice_check(const struct export_columns *chosen, struct export_columns *known,
                        struct export_columns *others, struct config_complaint *complaint)
{
	for (size_t i = 0; i < chosen->names.count; i++) {
		const char *name = string_set_at(&chosen->names, (uint32_t)i);
		const char *part = find_part(known, name);
		const char *near = find_near(known, name);

		if (export_choice_has(known, name))
			continue;
		if (part)
			return config_complain(
			        complaint,
			        "--columns: column %zu, %s: an object; its columns are "
			        "%s and so on",
			        i + 1, name, part);
		if (export_choice_has(others, name))
			return config_complain(
			        complaint, "--columns: column %zu, %s: in the other table; give %s",
			        i + 1, name,
			        export_choice_has(known, "customer") ? "no --contacts"
			                                             : "--contacts");
		return config_complain(complaint,
		                       "--columns: column %zu, %s: there is no such column%s%s%s",
		                       i + 1, name, near ? "; did you mean " : "", near ? near : "",
		                       near ? "?" : "");
	}
	return 0;
}
