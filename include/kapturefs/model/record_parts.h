#pragma once
/* SPDX-License-Identifier: MIT */
/* How a record is laid out: for payload, which builds it, and the other parts of record. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/record.h"

/* In one allocation with its arrays and all the text that they point to. */
struct record {
	atomic_size_t references; /* the notifier's thread holds some */
	size_t footprint;
	const char *id;
	const char *account;
	const char *json;
	size_t json_length;

	uint32_t count;
	uint32_t next_ordinal;
	uint32_t contacts; /* indices of members; 0, the customer, where there are none */
	uint32_t primary_contact;
	struct record_primary primary;

	/* Orders of all members, as indices. A directory's range is the same in by_name. */
	uint32_t *by_document; /* breadth first, in the order of the answer */
	uint32_t *by_name;     /* names_compare() */
	uint32_t *by_ordinal;

	struct member members[];
};

/** What a record is made of. All of it is copied. */
struct record_parts {
	/*
	 * Breadth first, in the order of the answer. Names are file names, unique
	 * among siblings; the values of numbers and strings come without the
	 * newline, those of other types are ignored, and so are ordinals, times and changes.
	 */
	const struct member *members;
	uint32_t count;
	const char *id;
	const char *account;
	const char *json; /* as sent, without the newline */
	size_t json_length;
};

/** Build a record fresh from payload. Returns 0, the caller owns *@ret; or -ENOMEM. */
int record_new(const struct record_parts *parts, struct record **ret) must_check;

/** Ordinals, times and changes, by the index that the members have now. */
struct identity {
	uint32_t *ordinals; /* the customer's is 0 */
	int64_t *times_ms;
	uint32_t *changes;
	uint32_t next_ordinal;
	struct record_primary primary;
};

/**
 * Make room for @count members in the zeroed *@identity, to be ended with
 * identity_fini() whatever happens. Returns 0 or -ENOMEM.
 */
int identity_init(struct identity *identity, uint32_t count) must_check;
void identity_fini(struct identity *identity);

/**
 * Give the members @identity and arrange them anew. Returns 0; -EILSEQ if an
 * ordinal is used twice, -ENOMEM, both with the record untouched.
 */
int record_identify(struct record *record, const struct identity *identity) must_check;

/** A name that is sorted, and what it belongs to. */
struct named {
	const char *name;
	uint32_t length;
	uint32_t index;
	uint64_t head; /* names_sort() writes the first bytes here, to compare them fast */
};

/** The order of names: shorter ones first, so that 0 to 10 are in order, then byte by byte. */
int names_compare(const char *left, size_t left_length, const char *right, size_t right_length);

/** Sort by names_compare(), equal names by index. */
void names_sort(struct named *names, size_t count);
