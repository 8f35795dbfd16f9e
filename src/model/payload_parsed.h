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

/**
 * Parse @length bytes of @text, which outlives the zeroed *@parsed, to be ended with parsed_fini().
 * Returns 0; -EPROTO for what is not JSON, nested too deeply or has too many values; -ENOMEM.
 */
int parsed_init(struct parsed *parsed, const char *text, size_t length) must_check;

/** The same of a reply, which is an object; -EPROTO comes with *@complaint, static. */
int parsed_init_object(struct parsed *parsed, const char *text, size_t length,
                       const char **complaint) must_check;
void parsed_fini(struct parsed *parsed);

/** Whether @text does not even begin as an object or an array: a page, a sentence, nothing. */
bool payload_is_page(const char *text, size_t length);

/** Whether the two are the same but for the case of ASCII letters, whatever the locale. */
bool payload_is_like(const char *text, const char *expected);

/** Whether @item is a string like that; NULL is none, and no number looks like one. */
bool payload_is_string_like(const struct cJSON *item, const char *expected);
