/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "kapturefs/model/key.h"
#include "kapturefs/model/payload_page.h"
#include "payload_listing.h"
#include "payload_parsed.h"

static const char *const id_names[] = { "id", "customer_id", "kapture_customer_id", "leadId" };

static struct payload_page malformed(const char *complaint)
{
	return (struct payload_page){ .verdict = PAYLOAD_MALFORMED, .complaint = complaint };
}

/* Looking for the customers */

/* A member of the answer whatever its case; the last one counts. */
static const cJSON *find_member(const cJSON *root, const char *name)
{
	const cJSON *found = NULL;

	for (const cJSON *item = root->child; item; item = item->next) {
		if (payload_is_like(item->string, name))
			found = item;
	}
	return found;
}

/* Customers have arrays of objects themselves, and those are no customers. */
static bool is_list(const cJSON *item)
{
	if (!cJSON_IsArray(item) || !item->child || payload_is_like(item->string, "contacts"))
		return false;
	for (const cJSON *element = item->child; element; element = element->next) {
		if (!cJSON_IsObject(element))
			return false;
	}
	return true;
}

static bool is_empty_list(const cJSON *item)
{
	return cJSON_IsArray(item) && !item->child;
}

/* The first member of @object, if it is one, that @is_wanted. */
static const cJSON *first_member(const cJSON *object, bool (*is_wanted)(const cJSON *item))
{
	if (!object || !cJSON_IsObject(object))
		return NULL;
	for (const cJSON *item = object->child; item; item = item->next) {
		if (is_wanted(item))
			return item;
	}
	return NULL;
}

static const cJSON *find_list(const cJSON *root, bool (*is_wanted)(const cJSON *item))
{
	const cJSON *found = first_member(root, is_wanted);

	if (!found)
		found = first_member(find_member(root, "message"), is_wanted);
	if (!found)
		found = first_member(find_member(root, "Customer Details"), is_wanted);
	return found;
}

/* Not deeper than json.h lets through. */
static bool has_objects_in_array(const cJSON *item)
{
	for (const cJSON *child = item->child; child; child = child->next) {
		if ((cJSON_IsArray(item) && cJSON_IsObject(child)) || has_objects_in_array(child))
			return true;
	}
	return false;
}

static bool is_string(const cJSON *item)
{
	return item && cJSON_IsString(item) && item->valuestring[0] == 's';
}

/* Reading them */

/* Left out, or empty in one of the ways that the API has for that. */
static bool is_blank(const cJSON *item)
{
	return !item || cJSON_IsNull(item) ||
	       (cJSON_IsString(item) &&
	        (!item->valuestring[1 + strspn(item->valuestring + 1, " ")] ||
	         strcmp(item->valuestring + 1, "0") == 0));
}

static int read_id(const cJSON *customer, struct key *ret)
{
	for (size_t i = 0; i < array_length(id_names); i++) {
		const cJSON *item = payload_last_member(customer, id_names[i]);

		if (is_blank(item))
			continue;
		if (!cJSON_IsString(item))
			return KEY_IMPOSSIBLE;
		return key_parse(KEY_ID, item->valuestring + 1, strlen(item->valuestring + 1), ret);
	}
	return KEY_IMPOSSIBLE;
}

static bool is_of_account(const cJSON *customer, const char *account)
{
	const cJSON *item = payload_last_member(customer, "cmId");

	return is_blank(item) ||
	       (cJSON_IsString(item) && strcmp(item->valuestring + 1, account) == 0);
}

static int read_list(const cJSON *list, const char *account, struct roster *roster,
                     struct payload_page *ret)
{
	struct payload_page page = { .verdict = PAYLOAD_FOUND };
	struct key id;
	int r;

	for (const cJSON *customer = list->child; customer; customer = customer->next) {
		if (read_id(customer, &id)) {
			*ret = malformed("a customer in the list has no usable id");
			return 0;
		}
		if (!is_of_account(customer, account)) {
			*ret = malformed("a customer in the list is of another account");
			return 0;
		}
		r = roster_add(roster, id.text);
		if (r < 0)
			return r;
		page.count++;
		page.count_new += r == 0;
	}
	*ret = page;
	return 0;
}

/* The verdict */

static const char refusal[] = "Invalid Auth Key";

static int judge_success(const cJSON *root, const char *account, struct roster *roster,
                         struct payload_page *ret)
{
	const cJSON *list = find_list(root, is_list);

	if (list)
		return read_list(list, account, roster, ret);
	if (payload_is_string_like(find_member(root, "message"), refusal))
		*ret = (struct payload_page){ .verdict = PAYLOAD_REFUSED };
	else if (has_objects_in_array(root))
		*ret = malformed("the customers are not where lists are known to be");
	else if (find_list(root, is_empty_list) || is_string(find_member(root, "message")))
		*ret = (struct payload_page){ .verdict = PAYLOAD_ABSENT };
	else
		*ret = malformed("success without a list of customers");
	return 0;
}

static struct payload_page judge_failure(const cJSON *root)
{
	const cJSON *details = find_member(root, "Customer Details");
	struct payload_page page = { .verdict = PAYLOAD_FAILED };

	if (payload_is_string_like(find_member(root, "message"), refusal) ||
	    payload_is_string_like(details, refusal))
		page.verdict = PAYLOAD_REFUSED;
	else if (is_string(details))
		page.verdict = PAYLOAD_ABSENT;
	return page;
}

int payload_read_page(const char *body, size_t length, const char *account, struct roster *roster,
                      struct payload_page *ret)
{
	cleanup(parsed_fini) struct parsed parsed = { 0 };
	const cJSON *status;
	const char *complaint;
	int r;

	r = parsed_init_object(&parsed, body, length, &complaint);
	if (r == -EPROTO)
		*ret = malformed(complaint);
	if (r)
		return r == -EPROTO ? 0 : r;

	status = find_member(parsed.root, "status");
	if (payload_is_string_like(status, "success"))
		return judge_success(parsed.root, account, roster, ret);
	if (payload_is_string_like(status, "failed") || payload_is_string_like(status, "fail"))
		*ret = judge_failure(parsed.root);
	else
		*ret = malformed("the reply's status is neither success nor failed");
	return 0;
}
