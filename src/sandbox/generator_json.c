/* SPDX-License-Identifier: MIT */
/* A generated customer as the API would send it. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kapturefs/sandbox/dice.h"
#include "kapturefs/sandbox/generator.h"
#include "kapturefs/model/json_writer.h"

enum purpose {
	PURPOSE_CUSTOMER = 100, /* apart from those of generator.c */
	PURPOSE_CONTACT,
};

enum {
	TEXT_MAX = 256,
	TENANT_FIRST = 1000000,
	TENANTS = 1000000,
	DATE_FIRST = 1420070400, /* 2015-01-01 */
	DATE_SECONDS = 10 * 365 * 86400,
};

/* What the functions below share of one customer. */
struct subject {
	const struct generator *generator;
	const struct culture *culture;
	struct dice dice;
	uint32_t index;
	uint32_t id;
	uint32_t tenant;
	time_t created;
};

static void zeros(struct json_writer *writer, const char *const *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_number(writer, members[i], 0);
}

/* Whether something happens that does so @percent times in a hundred. */
static bool happens(struct subject *subject, uint32_t percent)
{
	return dice_roll(&subject->dice, 100) < percent;
}

static const char *pick(struct subject *subject, const char *const *words, size_t count)
{
	return words[dice_roll(&subject->dice, (uint32_t)count)];
}

static void write_person(char *value, size_t size, const struct culture *culture,
                         const struct word_name *given, const struct word_name *family,
                         bool is_latin)
{
	if (is_latin)
		snprintf(value, size, "%s %s", given->latin, family->latin);
	else if (culture->is_family_first)
		snprintf(value, size, "%s%s%s", family->written, culture->separator,
		         given->written);
	else
		snprintf(value, size, "%s%s%s", given->written, culture->separator,
		         family->written);
}

static void write_company(struct json_writer *writer, struct subject *subject)
{
	static const char *const forms[] = {
		"%s Textiles", "%s & Sons",           "\"%s\" Traders",
		"%s/Logistik", "%s Software (P) Ltd", "%s \\ Partners",
	};
	const struct word_name *family =
	        &subject->culture->family[dice_roll(&subject->dice, WORDS_FAMILY)];
	const char *form = pick(subject, forms, array_length(forms));
	const char *place = strstr(form, "%s");

	json_print(writer, "name", "%.*s%s%s", (int)(place - form), form,
	           happens(subject, 50) ? family->written : family->latin, place + strlen("%s"));
}

static void write_name(struct json_writer *writer, struct subject *subject, bool is_organization)
{
	struct generated_contact first;
	char value[TEXT_MAX];

	if (is_organization) {
		write_company(writer, subject);
		return;
	}
	generator_contact(subject->generator, subject->index, 0, &first);
	write_person(value, sizeof(value), subject->culture, first.given, first.family,
	             happens(subject, 40));
	json_text(writer, "name", value);
}

static void write_address(struct json_writer *writer, struct subject *subject)
{
	const char *street = pick(subject, subject->culture->streets, WORDS_STREETS);
	uint32_t house = 1 + dice_roll(&subject->dice, 400);

	/* Where nothing is known, the vendor's sample has a blank. */
	if (happens(subject, 20))
		json_text(writer, "address", " ");
	else if (happens(subject, 30))
		json_print(writer, "address", "%s %u\n2. / B", street, house);
	else
		json_print(writer, "address", "%u, %s", house, street);
}

static void write_coordinates(struct json_writer *writer, struct subject *subject)
{
	bool is_known = happens(subject, 25);
	uint32_t north = dice_roll(&subject->dice, 900000);
	uint32_t east = dice_roll(&subject->dice, 1800000);

	if (!is_known) {
		json_text(writer, "latitude", "");
		json_text(writer, "longitude", "");
		return;
	}
	json_print(writer, "latitude", "%u.%04u", north / 10000, north % 10000);
	json_print(writer, "longitude", "-%u.%04u", east / 10000, east % 10000);
}

static void write_place(struct json_writer *writer, struct subject *subject)
{
	const struct word_place *place =
	        &subject->culture->places[dice_roll(&subject->dice, WORDS_PLACES)];
	bool is_known = happens(subject, 85);

	write_address(writer, subject);
	json_text(writer, "state", is_known ? place->state : "");
	json_text(writer, "city", is_known ? place->city : "");
	json_text(writer, "country", is_known ? subject->culture->country : "");
	write_coordinates(writer, subject);
}

/* `MMM d, yyyy h:mm:ss a`, in English whatever the locale. */
static void write_date(struct json_writer *writer, const struct tm *date)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int hour = date->tm_hour % 12;

	json_print(writer, "generationDate", "%s %d, %d %d:%02d:%02d %s", months[date->tm_mon],
	           date->tm_mday, date->tm_year + 1900, hour ? hour : 12, date->tm_min,
	           date->tm_sec, date->tm_hour < 12 ? "AM" : "PM");
}

/* The months of this form count from zero. */
static void write_date_object(struct json_writer *writer, const struct tm *date)
{
	json_open(writer, "generationDate", '{');
	json_number(writer, "year", (uint64_t)date->tm_year + 1900);
	json_number(writer, "month", (uint64_t)date->tm_mon);
	json_number(writer, "dayOfMonth", (uint64_t)date->tm_mday);
	json_number(writer, "hourOfDay", (uint64_t)date->tm_hour);
	json_number(writer, "minute", (uint64_t)date->tm_min);
	json_number(writer, "second", (uint64_t)date->tm_sec);
	json_close(writer, '}');
}

static void write_image(struct json_writer *writer, struct subject *subject, const struct tm *date)
{
	json_print(writer, "imageReferenceId", "CUS_%04d-%02d-%02d %02d:%02d:%02d.%03u",
	           date->tm_year + 1900, date->tm_mon + 1, date->tm_mday, date->tm_hour,
	           date->tm_min, date->tm_sec, dice_roll(&subject->dice, 1000));
}

static void write_remarks(struct json_writer *writer, struct subject *subject)
{
	static const char *const common[] = {
		"",
		"Called back.\nAsked for \"express\" delivery.",
		"Old record: C:\\crm\\export\\2019.csv",
		"VIP 👩🏽‍💻 → see ticket #4711",
		"a\tb\r\nc",
	};
	const char *own = pick(subject, subject->culture->remarks, WORDS_REMARKS);
	const char *other = pick(subject, common, array_length(common));

	if (happens(subject, 60))
		json_text(writer, "remarks", own);
	else if (happens(subject, 40))
		json_print(writer, "remarks", "%s\n%s", own, other);
	else
		json_text(writer, "remarks", other);
}

static void write_contact_person(struct json_writer *writer, struct subject *subject,
                                 const struct generated_contact *contact)
{
	bool has_more_phones = happens(subject, 20);
	char value[TEXT_MAX];

	write_person(value, sizeof(value), subject->culture, contact->given, contact->family,
	             happens(subject, 30));
	json_text(writer, "contactPerson", value);
	json_text(writer, "gender", " ");
	json_text(writer, "phone", contact->phone);
	/*
	 * Of the spare codes that no key of ours is made of, in a spelling that
	 * is not canonical.
	 */
	if (has_more_phones)
		json_print(writer, "additionalPhone", "+839 %05u-55555",
		           dice_roll(&subject->dice, 100000));
	else
		json_text(writer, "additionalPhone", "");
	json_text(writer, "email", contact->email);
	json_flag(writer, "isPrimaryContact", contact->is_primary);
}

static void write_contact(struct json_writer *writer, struct subject *subject, unsigned which)
{
	static const char *const references[] = { "parentContactId", "subOfficeId", "creatorId" };
	struct generated_contact contact;
	time_t created = subject->created + (time_t)which * 86400 * 17;
	struct tm date;

	generator_contact(subject->generator, subject->index, which, &contact);
	gmtime_r(&created, &date);
	json_open(writer, NULL, '{');
	json_number(writer, "id", contact.id);
	json_number(writer, "cmId", subject->tenant);
	json_number(writer, "leadId", subject->id);
	write_contact_person(writer, subject, &contact);
	json_flag(writer, "isActive", happens(subject, 90));
	write_date_object(writer, &date);
	zeros(writer, references, array_length(references));
	json_number(writer, "age", happens(subject, 70) ? 0 : 18 + dice_roll(&subject->dice, 70));
	json_text(writer, "maritalStatus", " ");
	json_flag(writer, "isGuest", false);
	json_text(writer, "phoneCountryCode", "");
	json_number(writer, "enquiryId", 0);
	json_number(writer, "orderId", 0);
	json_flag(writer, "isMergeEnable", false);
	json_flag(writer, "isMobileMasked", false);
	json_flag(writer, "isEmailMasked", false);
	json_flag(writer, "showBirthYear", false);
	json_close(writer, '}');
}

static void write_contacts(struct json_writer *writer, const struct subject *customer)
{
	json_open(writer, "contacts", '[');
	for (unsigned i = 0; i < generator_contact_count(customer->index); i++) {
		struct subject subject = *customer;

		subject.dice = dice_of(customer->generator->seed, PURPOSE_CONTACT,
		                       (uint64_t)customer->index * GENERATOR_CONTACTS_MAX + i);
		write_contact(writer, &subject, i);
	}
	json_close(writer, ']');
}

/* From `id` to `longitude`. */
static void write_head(struct json_writer *writer, struct subject *subject)
{
	bool is_organization = generator_contact_count(subject->index) != 1;

	json_number(writer, "id", subject->id);
	json_number(writer, "cmId", subject->tenant);
	json_flag(writer, "isOrganization", is_organization);
	write_name(writer, subject, is_organization);
	if (is_organization && happens(subject, 50))
		json_print(writer, "website", "https://www.example.com/%u?from=crm", subject->id);
	else
		json_text(writer, "website", "");
	write_place(writer, subject);
}

/* From `currentStatus` to `feedbackOnCustomer`. */
static void write_middle(struct json_writer *writer, struct subject *subject, const struct tm *date)
{
	static const char *const campaign[] = { "campaignId", "campaignItemId",
		                                "campaignActivityId" };
	uint32_t code = dice_roll(&subject->dice, 1000000);
	uint32_t pin = 1 + dice_roll(&subject->dice, 9999);

	json_text(writer, "currentStatus", "N");
	write_date(writer, date);
	json_number(writer, "creatorId",
	            happens(subject, 50) ? 0 : dice_roll(&subject->dice, 100000));
	json_number(writer, "channelPartnerId", 0);
	write_remarks(writer, subject);
	json_number(writer, "ratePlanId", 0);
	if (happens(subject, 60))
		json_print(writer, "customerCode", "C-%06u", code);
	else
		json_text(writer, "customerCode", "");
	json_flag(writer, "isChannelPartner", false);
	if (happens(subject, 70))
		json_print(writer, "pinCode", "%0*u", (int)subject->culture->pin_digits, pin * 7);
	else
		json_text(writer, "pinCode", "");
	zeros(writer, campaign, array_length(campaign));
	json_number(writer, "totalNoOfEnquiries", dice_roll(&subject->dice, 13));
	json_print(writer, "feedbackOnCustomer", "%u", dice_roll(&subject->dice, 6));
}

/* From `imageReferenceId` to `channelPartnerEmpId`. */
static void write_accounts(struct json_writer *writer, struct subject *subject,
                           const struct tm *date)
{
	static const char *const classes[] = { "", "Gold", "Silver", "A/B", "50% prepaid" };
	static const char *const types[] = { "", "Retail", "Wholesale", "Individual" };
	bool has_credit = happens(subject, 40);

	write_image(writer, subject, date);
	json_text(writer, "classification", pick(subject, classes, array_length(classes)));
	json_text(writer, "customerType", pick(subject, types, array_length(types)));
	json_number(writer, "customerLevel", dice_roll(&subject->dice, 4));
	json_number(writer, "zone", dice_roll(&subject->dice, 9));
	json_number(writer, "companyParentId", 0);
	json_number(writer, "assignedToId",
	            happens(subject, 50) ? 0 : dice_roll(&subject->dice, 100000));
	json_decimal(writer, "maxCreditAmt", has_credit ? 5 * dice_roll(&subject->dice, 100000) : 0,
	             1);
	json_number(writer, "maxCreditPeriod", has_credit ? 30 : 0);
	json_number(writer, "historyEmpId", 0);
	json_number(writer, "channelPartnerEmpId", 0);
}

/* From `deleted` to `isApi`. */
static void write_tail(struct json_writer *writer, struct subject *subject)
{
	json_flag(writer, "deleted", false);
	json_text(writer, "companyStatus", "A");
	json_flag(writer, "isExistingCustomer", happens(subject, 50));
	json_flag(writer, "isExistingContact", false);
	json_flag(writer, "syncStatus", false);
	json_text(writer, "syncdLocationId", "0");
	json_text(writer, "crossRemarks", happens(subject, 15) ? "↔ moved from branch “B/2”" : "");
	json_number(writer, "syncedStepNumber", 0);
	json_decimal(writer, "outStandingAmount",
	             happens(subject, 20) ? dice_roll(&subject->dice, 1000000) : 0, 1);
	json_number(writer, "salesAdminZone", 0);
	json_number(writer, "referralId", 0);
	json_flag(writer, "isApi", happens(subject, 30));
}

/* The first roll of a customer's dice. */
static time_t roll_created(struct dice *dice)
{
	return DATE_FIRST + (time_t)dice_roll(dice, DATE_SECONDS);
}

int64_t generator_created(const struct generator *generator, uint32_t index)
{
	struct dice dice = dice_of(generator->seed, PURPOSE_CUSTOMER, index);

	return roll_created(&dice);
}

uint32_t generator_account(const struct generator *generator)
{
	return TENANT_FIRST + (uint32_t)(generator->seed % TENANTS);
}

int generator_write(const struct generator *generator, uint32_t index, struct buffer *buffer)
{
	struct json_writer writer = json_begin_compact(buffer);
	struct subject subject = {
		.generator = generator,
		.culture = generator_culture(generator, index),
		.dice = dice_of(generator->seed, PURPOSE_CUSTOMER, index),
		.index = index,
		.id = generator_id(generator, index),
		.tenant = generator_account(generator),
	};
	struct tm date;

	subject.created = roll_created(&subject.dice);
	gmtime_r(&subject.created, &date);

	json_open(&writer, NULL, '{');
	write_head(&writer, &subject);
	write_middle(&writer, &subject, &date);
	write_contacts(&writer, &subject);
	write_accounts(&writer, &subject, &date);
	write_tail(&writer, &subject);
	json_close(&writer, '}');
	return json_end(&writer);
}
