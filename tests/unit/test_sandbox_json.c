/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/sandbox/generator.h"
#include "kapturefs/sandbox/members.h"

enum {
	MANY = 3000,
	CYCLE = 16, /* customers that show every variety */
	JSON_MAX = 1 << 20,
};

static const struct generator generator = { .seed = 1, .customers = MANY };

/* To be freed. */
static char *generated(const struct generator *from, uint32_t index)
{
	struct buffer buffer;

	buffer_init(&buffer, JSON_MAX);
	assert_int_equal(generator_write(from, index, &buffer), 0);
	return buffer_steal(&buffer);
}

static void test_equal_seeds_generate_equal_customers_and_others_do_not(void **state)
{
	const struct generator again = { .seed = 1, .customers = 2 * MANY };
	const struct generator other = { .seed = 2, .customers = MANY };

	(void)state;
	for (uint32_t index = 0; index < CYCLE; index++) {
		char *first = generated(&generator, index);
		char *second = generated(&again, index);
		char *third = generated(&other, index);

		assert_string_equal(first, second);
		assert_string_not_equal(first, third);
		assert_int_not_equal(generator_id(&generator, index), generator_id(&other, index));
		free(first);
		free(second);
		free(third);
	}
}

/* The vendor's sample, in its order. */
static const char documented[] =
        "id cmId isOrganization name website address state city country latitude "
        "longitude currentStatus generationDate creatorId channelPartnerId remarks "
        "ratePlanId customerCode isChannelPartner pinCode campaignId campaignItemId "
        "campaignActivityId totalNoOfEnquiries feedbackOnCustomer contacts "
        "imageReferenceId classification customerType customerLevel zone "
        "companyParentId assignedToId maxCreditAmt maxCreditPeriod historyEmpId "
        "channelPartnerEmpId deleted companyStatus isExistingCustomer isExistingContact "
        "syncStatus syncdLocationId crossRemarks syncedStepNumber outStandingAmount "
        "salesAdminZone referralId isApi ";

static void test_members_are_the_documented_ones_in_their_order(void **state)
{
	(void)state;
	for (uint32_t index = 0; index < MANY; index++) {
		char *json = generated(&generator, index);
		struct members members;
		struct buffer names;

		buffer_init(&names, JSON_MAX);
		assert_int_equal(members_read(json, strlen(json), &members), 0);
		for (size_t i = 0; i < members.count; i++)
			assert_int_equal(buffer_print(&names, "%s ", members.items[i].name), 0);
		assert_string_equal(names.data, documented);
		buffer_fini(&names);
		members_fini(&members);
		free(json);
	}
}

static void test_months_are_names_or_count_from_zero(void **state)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	(void)state;
	for (uint32_t index = 0; index < CYCLE; index++) {
		char *json = generated(&generator, index);
		const char *date = strstr(json, "\"generationDate\":\"");
		const char *object = strstr(json, "\"generationDate\":{");
		char month[4];
		int year[2];
		int number;

		assert_non_null(date);
		assert_int_equal(sscanf(date, "\"generationDate\":\"%3s %*d, %d", month, &year[0]),
		                 2);
		if (object) {
			assert_int_equal(sscanf(object,
			                        "\"generationDate\":{\"year\":%d,\"month\":%d",
			                        &year[1], &number),
			                 2);
			assert_int_equal(year[0], year[1]);
			assert_int_equal((strstr(months, month) - months) / 3, number);
		}
		free(json);
	}
}

static void test_texts_have_what_breaks_careless_programs(void **state)
{
	static const char *const wanted[] = {
		"\xe0\xa4", "\xe0\xae", "\xd8", "\xe5", "\xf0\x9f", "\\\"", "\\\\",
	};
	struct buffer all;

	(void)state;
	buffer_init(&all, (size_t)MANY * JSON_MAX);
	for (uint32_t index = 0; index < 200; index++)
		assert_int_equal(generator_write(&generator, index, &all), 0);
	for (size_t i = 0; i < array_length(wanted); i++)
		assert_non_null(strstr(all.data, wanted[i]));
	assert_true(strstr(all.data, "\\n") || strstr(all.data, "\\u000a"));
	buffer_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_seeds_generate_equal_customers_and_others_do_not),
		cmocka_unit_test(test_members_are_the_documented_ones_in_their_order),
		cmocka_unit_test(test_months_are_names_or_count_from_zero),
		cmocka_unit_test(test_texts_have_what_breaks_careless_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
