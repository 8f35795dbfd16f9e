/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "payload_parsed.h"

/* Far beyond any reply that io lets through, and so small that no count below overflows. */
#define TEXT_LENGTH_MAX (64 << 20)

/*
 * The parser takes a hundred bytes or more for each value, and `[0,0,0...` has
 * millions in a reply of the size that io lets through. A customer has hundreds.
 */
#define VALUES_MAX (1 << 20)

void parsed_fini(struct parsed *parsed)
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

int parsed_init(struct parsed *parsed, const char *text, size_t length)
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

bool payload_is_like(const char *text, const char *expected)
{
	for (; *text && to_lower(*text) == to_lower(*expected); text++)
		expected++;
	return !*text && !*expected;
}

bool payload_is_string_like(const cJSON *item, const char *expected)
{
	return item && cJSON_IsString(item) && payload_is_like(item->valuestring + 1, expected);
}

int parsed_init_object(struct parsed *parsed, const char *text, size_t length,
                       const char **complaint)
{
	int r = parsed_init(parsed, text, length);

	if (r == -EPROTO)
		*complaint = "the reply is not JSON, is nested too deeply or has too many values";
	if (r)
		return r;
	*complaint = "the reply is not a JSON object";
	return cJSON_IsObject(parsed->root) ? 0 : -EPROTO;
}

bool payload_is_page(const char *text, size_t length)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	size_t at = 0;

	if (length >= strlen(byte_order_mark) &&
	    memcmp(text, byte_order_mark, strlen(byte_order_mark)) == 0)
		at = strlen(byte_order_mark);
	while (at < length && memchr(" \t\r\n", text[at], 4))
		at++;
	return at == length || (text[at] != '{' && text[at] != '[');
}
