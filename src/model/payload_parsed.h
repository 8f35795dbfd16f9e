#pragma once
/* SPDX-License-Identifier: MIT */
/* A text as it was sent, and what the parser made of its armoured copy. */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/json.h"

struct cJSON;

struct parsed {
	const char *text;
	struct json_scan scan;
	struct cJSON *root;
};

#define PAYLOAD_TOO_MANY_VALUES "the reply has more than 65536 values"

/**
 * Parse what @selection wants of @length bytes of @text, which outlives the zeroed *@parsed, to be
 * ended with parsed_fini(). Returns 0; -EPROTO for what is not JSON or nested too deeply; -EFBIG
 * for what has too many values, see json.h; -ENOMEM.
 */
int parsed_init(struct parsed *parsed, const char *text, size_t length,
                const struct json_selection *selection) must_check;

/** The same of a reply, which is an object; -EPROTO and -EFBIG come with *@complaint, static. */
int parsed_init_object(struct parsed *parsed, const char *text, size_t length,
                       const struct json_selection *selection, const char **complaint) must_check;
void parsed_fini(struct parsed *parsed);

/** Whether @text does not even begin as an object or an array: a page, a sentence, nothing. */
bool payload_is_page(const char *text, size_t length);

/** Whether the two are the same but for the case of ASCII letters, whatever the locale. */
bool payload_is_like(const char *text, const char *expected);

/** Whether @item is a string like that; NULL is none, and no number looks like one. */
bool payload_is_string_like(const struct cJSON *item, const char *expected);
