#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of `get`: what its files share, and nobody else uses. */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/keyword.h"
#include "kapturefs/model/record.h"

struct get_key {
	struct key key;
	char *word;       /* as the user wrote it */
	bool is_possible; /* else nobody can have it */
};

struct get {
	struct get_key *keys;
	size_t count;
	size_t capacity;
	const char *field; /* the only one to be printed, or NULL */
	int status;        /* of the worst key */
	uint32_t phone_country;
};

/* get_print.c */

/** Whether @path can be that of a field: names between single slashes, none `.` or `..`. */
bool get_is_field(const char *path);

/** Print a customer or its field, on standard output. */
void get_print_record(struct get *get, size_t place, const struct record *record);

/** Say on standard error why there is nothing for a key: the @cause, if it is known. */
void get_complain(struct get *get, size_t place, int error, const char *cause);

/** Say that nobody can have the key. */
void get_complain_impossible(struct get *get, size_t place);

/* get_mount.c */

/** Read all from a mount of @source; false, nothing printed, if none can be read. */
bool get_through_mount(struct get *get, const char *source);
