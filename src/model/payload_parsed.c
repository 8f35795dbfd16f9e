/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "payload_parsed.h"

/* Far beyond any reply that io lets through, and so small that no count below overflows. */
#define TEXT_LENGTH_MAX (64 << 20)

void parsed_fini(struct parsed *parsed)
{
	cJSON_Delete(parsed->root);
	json_scan_fini(&parsed->scan);
}

int parsed_init(struct parsed *parsed, const char *text, size_t length,
                const struct json_selection *selection)
{
	size_t offset;
	int r;

	if (length == 0 || length > TEXT_LENGTH_MAX)
		return -EPROTO;
	r = json_scan_selected(text, length, selection, &parsed->scan, &offset);
	if (r)
		return r;

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
                       const struct json_selection *selection, const char **complaint)
{
	int r = parsed_init(parsed, text, length, selection);

	if (r == -EPROTO)
		*complaint = "the reply is not JSON, or is nested too deeply";
	if (r == -EFBIG)
		*complaint = PAYLOAD_TOO_MANY_VALUES;
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
