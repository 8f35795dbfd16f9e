/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdint.h>
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

int export_columns_place(struct export_columns *columns, const char *name, size_t length,
                         size_t *ret)
{
	size_t count_max = columns->count_max ? columns->count_max : EXPORT_COLUMNS_MAX;
	uint32_t place;
	int r;

	if (!string_set_find(&columns->names, name, length, &place)) {
		if (columns->is_closed) {
			*ret = SIZE_MAX;
			return 0;
		}
		if (columns->names.count >= count_max)
			return -E2BIG;
		r = string_set_add(&columns->names, name, length, &place);
		if (r)
			return r;
	}
	*ret = place;
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
	string_set_fini(&columns->names);
	*columns = (struct export_columns){ 0 };
}
