/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/sandbox/dice.h"
#include "kapturefs/sandbox/generator.h"

enum {
	MANY = 3000,
	CYCLE = 16, /* customers that show every variety */
};

static const struct generator generator = { .seed = 1, .customers = MANY };

static bool finds(const struct generator *from, enum key_kind kind, const char *text, uint32_t *ret)
{
	struct key key;

	assert_int_equal(key_parse(kind, text, strlen(text), &key), 0);
	assert_true(key_is_spelled(&key, text, strlen(text)));
	return generator_find(from, &key, ret);
}

static void assert_leads_to(const struct generator *from, enum key_kind kind, const char *text,
                            uint32_t index)
{
	uint32_t found = UINT32_MAX;

	if (!finds(from, kind, text, &found) || found != index)
		fail_msg("customer %u is not found by %s", index, text);
}

static void assert_is_nobodys(enum key_kind kind, const char *text)
{
	uint32_t found = UINT32_MAX;

	if (finds(&generator, kind, text, &found))
		fail_msg("customer %u is found by %s", found, text);
	assert_int_equal(found, UINT32_MAX);
}

static void test_permutations_lead_back_and_differ(void **state)
{
	uint32_t equal = 0;

	(void)state;
	for (uint32_t value = 0; value < DICE_PERMUTATION_SIZE; value += 99991) {
		uint32_t there = dice_permute(7, 1, value);

		assert_true(there < DICE_PERMUTATION_SIZE);
		assert_int_equal(dice_unpermute(7, 1, there), value);
		equal += there == value;
		equal += there == dice_permute(7, 2, value);
		equal += there == dice_permute(8, 1, value);
	}
	assert_int_equal(dice_unpermute(7, 1, dice_permute(7, 1, DICE_PERMUTATION_SIZE - 1)),
	                 DICE_PERMUTATION_SIZE - 1);
	assert_true(equal < 5);
}

static void assert_keys_lead_back(const struct generator *from, uint32_t index)
{
	struct sandbox_keys keys;

	generator_keys(from, index, &keys);
	assert_leads_to(from, KEY_ID, keys.id, index);
	for (unsigned number = 0; number < generator_contact_count(index); number++) {
		struct generated_contact contact;

		generator_contact(from, index, number, &contact);
		if (contact.phone[0])
			assert_leads_to(from, KEY_PHONE, contact.phone, index);
		if (contact.email[0])
			assert_leads_to(from, KEY_EMAIL, contact.email, index);
		assert_true(!contact.phone[0] || keys.phone[0]);
		assert_true(!contact.email[0] || keys.email[0]);
	}
}

static void test_every_key_leads_back_to_its_customer(void **state)
{
	const struct generator all = { .seed = UINT64_MAX, .customers = GENERATOR_CUSTOMERS_MAX };

	(void)state;
	for (uint32_t index = 0; index < MANY; index++)
		assert_keys_lead_back(&generator, index);
	for (uint32_t index = 1; index <= CYCLE; index++)
		assert_keys_lead_back(&all, GENERATOR_CUSTOMERS_MAX - index);
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(left, right);
}

enum { TEXTS_MAX = MANY * (1 + GENERATOR_CONTACTS_MAX) };

/* A set of texts in which nothing may come twice. */
struct texts {
	char (*all)[96];
	size_t count;
};

static void texts_add(struct texts *texts, const char *text)
{
	if (!texts->all)
		texts->all = calloc(TEXTS_MAX, sizeof(*texts->all));
	assert_non_null(texts->all);
	assert_true(texts->count < TEXTS_MAX);
	snprintf(texts->all[texts->count++], sizeof(*texts->all), "%s", text);
}

static void assert_unique(struct texts *texts)
{
	assert_true(texts->count > MANY / 2);
	qsort(texts->all, texts->count, sizeof(*texts->all), compare_texts);
	for (size_t i = 1; i < texts->count; i++)
		assert_string_not_equal(texts->all[i - 1], texts->all[i]);
	free(texts->all);
}

static void test_ids_phones_and_emails_are_unique(void **state)
{
	struct texts ids = { .count = 0 };
	struct texts phones = { .count = 0 };
	struct texts emails = { .count = 0 };

	(void)state;
	for (uint32_t index = 0; index < MANY; index++) {
		char id[16];

		snprintf(id, sizeof(id), "%u", generator_id(&generator, index));
		texts_add(&ids, id);
		for (unsigned number = 0; number < generator_contact_count(index); number++) {
			struct generated_contact contact;

			generator_contact(&generator, index, number, &contact);
			snprintf(id, sizeof(id), "%u", contact.id);
			texts_add(&ids, id);
			if (contact.phone[0])
				texts_add(&phones, contact.phone);
			if (contact.email[0])
				texts_add(&emails, contact.email);
		}
	}
	assert_unique(&ids);
	assert_unique(&phones);
	assert_unique(&emails);
}

static void test_keys_that_are_nearly_right_are_nobodys(void **state)
{
	struct generated_contact contact;
	char email[sizeof(contact.email) + 2];
	struct sandbox_keys keys;
	const struct generator larger = { .seed = 1, .customers = MANY + 1 };

	(void)state;
	generator_keys(&larger, MANY, &keys);
	assert_is_nobodys(KEY_ID, keys.id);
	assert_is_nobodys(KEY_ID, "0");
	assert_is_nobodys(KEY_ID, "99999999999999999999");

	generator_contact(&generator, 0, 0, &contact);
	snprintf(email, sizeof(email), "x%s", contact.email);
	assert_is_nobodys(KEY_EMAIL, email);
	snprintf(email, sizeof(email), "%sx", contact.email);
	assert_is_nobodys(KEY_EMAIL, email);
	assert_is_nobodys(KEY_EMAIL, strpbrk(contact.email, "0123456789"));
	assert_is_nobodys(KEY_EMAIL, "nobody@example.com");
	assert_is_nobodys(KEY_EMAIL, "a99999999999999999999999@example.com");

	contact.phone[2]++; /* a second contact, which it has not */
	assert_is_nobodys(KEY_PHONE, contact.phone);
	contact.phone[2] = '9';
	assert_is_nobodys(KEY_PHONE, contact.phone);
	assert_is_nobodys(KEY_PHONE, contact.phone + 1);
}

static bool has_phone(uint32_t index, unsigned number)
{
	struct generated_contact contact;

	if (number >= generator_contact_count(index))
		return false;
	generator_contact(&generator, index, number, &contact);
	return contact.phone[0] != '\0';
}

static void test_a_phone_finds_a_contact_that_has_one(void **state)
{
	(void)state;
	for (uint32_t index = 0; index < CYCLE; index++) {
		struct sandbox_keys keys;

		generator_keys(&generator, index, &keys);
		for (unsigned number = 0; number <= 9 && keys.phone[0]; number++) {
			keys.phone[2] = (char)('0' + number);
			if (has_phone(index, number))
				assert_leads_to(&generator, KEY_PHONE, keys.phone, index);
			else
				assert_is_nobodys(KEY_PHONE, keys.phone);
		}
	}
}

/* Ids that are random numbers far apart would hide it. */
static void test_contacts_of_customers_with_neighbouring_ids_are_apart(void **state)
{
	const struct generator all = { .seed = 1, .customers = GENERATOR_CUSTOMERS_MAX };
	unsigned pairs = 0;

	(void)state;
	for (uint32_t index = 0; index < MANY; index++) {
		struct generated_contact contact;
		struct generated_contact other;
		uint32_t neighbour;
		char id[16];

		snprintf(id, sizeof(id), "%u", generator_id(&all, index) + 1);
		if (!finds(&all, KEY_ID, id, &neighbour) || !generator_contact_count(index) ||
		    !generator_contact_count(neighbour))
			continue;
		generator_contact(&all, index, generator_contact_count(index) - 1, &contact);
		generator_contact(&all, neighbour, 0, &other);
		assert_true(contact.id < other.id);
		pairs++;
	}
	assert_true(pairs > MANY / 10);
}

static void test_names_are_varied(void **state)
{
	struct texts names = { .count = 0 };
	unsigned distinct = 0;

	(void)state;
	for (uint32_t index = 0; index < MANY; index++) {
		for (unsigned number = 0; number < generator_contact_count(index); number++) {
			struct generated_contact contact;
			char name[sizeof(*names.all)];

			generator_contact(&generator, index, number, &contact);
			snprintf(name, sizeof(name), "%s %s", contact.given->written,
			         contact.family->written);
			texts_add(&names, name);
		}
	}
	qsort(names.all, names.count, sizeof(*names.all), compare_texts);
	for (size_t i = 1; i < names.count; i++)
		distinct += strcmp(names.all[i - 1], names.all[i]) != 0;
	assert_true(distinct > 500);
	free(names.all);
}

static void test_few_customers_show_every_variety(void **state)
{
	bool counts[GENERATOR_CONTACTS_MAX + 1] = { false };
	bool has_phone_only = false;
	bool has_email_only = false;
	bool has_later_primary = false;

	(void)state;
	for (uint32_t index = 0; index < CYCLE; index++) {
		unsigned count = generator_contact_count(index);
		unsigned primary = 0;
		struct sandbox_keys keys;

		counts[count] = true;
		generator_keys(&generator, index, &keys);
		has_phone_only |= keys.phone[0] && !keys.email[0];
		has_email_only |= keys.email[0] && !keys.phone[0];
		for (unsigned number = 0; number < count; number++) {
			struct generated_contact contact;

			generator_contact(&generator, index, number, &contact);
			primary += contact.is_primary;
			has_later_primary |= contact.is_primary && number;
		}
		assert_true(primary <= 1);
	}
	for (size_t i = 0; i < array_length(counts); i++)
		assert_true(counts[i]);
	assert_true(has_phone_only && has_email_only && has_later_primary);
}

static void test_nobody_can_be_reached(void **state)
{
	(void)state;
	for (uint32_t index = 0; index < MANY; index++) {
		struct sandbox_keys keys;

		generator_keys(&generator, index, &keys);
		if (keys.phone[0])
			assert_true(strlen(keys.phone) == 12 && memcmp(keys.phone, "83", 2) == 0);
		if (keys.email[0]) {
			const char *domain = strchr(keys.email, '@');

			assert_true(strcmp(domain, "@example.com") == 0 ||
			            strcmp(domain, "@example.org") == 0 ||
			            strcmp(domain, "@example.net") == 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permutations_lead_back_and_differ),
		cmocka_unit_test(test_every_key_leads_back_to_its_customer),
		cmocka_unit_test(test_ids_phones_and_emails_are_unique),
		cmocka_unit_test(test_keys_that_are_nearly_right_are_nobodys),
		cmocka_unit_test(test_a_phone_finds_a_contact_that_has_one),
		cmocka_unit_test(test_contacts_of_customers_with_neighbouring_ids_are_apart),
		cmocka_unit_test(test_names_are_varied),
		cmocka_unit_test(test_few_customers_show_every_variety),
		cmocka_unit_test(test_nobody_can_be_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
