#pragma once
/* SPDX-License-Identifier: MIT */
/* What a reply says when it does not say what it should. */

#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/sandbox/answer.h"

enum content {
	CONTENT_HONEST,
	CONTENT_BODY,    /* a text of the rule's own */
	CONTENT_ABSENT,  /* the documented failures */
	CONTENT_REFUSED, /* ... */
	CONTENT_EMPTY,
	CONTENT_HTML,        /* a page to sign in at */
	CONTENT_SWAPPED,     /* the answer to another question */
	CONTENT_WRONG_TYPES, /* an array where the object should be */
	CONTENT_CUT_JSON,    /* half of it, as a whole reply */
	CONTENT_TWICE,       /* two documents */
	CONTENT_NOT_UTF8,
	CONTENT_DEEP, /* nested; `size` levels */
	CONTENT_MANY, /* `size` values in one array */
	CONTENT_HUGE, /* a string of `size` bytes */
	CONTENT_BOMB, /* small, and unpacks to more than `size` bytes */
	CONTENTS,
};

/** What the content is made from. */
enum content_base {
	BASE_NOTHING,
	BASE_HONEST, /* the honest answer */
	BASE_OTHER,  /* the honest answer about another customer */
	BASE_ABSENT,
	BASE_REFUSED,
};

enum content_base content_base(enum content content);

/** The name in fault plans, NULL for what has none; and the content of that name, or CONTENTS. */
const char *content_name(enum content content);
enum content content_find(const char *name);

/** Whether `size` means something to it. */
bool content_has_size(enum content content);

/** Make the body that stands in @answer into the content. Errors as buffer_append(). */
int content_make(enum content content, uint32_t size, struct answer *answer) must_check;
