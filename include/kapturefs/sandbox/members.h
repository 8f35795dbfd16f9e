#pragma once
/* SPDX-License-Identifier: MIT */
/* The members of one JSON object, in order, with their values as sent. */

#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct member {
	char *name;
	size_t name_length;
	char *value; /* JSON, as sent */
	size_t value_length;
	char *text; /* what a string says, the digits of a number; else NULL */
	size_t text_length;
};

/** Zero-initialized it is empty. */
struct members {
	struct member *items;
	size_t count;
};

/** The outcome for what is not JSON of the kind that is read. */
enum { MEMBERS_INVALID = 1 };

/** Read an object. Returns 0 with *@ret to be ended by members_fini(), MEMBERS_INVALID, -ENOMEM. */
int members_read(const char *json, size_t length, struct members *ret) must_check;

/** Read an array of strings as members that have nothing but names. As members_read(). */
int members_read_names(const char *json, size_t length, struct members *ret) must_check;

/** Read an array as members that have nothing but values. As members_read(). */
int members_read_elements(const char *json, size_t length, struct members *ret) must_check;

void members_fini(struct members *members);

/** The last member of that name, or NULL. */
const struct member *members_find(const struct members *members, const char *name);

/** Give the member of @member's name its value, or append it. Copies. Returns 0 or -ENOMEM. */
int members_set(struct members *members, const struct member *member) must_check;

/** Drop every member of @member's name. */
void members_remove(struct members *members, const struct member *member);

/** Append the object as JSON. Errors as buffer_append(). */
int members_write(const struct members *members, struct buffer *buffer) must_check;
