/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "kapturefs/model/key.h"
#include "kapturefs/model/payload_page.h"
#include "payload_listing.h"
#include "payload_parsed.h"

#define ID_NAMES "id", "customer_id", "kapture_customer_id", "leadId"

static const char *const id_names[] = { ID_NAMES };

/* All that is asked of a customer; everything else of it takes no memory. */
static const char *const wanted_names[] = { ID_NAMES, "cmId" };

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
	if (!item || !cJSON_IsArray(item) || !item->child ||
	    payload_is_like(item->string, "contacts"))
		return false;
	for (const cJSON *element = item->child; element; element = element->next) {
		if (!cJSON_IsObject(element))
			return false;
	}
	return true;
}

static bool is_string(const cJSON *item)
{
	return item && cJSON_IsString(item) && item->valuestring[0] == 's';
}

static bool is_empty_list(const cJSON *item)
{
	return cJSON_IsArray(item) && !item->child;
}

static bool has_empty_list(const cJSON *object)
{
	if (!object || !cJSON_IsObject(object))
		return false;
	for (const cJSON *item = object->child; item; item = item->next) {
		if (is_empty_list(item))
			return true;
	}
	return false;
}

/* Whether all say whose account they are, as customers do, and columns or filters do not. */
static bool is_of_customers(const cJSON *list)
{
	for (const cJSON *element = list->child; element; element = element->next) {
		if (!payload_last_member(element, "cmId"))
			return false;
	}
	return true;
}

/*
 * The list among the members of @object: by its name, or the only one, or the only one of those who
 * say whose they are; NULL if there is none, or it cannot be told which it is.
 */
static const cJSON *list_among(const cJSON *object)
{
	const cJSON *named = cJSON_IsObject(object) ? find_member(object, "customers") : NULL;
	const cJSON *chosen = NULL;
	bool is_chosen = false;
	bool is_sure = true;

	if (cJSON_IsArray(named))
		return is_list(named) ? named : NULL;
	if (!cJSON_IsObject(object))
		return NULL;
	for (const cJSON *item = object->child; item; item = item->next) {
		bool is_theirs = is_list(item) && is_of_customers(item);

		if (!is_list(item) || (chosen && is_chosen && !is_theirs))
			continue;
		is_sure = !chosen || is_chosen != is_theirs;
		is_chosen = is_theirs;
		chosen = item;
	}
	return is_sure ? chosen : NULL;
}

static const cJSON *find_documented_list(const cJSON *root)
{
	static const char *const names[] = { "message", "Customer Details" };
	const cJSON *found = NULL;

	for (size_t i = 0; !found && i < array_length(names); i++) {
		const cJSON *member = find_member(root, names[i]);

		if (member)
			found = is_list(member) ? member : list_among(member);
	}
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

/* The list where none is documented to be: beside a text, what does not say whose it is is none. */
static const cJSON *find_elsewhere(const cJSON *root)
{
	const cJSON *list = list_among(root);
	const cJSON *message = find_member(root, "message");
	const cJSON *details = find_member(root, "Customer Details");

	if ((message && has_objects_in_array(message)) ||
	    (details && has_objects_in_array(details)))
		return NULL;

	if (!list || !is_string(message) || payload_is_like(list->string, "customers") ||
	    is_of_customers(list))
		return list;
	return NULL;
}

/* Whether it says that there is nobody where the list is documented to be. */
static bool has_empty_list_in(const cJSON *root, const char *name)
{
	const cJSON *member = find_member(root, name);

	return member && (is_empty_list(member) || has_empty_list(member));
}

/* Reading them */

/* Left out, or empty in one of the ways that the API has for that. */
static bool is_blank(const cJSON *item)
{
	return !item || cJSON_IsNull(item) ||
	       (cJSON_IsString(item) &&
	        (!item->valuestring[1 + strspn(item->valuestring + 1, " ")] ||
	         !item->valuestring[1 + strspn(item->valuestring + 1, "0")]));
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
	struct payload_page page = *ret;
	struct key id;
	int r;

	page.verdict = PAYLOAD_FOUND;
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

/* Whether @name is one of the names for how many there are, whatever stands between its words. */
static bool is_total(const char *name)
{
	static const char *const names[] = { "total", "totalcount", "totalrecords" };
	char letters[16];
	size_t length = 0;

	for (; *name && length < sizeof(letters) - 1; name++) {
		if (!strchr(" _-", *name))
			letters[length++] = *name;
	}
	letters[length] = '\0';
	for (size_t i = 0; i < array_length(names); i++) {
		if (!*name && payload_is_like(letters, names[i]))
			return true;
	}
	return false;
}

/* A total that is no number, or a string of digits, is none. */
static uint64_t find_total(const cJSON *object)
{
	struct key digits;

	if (!object || !cJSON_IsObject(object))
		return 0;
	for (const cJSON *item = object->child; item; item = item->next) {
		if (is_total(item->string) && cJSON_IsString(item) &&
		    key_parse(KEY_ID, item->valuestring + 1, strlen(item->valuestring + 1),
		              &digits) == 0)
			return strtoull(digits.text, NULL, 10);
	}
	return 0;
}

/* Beside the list, or in the object that holds it. */
static uint64_t read_total(const cJSON *root)
{
	uint64_t total = find_total(root);

	if (!total)
		total = find_total(find_member(root, "message"));
	return total ? total : find_total(find_member(root, "Customer Details"));
}

/* The verdict */

static const char refusal[] = "Invalid Auth Key";

/* Nobody is in any list. */
static struct payload_page judge_none(const cJSON *root)
{
	const cJSON *message = find_member(root, "message");

	if (payload_is_string_like(message, refusal))
		return (struct payload_page){ .verdict = PAYLOAD_REFUSED };
	if (has_objects_in_array(root))
		return malformed("the customers are not where lists are known to be");
	if (has_empty_list(root))
		return (struct payload_page){ .verdict = PAYLOAD_ABSENT };
	if (is_string(message))
		return (struct payload_page){ .verdict = PAYLOAD_ABSENT, .is_text = true };
	return malformed("success without a list of customers");
}

static int judge_success(const cJSON *root, const struct payload_page_question *question,
                         struct roster *roster, struct payload_page *ret)
{
	const cJSON *list = find_documented_list(root);
	bool is_documented = list;

	*ret = (struct payload_page){ .verdict = PAYLOAD_ABSENT };
	if (!list &&
	    (has_empty_list_in(root, "message") || has_empty_list_in(root, "Customer Details")))
		return 0;
	if (!list && question->is_documented && is_string(find_member(root, "message"))) {
		ret->is_text = true;
		return 0;
	}
	if (!list && !question->is_documented)
		list = find_elsewhere(root);
	if (!list) {
		*ret = judge_none(root);
		return 0;
	}
	ret->is_documented = is_documented;
	ret->total = read_total(root);
	return read_list(list, question->account, roster, ret);
}

static struct payload_page judge_failure(const cJSON *root)
{
	struct payload_page page = { .verdict = PAYLOAD_FAILED };

	if (payload_is_string_like(find_member(root, "message"), refusal) ||
	    payload_is_string_like(find_member(root, "Customer Details"), refusal))
		page.verdict = PAYLOAD_REFUSED;
	return page;
}

int payload_read_page(const char *body, size_t length, const struct payload_page_question *question,
                      struct roster *roster, struct payload_page *ret)
{
	static const struct json_selection selection = {
		.names = wanted_names,
		.count = array_length(wanted_names),
	};
	cleanup(parsed_fini) struct parsed parsed = { 0 };
	const cJSON *status;
	const char *complaint;
	int r;

	r = parsed_init_object(&parsed, body, length, &selection, &complaint);
	if (r == -EPROTO || r == -EFBIG) {
		*ret = malformed(complaint);
		ret->is_page = r == -EPROTO && payload_is_page(body, length);
		ret->verdict = r == -EFBIG ? PAYLOAD_TOO_LARGE : PAYLOAD_MALFORMED;
	}
	if (r)
		return r == -ENOMEM ? r : 0;

	status = find_member(parsed.root, "status");
	if (payload_is_string_like(status, "success"))
		return judge_success(parsed.root, question, roster, ret);
	if (payload_is_string_like(status, "failed") || payload_is_string_like(status, "fail"))
		*ret = judge_failure(parsed.root);
	else
		*ret = malformed("the reply's status is neither success nor failed");
	return 0;
}
