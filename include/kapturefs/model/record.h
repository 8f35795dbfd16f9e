#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * One customer as an immutable, reference-counted tree of named values.
 *
 * A record is one allocation. Its members stand in an array, breadth first:
 * the customer itself is member 0 with ordinal 0, and the children of a directory are
 * next to each other, in the order of their ordinals. An ordinal is the member's address for as
 * long as the cache knows the customer: it is kept from one answer to the
 * next (record_settle()), and one that has been used is not used for anything else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum member_type {
	MEMBER_NULL,
	MEMBER_FALSE,
	MEMBER_TRUE,
	MEMBER_NUMBER,
	MEMBER_STRING,
	MEMBER_OBJECT,
	MEMBER_ARRAY,
};

struct member {
	const char *name;  /* file name, unique among its siblings, NUL-terminated */
	const char *value; /* what the file holds, newline included; "" for a directory */
	uint32_t name_length;
	uint32_t value_length;
	uint32_t ordinal;
	uint32_t parent;      /* indices of members */
	uint32_t first_child; /* of objects and arrays */
	uint32_t child_count;
	int64_t changed_ms; /* when this value, or anything below, was first seen; Unix time */
	uint32_t changes;   /* how often it has changed since it came */
	enum member_type type;
};

/** Which of the contacts is the primary one, as something that changes. */
struct record_primary {
	int64_t changed_ms; /* when it last became another, or none */
	uint32_t changes;
};

struct record; /* opaque; see the accessors */

struct record *record_ref(struct record *record);
/** Drop one reference; NULL is ignored. */
void record_unref(struct record *record);
define_cleanup(struct record *, record_unref);

/** The customer's `id` and `cmId` as text; "" where the answer has none. */
const char *record_id(const struct record *record);
const char *record_account(const struct record *record);

/** The object as the API sent it, followed by one newline. */
const char *record_json(const struct record *record, size_t *ret_length);

/** Bytes of memory that the record takes. */
size_t record_footprint(const struct record *record);

/** The member at @index, or NULL beyond the last. */
const struct member *record_member(const struct record *record, uint32_t index);
uint32_t record_member_count(const struct record *record);

/** The first ordinal that no member of this customer has ever had. */
uint32_t record_next_ordinal(const struct record *record);

/** The member with @ordinal, or NULL. */
const struct member *record_by_ordinal(const struct record *record, uint32_t ordinal);

/** The child of @directory with the file name @name, or NULL. */
const struct member *record_child(const struct record *record, const struct member *directory,
                                  const char *name, size_t length);

/**
 * The first child of @directory with an ordinal above @ordinal, or NULL; for listing step by
 * step.
 */
const struct member *record_child_after(const struct record *record, const struct member *directory,
                                        uint32_t ordinal);

/** The child after @child in its directory, or NULL. */
const struct member *record_sibling(const struct record *record, const struct member *child);

/**
 * A number that tells a value from those that stood in its place before and after, at most
 * NODE_VERSION_MAX: so it comes round again, each time in another generation.
 */
uint16_t member_version(const struct member *member);
uint32_t member_generation(const struct member *member);

/** Whether the member is shown as a directory. */
bool member_is_directory(const struct member *member);

/** The element of `contacts` whose isPrimaryContact is true (the first, if several), or NULL. */
const struct member *record_primary_contact(const struct record *record);
struct record_primary record_primary(const struct record *record);
/** The customer's `contacts`, if that is an array, or NULL. */
const struct member *record_contacts(const struct record *record);

/*
 * Identity. A record fresh from payload has ordinals in document order, no times, and no changes.
 */

/**
 * Whether the version @version of the member with @ordinal is still shown to somebody, so that no
 * other value may have it.
 */
typedef bool record_is_shown_fn(void *userdata, uint32_t ordinal, uint16_t version);

/** When an answer came, and what it must not be taken for. */
struct record_moment {
	int64_t now_ms;
	record_is_shown_fn *is_shown; /* NULL: nothing is */
	void *userdata;
};

/**
 * Give @fresh the ordinals, times and changes of @previous (NULL for a customer never seen): a
 * member with the same path and the same nature (file or directory) keeps its ordinal; a file with
 * the same bytes, and a directory in which nothing changed, keep their time; everything else gets
 * @moment's, or a later one than it had. A directory changes when something below it changes, comes
 * or goes, when an element of an array comes to stand elsewhere, and when a value changes its type
 * without changing its bytes.
 *
 * Must be called before the record is shared. Returns 0 with *@ret_changed telling whether anything
 * changed, came or went; -EFBIG when ordinals run out; -ENOMEM.
 */
int record_settle(struct record *fresh, const struct record *previous,
                  const struct record_moment *moment, bool *ret_changed) must_check;

/**
 * Have the members of @record, just settled against none, begin with @ordinal, but for the first;
 * nothing happens where the ordinals would run out.
 */
void record_begin_at(struct record *record, uint32_t ordinal);

/**
 * A key came to lead here that led elsewhere: nothing of the customer is older than @now_ms any
 * more. Before the record is shared.
 */
void record_raise(struct record *record, int64_t now_ms);

/**
 * The ordinals, times and changes as compact bytes for the cache, NUL bytes included; the caller
 * frees *@ret. Returns 0 or -ENOMEM.
 */
int record_save_identity(const struct record *record, char **ret, size_t *ret_length) must_check;

/**
 * The inverse, on a record fresh from payload made from the same JSON. Returns 0; -EILSEQ when
 * the bytes do not fit this record and this JSON, -ENOMEM, both with the record untouched.
 */
int record_load_identity(struct record *record, const char *bytes, size_t length) must_check;

/**
 * When anything of the customer last changed, from those bytes alone, which must be known to be
 * whole. Returns 0 or -EILSEQ.
 */
int record_identity_changed_ms(const char *bytes, size_t length, int64_t *ret) must_check;

/** The same for the first ordinal that no member of the customer has ever had. */
int record_identity_next_ordinal(const char *bytes, size_t length, uint32_t *ret) must_check;
