/* SPDX-License-Identifier: MIT */
/*
 * Every key is a number made from the index by a permutation of its own, with
 * something fixed around it:
 *
 *   id       permuted index, behind ID_FIRST
 *   contact  (id, number of the contact), behind CONTACT_FIRST
 *   phone    83 <number of the contact> <permuted index, 9 digits>
 *   e-mail   given.family<permuted index * 4 + number of the contact>@example.org
 *
 * To find a key is to undo that, and to look whether the customer found really has it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/sandbox/dice.h"
#include "kapturefs/sandbox/generator.h"

enum purpose {
	PURPOSE_ID = 1,
	PURPOSE_PHONE,
	PURPOSE_EMAIL,
	PURPOSE_CULTURE,
	PURPOSE_PERSON,
};

enum {
	ID_FIRST = 100000000,
	CONTACT_FIRST = 400000000, /* ids end below */
};

/* ITU-T keeps the country codes 830 to 839 spare; 830 to 833 are made of the contact's number. */
#define PHONE_PREFIX "83"

enum { PHONE_LENGTH = 12 };

/* What the contacts of a customer have: a bit a contact. */
struct shape {
	uint8_t count;
	uint8_t phones;
	uint8_t emails;
	uint8_t primary;
};

/* A table rather than a throw of the dice: few customers are enough to meet every variety. */
static const struct shape shapes[] = {
	{ 1, 0x1, 0x1, 0x1 }, { 2, 0x3, 0x1, 0x1 }, { 1, 0x1, 0x1, 0x1 }, { 3, 0x3, 0x7, 0x2 },
	{ 0, 0x0, 0x0, 0x0 }, { 1, 0x1, 0x0, 0x1 }, { 4, 0xb, 0xd, 0x4 }, { 1, 0x0, 0x1, 0x1 },
	{ 2, 0x3, 0x3, 0x0 }, { 1, 0x1, 0x1, 0x1 }, { 1, 0x0, 0x0, 0x1 }, { 2, 0x2, 0x3, 0x1 },
	{ 1, 0x1, 0x1, 0x1 }, { 3, 0x7, 0x6, 0x1 }, { 1, 0x1, 0x1, 0x0 }, { 4, 0xf, 0xf, 0x8 },
};

static const char *const domains[] = { "example.com", "example.org", "example.net" };

static const struct shape *shape_of(uint32_t index)
{
	return &shapes[index % array_length(shapes)];
}

uint32_t generator_id(const struct generator *generator, uint32_t index)
{
	return ID_FIRST + dice_permute(generator->seed, PURPOSE_ID, index);
}

const struct culture *generator_culture(const struct generator *generator, uint32_t index)
{
	struct dice dice = dice_of(generator->seed, PURPOSE_CULTURE, index);
	size_t count;
	const struct culture *cultures = words_cultures(&count);

	return &cultures[dice_roll(&dice, (uint32_t)count)];
}

unsigned generator_contact_count(uint32_t index)
{
	return shape_of(index)->count;
}

static void write_phone(const struct generator *generator, uint32_t index, unsigned number,
                        struct generated_contact *contact)
{
	snprintf(contact->phone, sizeof(contact->phone), PHONE_PREFIX "%u%09u", number,
	         dice_permute(generator->seed, PURPOSE_PHONE, index));
}

static void write_email(const struct generator *generator, uint32_t index, unsigned number,
                        const char *domain, struct generated_contact *contact)
{
	uint32_t tag =
	        dice_permute(generator->seed, PURPOSE_EMAIL, index) * GENERATOR_CONTACTS_MAX +
	        number;

	snprintf(contact->email, sizeof(contact->email), "%s.%s%u@%s", contact->given->latin,
	         contact->family->latin, tag, domain);
	for (char *letter = contact->email; *letter; letter++) {
		if (*letter >= 'A' && *letter <= 'Z')
			*letter = (char)(*letter - 'A' + 'a');
	}
}

void generator_contact(const struct generator *generator, uint32_t index, unsigned number,
                       struct generated_contact *ret)
{
	const struct culture *culture = generator_culture(generator, index);
	const struct shape *shape = shape_of(index);
	struct dice dice = dice_of(generator->seed, PURPOSE_PERSON,
	                           (uint64_t)index * GENERATOR_CONTACTS_MAX + number);

	*ret = (struct generated_contact){
		.id = CONTACT_FIRST +
		      (generator_id(generator, index) - ID_FIRST) * GENERATOR_CONTACTS_MAX + number,
		.given = &culture->given[dice_roll(&dice, WORDS_GIVEN)],
		.family = &culture->family[dice_roll(&dice, WORDS_FAMILY)],
		.is_primary = shape->primary >> number & 1,
	};
	if (shape->phones >> number & 1)
		write_phone(generator, index, number, ret);
	if (shape->emails >> number & 1)
		write_email(generator, index, number,
		            domains[dice_roll(&dice, array_length(domains))], ret);
}

void generator_keys(const struct generator *generator, uint32_t index, struct sandbox_keys *ret)
{
	*ret = (struct sandbox_keys){ .id = "" };
	snprintf(ret->id, sizeof(ret->id), "%u", generator_id(generator, index));
	for (unsigned number = generator_contact_count(index); number-- > 0;) {
		struct generated_contact contact;

		generator_contact(generator, index, number, &contact);
		if (contact.phone[0])
			memcpy(ret->phone, contact.phone, sizeof(ret->phone));
		if (contact.email[0])
			memcpy(ret->email, contact.email, sizeof(ret->email));
	}
}

/* Undo a permutation. Returns whether an index of the generator's went in. */
static bool find_index(const struct generator *generator, enum purpose purpose, uint64_t value,
                       uint32_t *ret)
{
	if (value >= DICE_PERMUTATION_SIZE)
		return false;
	*ret = dice_unpermute(generator->seed, purpose, (uint32_t)value);
	return *ret < generator->customers;
}

static bool find_id(const struct generator *generator, const char *text, uint32_t *ret)
{
	uint64_t id;

	errno = 0;
	id = strtoull(text, NULL, 10);
	return !errno && id >= ID_FIRST && find_index(generator, PURPOSE_ID, id - ID_FIRST, ret);
}

static bool find_phone(const struct generator *generator, const char *text, uint32_t *ret)
{
	const size_t prefix = strlen(PHONE_PREFIX);
	struct generated_contact contact;
	unsigned number;

	if (strlen(text) != PHONE_LENGTH || strncmp(text, PHONE_PREFIX, prefix) != 0)
		return false;

	number = (unsigned)(text[prefix] - '0');
	if (!find_index(generator, PURPOSE_PHONE, strtoull(text + prefix + 1, NULL, 10), ret) ||
	    number >= generator_contact_count(*ret))
		return false;
	generator_contact(generator, *ret, number, &contact);
	return strcmp(contact.phone, text) == 0;
}

static bool find_email(const struct generator *generator, const char *text, uint32_t *ret)
{
	const char *tag = strchr(text, '@');
	struct generated_contact contact;
	uint64_t value;

	if (!tag)
		return false;
	while (tag > text && tag[-1] >= '0' && tag[-1] <= '9')
		tag--;

	/* A number that is too long comes out as the greatest there is, which no index is. */
	value = strtoull(tag, NULL, 10);
	if (!find_index(generator, PURPOSE_EMAIL, value / GENERATOR_CONTACTS_MAX, ret) ||
	    value % GENERATOR_CONTACTS_MAX >= generator_contact_count(*ret))
		return false;
	generator_contact(generator, *ret, value % GENERATOR_CONTACTS_MAX, &contact);
	return strcmp(contact.email, text) == 0;
}

bool generator_find(const struct generator *generator, const struct key *key, uint32_t *ret)
{
	uint32_t index;
	bool is_found = false;

	switch (key->kind) {
	case KEY_ID:
		is_found = find_id(generator, key->text, &index);
		break;
	case KEY_PHONE:
		is_found = find_phone(generator, key->text, &index);
		break;
	case KEY_EMAIL:
		is_found = find_email(generator, key->text, &index);
		break;
	case KEY_DATE:
	case KEY_LISTINGS:
		break;
	}
	if (is_found)
		*ret = index;
	return is_found;
}
