#pragma once
/* SPDX-License-Identifier: MIT */
/* Strings, each once, by place: in the order in which they were added. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

/** Zero to begin with. */
struct string_set {
	uint32_t count;
	uint32_t capacity;
	uint32_t *starts;    /* by place, of the string among the bytes */
	uint32_t *buckets;   /* places + 1 by hash, 0 for none; twice the capacity */
	struct buffer bytes; /* of the strings, each with its NUL */
};

void string_set_fini(struct string_set *set);

/** The outcome of string_set_add() for a string that is there already. */
enum { STRING_SET_KNOWN = 1 };

/**
 * Add the string of @length bytes, without a NUL among them. Returns 0, or STRING_SET_KNOWN, with
 * its place in *@ret_place; -EFBIG beyond 4 GiB, or -ENOMEM.
 */
int string_set_add(struct string_set *set, const char *string, size_t length,
                   uint32_t *ret_place) must_check;

/** Whether the string is there, with its place in *@ret_place. */
bool string_set_find(const struct string_set *set, const char *string, size_t length,
                     uint32_t *ret_place) must_check;

/** The string at @place, which is less than the count; borrowed until the next one is added. */
const char *string_set_at(const struct string_set *set, uint32_t place);

/** Forget all but the first @count. */
void string_set_cut(struct string_set *set, uint32_t count);

/** A hash for tables in memory; strings that are the same have another one with another @seed. */
uint64_t string_hash(const char *string, size_t length, uint64_t seed);
