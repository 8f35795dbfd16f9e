#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Checksums of rows and hashes of keys, keyed by a secret of the cache file: a row that was
 * damaged, moved to another place or taken from another file does not bear the right one.
 */

#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"

struct seal;

enum {
	SEAL_SECRET_SIZE = 33, /* as text, with its NUL: a number of 64 bits and its checksum */
	SEAL_ABSENT_SIZE = 16,
};

/** What a checksum is of: equal values in different tables are different rows. */
enum seal_of {
	SEAL_PROPERTY = 1,
	SEAL_CUSTOMER,
	SEAL_KEY,
	SEAL_ABSENT,
	SEAL_ROSTER,
	SEAL_SIEVE,
};

/** Begin without a secret. Returns 0 or -ENOMEM. */
int seal_new(struct seal **ret) must_check;

/** NULL is ignored. */
void seal_free(struct seal *seal);

/** Make a new secret, and write it down. Returns 0 or a negative errno. */
int seal_make_secret(struct seal *seal, char ret[SEAL_SECRET_SIZE]) must_check;

/** Take a secret that was written down. Returns 0, or -EILSEQ if it is not one. */
int seal_take_secret(struct seal *seal, const char *text) must_check;

/** Make a checksum: begin, add the columns in their order, end. */
void seal_begin(struct seal *seal, enum seal_of of);
void seal_add_integer(struct seal *seal, int64_t value);
void seal_add_bytes(struct seal *seal, const void *bytes, size_t length);
int64_t seal_end(struct seal *seal);

/** By what a key is found. Not unique in theory: compare the text. */
int64_t seal_key_hash(const struct seal *seal, const struct key *key);

/** By what an absence is found, so that the key itself need not be kept. 128 bits: unique. */
void seal_absent_hash(const struct seal *seal, const struct key *key, char ret[SEAL_ABSENT_SIZE]);
