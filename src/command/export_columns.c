/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/export_parts.h"

/* In the order of the example on the vendor's page "Get Customer API". */
static const char customer_members[] =
        "id,cmId,isOrganization,name,website,address,state,city,country,latitude,longitude,"
        "currentStatus,generationDate,creatorId,channelPartnerId,remarks,ratePlanId,customerCode,"
        "isChannelPartner,pinCode,campaignId,campaignItemId,campaignActivityId,totalNoOfEnquiries,"
        "feedbackOnCustomer,imageReferenceId,classification,customerType,customerLevel,zone,"
        "companyParentId,assignedToId,maxCreditAmt,maxCreditPeriod,historyEmpId,"
        "channelPartnerEmpId,deleted,companyStatus,isExistingCustomer,isExistingContact,"
        "syncStatus,syncdLocationId,crossRemarks,syncedStepNumber,outStandingAmount,"
        "salesAdminZone,referralId,isApi";

static const char contact_members[] =
        "customer,id,cmId,leadId,contactPerson,gender,phone,additionalPhone,email,"
        "isPrimaryContact,isActive,generationDate.year,generationDate.month,"
        "generationDate.dayOfMonth,generationDate.hourOfDay,generationDate.minute,"
        "generationDate.second,parentContactId,subOfficeId,creatorId,age,maritalStatus,isGuest,"
        "phoneCountryCode,enquiryId,orderId,isMergeEnable,isMobileMasked,isEmailMasked,"
        "showBirthYear";

/* FNV-1a */
uint64_t export_hash(uint32_t seed, const char *name, size_t length)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < length; i++)
		value = (value ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	return value;
}

/* The bucket that has the name, or would. */
static size_t *bucket_of(const struct export_columns *columns, const char *name, size_t length)
{
	size_t i = (size_t)export_hash(0, name, length) & (columns->bucket_count - 1);

	for (;; i = (i + 1) & (columns->bucket_count - 1)) {
		const char *there;

		if (!columns->buckets[i])
			return &columns->buckets[i];
		there = columns->names[columns->buckets[i] - 1];
		if (strlen(there) == length && memcmp(there, name, length) == 0)
			return &columns->buckets[i];
	}
}

/* Room for one more, and at least as many empty buckets as full ones. */
static int make_room(struct export_columns *columns)
{
	size_t capacity = columns->capacity ? columns->capacity * 2 : 64;
	char **names;
	size_t *buckets;

	if (columns->count < columns->capacity)
		return 0;
	names = reallocarray(columns->names, capacity, sizeof(*names));
	if (!names)
		return -ENOMEM;
	columns->names = names;
	buckets = calloc(capacity * 2, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(columns->buckets);
	columns->buckets = buckets;
	columns->bucket_count = capacity * 2;
	columns->capacity = capacity;
	for (size_t i = 0; i < columns->count; i++)
		*bucket_of(columns, names[i], strlen(names[i])) = i + 1;
	return 0;
}

void export_columns_cut(struct export_columns *columns, size_t count)
{
	if (columns->count == count)
		return;
	while (columns->count > count)
		free(columns->names[--columns->count]);
	memset(columns->buckets, 0, columns->bucket_count * sizeof(*columns->buckets));
	for (size_t i = 0; i < count; i++)
		*bucket_of(columns, columns->names[i], strlen(columns->names[i])) = i + 1;
}

int export_columns_place(struct export_columns *columns, const char *name, size_t length,
                         size_t *ret)
{
	size_t count_max = columns->count_max ? columns->count_max : EXPORT_COLUMNS_MAX;
	size_t *bucket;
	int r;

	r = make_room(columns);
	if (r)
		return r;
	bucket = bucket_of(columns, name, length);
	if (!*bucket) {
		if (columns->is_closed) {
			*ret = SIZE_MAX;
			return 0;
		}
		if (columns->count >= count_max)
			return -E2BIG;
		columns->names[columns->count] = strndup(name, length);
		if (!columns->names[columns->count])
			return -ENOMEM;
		*bucket = ++columns->count;
	}
	*ret = *bucket - 1;
	return 0;
}

static int add_list(struct export_columns *columns, const char *list)
{
	size_t place;
	int r = 0;

	while (!r && *list) {
		size_t length = strcspn(list, ",");

		r = export_columns_place(columns, list, length, &place);
		list += length + (list[length] == ',');
	}
	return r;
}

int export_columns_document(struct export_columns *columns, bool with_contacts)
{
	return add_list(columns, with_contacts ? contact_members : customer_members);
}

void export_columns_fini(struct export_columns *columns)
{
	for (size_t i = 0; i < columns->count; i++)
		free(columns->names[i]);
	free(columns->names);
	free(columns->buckets);
	*columns = (struct export_columns){ 0 };
}
