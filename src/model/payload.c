/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "kapturefs/model/absence.h"
#include "kapturefs/model/payload.h"
#include "payload_members.h"
#include "payload_parsed.h"

/* What the wrapper says. Of members whose names differ in case only, the last one counts. */
struct wrapper {
	const cJSON *status;
	const cJSON *message;
	cJSON *customer;
	struct json_span customer_span;
};

static struct wrapper read_wrapper(const struct parsed *parsed)
{
	struct wrapper wrapper = { 0 };
	size_t i = 0;

	for (cJSON *item = parsed->root->child; item; item = item->next, i++) {
		assert(i < parsed->scan.member_count);
		if (payload_is_like(item->string, "status"))
			wrapper.status = item;
		if (payload_is_like(item->string, "message"))
			wrapper.message = item;
		if (payload_is_like(item->string, "Customer Details")) {
			wrapper.customer = item;
			wrapper.customer_span = parsed->scan.members[i];
		}
	}
	return wrapper;
}

static struct payload malformed(const char *complaint)
{
	return (struct payload){ .verdict = PAYLOAD_MALFORMED, .complaint = complaint };
}

static struct payload too_large(void)
{
	return (struct payload){
		.verdict = PAYLOAD_TOO_LARGE,
		.complaint = PAYLOAD_TOO_MANY_VALUES,
	};
}

static bool is_sentence(const cJSON *item)
{
	return item && cJSON_IsString(item) && item->valuestring[0] == 's';
}

static int copy_sentence(const struct wrapper *wrapper, char **ret)
{
	const cJSON *said = is_sentence(wrapper->customer) ? wrapper->customer : wrapper->message;

	if (!is_sentence(said))
		return 0;
	*ret = strdup(said->valuestring + 1);
	return *ret ? 0 : -ENOMEM;
}

static int judge_failure(const struct wrapper *wrapper, const char *absent_text,
                         struct payload *ret)
{
	static const char refusal[] = "Invalid Auth Key";
	struct payload payload = { .verdict = PAYLOAD_FAILED };
	int r = 0;

	/*
	 * Get Customer explains itself under either name; a refusal must not pass for an absence.
	 */
	if (payload_is_string_like(wrapper->message, refusal) ||
	    payload_is_string_like(wrapper->customer, refusal)) {
		*ret = (struct payload){ .verdict = PAYLOAD_REFUSED };
		return 0;
	}
	if (is_sentence(wrapper->customer))
		r = absence_is_said(wrapper->customer->valuestring + 1, absent_text);
	if (r > 0)
		payload.verdict = PAYLOAD_ABSENT;
	else if (!r)
		r = copy_sentence(wrapper, &payload.sentence);
	if (r < 0)
		return r;
	*ret = payload;
	return 0;
}

static int judge_success(const char *text, const struct wrapper *wrapper, struct payload *ret)
{
	struct payload payload = { .verdict = PAYLOAD_FOUND };
	int r;

	if (!wrapper->customer) {
		*ret = malformed("success without Customer Details");
		return 0;
	}
	if (!cJSON_IsObject(wrapper->customer)) {
		*ret = malformed("success, but Customer Details is not an object");
		return 0;
	}

	r = payload_build(wrapper->customer, text + wrapper->customer_span.start,
	                  wrapper->customer_span.length, &payload.record);
	if (r == -EPROTO)
		payload = malformed("the customer has no usable id");
	else if (r == -EFBIG)
		payload = too_large();
	else if (r)
		return r;
	*ret = payload;
	return 0;
}

int payload_read(const char *body, size_t length, const char *absent_text, struct payload *ret)
{
	cleanup(parsed_fini) struct parsed parsed = { 0 };
	struct wrapper wrapper;
	const char *complaint;
	int r;

	r = parsed_init_object(&parsed, body, length, NULL, &complaint);
	if (r == -EPROTO) {
		*ret = malformed(complaint);
		ret->is_page = payload_is_page(body, length);
	} else if (r == -EFBIG) {
		*ret = too_large();
	}
	if (r)
		return r == -ENOMEM ? r : 0;

	wrapper = read_wrapper(&parsed);
	if (payload_is_string_like(wrapper.status, "success"))
		return judge_success(body, &wrapper, ret);
	if (payload_is_string_like(wrapper.status, "failed") ||
	    payload_is_string_like(wrapper.status, "fail"))
		return judge_failure(&wrapper, absent_text, ret);
	*ret = malformed("the reply's status is neither success nor failed");
	return 0;
}

void payload_fini(struct payload *payload)
{
	record_unref(steal(&payload->record));
	free(steal(&payload->sentence));
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

int payload_read_customer(const char *json, size_t length, struct record **ret)
{
	cleanup(parsed_fini) struct parsed parsed = { 0 };
	const char *start;
	int r;

	r = parsed_init(&parsed, json, length, NULL);
	if (r)
		return r;
	if (!cJSON_IsObject(parsed.root))
		return -EPROTO;

	/* What stands around the braces is no part of the object. */
	start = memchr(json, '{', length);
	length -= (size_t)(start - json);
	while (is_blank(start[length - 1]))
		length--;
	return payload_build(parsed.root, start, length, ret);
}

int payload_read_id(const char *json, size_t length, struct key *ret)
{
	static const char *const names[] = { "id" };
	static const struct json_selection selection = {
		.names = names,
		.count = array_length(names),
		.is_element = true,
	};
	cleanup(parsed_fini) struct parsed parsed = { 0 };
	int r;

	r = parsed_init(&parsed, json, length, &selection);
	if (r)
		return r;
	return payload_find_id(parsed.root, ret) ? 0 : -EPROTO;
}

const char *payload_cjson_version(void)
{
	return cJSON_Version();
}
