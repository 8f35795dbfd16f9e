#pragma once
/* SPDX-License-Identifier: MIT */
/* Keys as a user writes them: `id:7`, `phone:+91 93804-91326`, `email:a@b.c`, or with no kind. */

#include <stdio.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"

/** Size of the text of any key with its kind. */
enum { KEYWORD_SIZE = sizeof("phone:") + KEY_TEXT_MAX };

/**
 * Read a key, as key_parse_typed(). Without a kind, what has an `@` is an e-mail address; digits
 * alone are an id, up to nine of them, and a phone number, ten and more; anything else is a phone
 * number. Returns 0, or KEY_IMPOSSIBLE.
 */
int keyword_parse(uint32_t country, const char *text, struct key *ret) must_check;

/** Takes what stands on line @number, never "". Returns 0 or a negative errno. */
typedef int keyword_take_fn(void *userdata, unsigned number, const char *text);

/**
 * Hand over each line of a list of keys but empty ones and those that begin with `#`, without
 * blanks, a byte order mark, and what a spreadsheet puts around the only column of a table. Lines
 * end in LF, CR or both. Returns 0, -EILSEQ if it is no text, what @take has returned, or another
 * negative errno.
 */
int keyword_read(FILE *stream, keyword_take_fn *take, void *userdata) must_check;

/** What -EILSEQ of keyword_read() means, for the user. */
extern const char keyword_not_text[];

/** Read the key of a line, as keyword_parse(); a line of several columns is none. */
int keyword_parse_line(uint32_t country, const char *text, struct key *ret) must_check;

/** Why the line @text, which is no key, is none; static memory. */
const char *keyword_fault(const char *text);
bool keyword_is_utf8(const char *text);

/** Write `id:7`. */
void keyword_print(const struct key *key, char ret[KEYWORD_SIZE]);

/** Size of the path of any key in a mount. */
enum { KEYWORD_PATH_SIZE = sizeof("by-phone/") + KEY_NAME_SIZE };

/** Write `by-id/7`, the path of @key in a mount. */
void keyword_print_path(const struct key *key, char ret[KEYWORD_PATH_SIZE]);
