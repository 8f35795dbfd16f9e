/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "kapturefs/model/json.h"
#include "kapturefs/model/payload.h"
#include "payload_members.h"

/* Far beyond any reply that io lets through, and so small that no count below overflows. */
#define TEXT_LENGTH_MAX (64 << 20)

/*
 * The parser takes a hundred bytes or more for each value, and `[0,0,0...` has
 * millions in a reply of the size that io lets through. A customer has hundreds.
 */
#define VALUES_MAX (1 << 20)

/* A text as it was sent, and what the parser made of its armoured copy. */
struct parsed {
	const char *text;
	struct json_scan scan;
	cJSON *root;
};

static void parsed_fini(struct parsed *parsed)
{
	cJSON_Delete(parsed->root);
	json_scan_fini(&parsed->scan);
}

/* Each value but the first stands behind a comma or an opening bracket of its own. */
static bool has_too_many_values(const struct buffer *json)
{
	bool is_quoted = false;
	size_t count = 1;

	/* Short texts, that is all that are in earnest, have no room for them. */
	if (json->length < 2 * VALUES_MAX)
		return false;
	for (size_t i = 0; i < json->length; i++) {
		char byte = json->data[i];

		if (byte == '\\')
			i++;
		else if (byte == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (byte == ',' || byte == '[' || byte == '{'))
			count++;
	}
	return count > VALUES_MAX;
}

static int parsed_init(struct parsed *parsed, const char *text, size_t length)
{
	size_t offset;
	int r;

	if (length == 0 || length > TEXT_LENGTH_MAX)
		return -EPROTO;
	r = json_scan(text, length, &parsed->scan, &offset);
	if (r)
		return r;

	if (has_too_many_values(&parsed->scan.armoured))
		return -EPROTO;

	/* The gate knows that it is JSON, so that only memory can be missing. */
	parsed->text = text;
	parsed->root = cJSON_ParseWithLengthOpts(parsed->scan.armoured.data,
	                                         parsed->scan.armoured.length + 1, NULL, true);
	return parsed->root ? 0 : -ENOMEM;
}

static char to_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* Without regard to the case of ASCII letters, and to the locale. */
static bool is_like(const char *text, const char *expected)
{
	for (; *text && to_lower(*text) == to_lower(*expected); text++)
		expected++;
	return !*text && !*expected;
}

/* Whether @item is that string; no number looks like one. */
static bool is_string_like(const cJSON *item, const char *expected)
{
	return item && cJSON_IsString(item) && is_like(item->valuestring + 1, expected);
}

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
		if (is_like(item->string, "status"))
			wrapper.status = item;
		if (is_like(item->string, "message"))
			wrapper.message = item;
		if (is_like(item->string, "Customer Details")) {
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

static struct payload judge_failure(const struct wrapper *wrapper)
{
	static const char refusal[] = "Invalid Auth Key";
	struct payload payload = { .verdict = PAYLOAD_FAILED };

	/*
	 * Get Customer explains itself under either name; a refusal must not pass for an absence.
	 */
	if (is_string_like(wrapper->message, refusal) || is_string_like(wrapper->customer, refusal))
		payload.verdict = PAYLOAD_REFUSED;
	else if (wrapper->customer && cJSON_IsString(wrapper->customer) &&
	         wrapper->customer->valuestring[0] == 's')
		payload.verdict = PAYLOAD_ABSENT;
	return payload;
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
	if (r && r != -EPROTO)
		return r;
	*ret = r ? malformed("the customer has no usable id") : payload;
	return 0;
}

int payload_read(const char *body, size_t length, struct payload *ret)
{
	cleanup(parsed_fini) struct parsed parsed = { 0 };
	struct wrapper wrapper;
	int r;

	r = parsed_init(&parsed, body, length);
	if (r == -EPROTO)
		*ret = malformed(
		        "the reply is not JSON, is nested too deeply or has too many values");
	if (r)
		return r == -EPROTO ? 0 : r;
	if (!cJSON_IsObject(parsed.root)) {
		*ret = malformed("the reply is not a JSON object");
		return 0;
	}

	wrapper = read_wrapper(&parsed);
	if (is_string_like(wrapper.status, "success"))
		return judge_success(body, &wrapper, ret);
	if (is_string_like(wrapper.status, "failed") || is_string_like(wrapper.status, "fail"))
		*ret = judge_failure(&wrapper);
	else
		*ret = malformed("the reply's status is neither success nor failed");
	return 0;
}

void payload_fini(struct payload *payload)
{
	record_unref(steal(&payload->record));
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

	r = parsed_init(&parsed, json, length);
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
