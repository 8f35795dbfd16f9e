#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Customers that follow from a seed and an index, so that a million of them cost
 * neither memory nor time until they are asked for.
 *
 * Nobody can be reached by what is generated: e-mail addresses are of the
 * domains reserved for examples (RFC 2606), phone numbers begin with country
 * codes that E.164 leaves unassigned.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/model/key.h"
#include "kapturefs/sandbox/sandbox.h"
#include "kapturefs/sandbox/words.h"

enum {
	GENERATOR_CONTACTS_MAX = 4,
	GENERATOR_CUSTOMERS_MAX = 100000000,
};

/** A value; @customers is at most GENERATOR_CUSTOMERS_MAX. An index below is below @customers. */
struct generator {
	uint64_t seed;
	uint32_t customers;
};

/** One contact of a customer. */
struct generated_contact {
	uint32_t id; /* unlike that of any other contact or customer of the seed */
	const struct word_name *given;
	const struct word_name *family;
	bool is_primary; /* true of one contact at most */
	char phone[24];  /* in canonical spelling; "" where it has none */
	char email[96];
};

/** The id that customer @index has. */
uint32_t generator_id(const struct generator *generator, uint32_t index);

/** The culture that its names and places are of. */
const struct culture *generator_culture(const struct generator *generator, uint32_t index);

/**
 * How many contacts customer @index has, 0 to GENERATOR_CONTACTS_MAX; 16
 * customers in a row show every variety.
 */
unsigned generator_contact_count(uint32_t index);

/** Contact number @number, below generator_contact_count(). */
void generator_contact(const struct generator *generator, uint32_t index, unsigned number,
                       struct generated_contact *ret);

/** The id of customer @index and the first phone number and e-mail address among its contacts. */
void generator_keys(const struct generator *generator, uint32_t index, struct sandbox_keys *ret);

/**
 * Find by id, or by the phone or e-mail of any contact. Returns whether there is
 * one, and its index in *@ret.
 */
bool generator_find(const struct generator *generator, const struct key *key, uint32_t *ret);

/** When customer @index was created; Unix time, in seconds. */
int64_t generator_created(const struct generator *generator, uint32_t index);

/** The number of the account that all customers are of. */
uint32_t generator_account(const struct generator *generator);

/**
 * Append customer @index as the object under `Customer Details`, with the members of the vendor's
 * sample in the sample's order. Errors as buffer_append().
 */
int generator_write(const struct generator *generator, uint32_t index,
                    struct buffer *buffer) must_check;
