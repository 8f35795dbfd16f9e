#pragma once
/* SPDX-License-Identifier: MIT */
/* Text files as editors and spreadsheets of other systems leave them. */

#include <stddef.h>

#include "kapturefs/base/base.h"

/**
 * Make the @*length bytes plain: without a byte order mark at the start, and with each line ended
 * by `\n` where it was `\r\n` or `\r`. *@length becomes what is left, which is no more. Returns
 * NULL, or in words why it is no text in UTF-8, with nothing changed; static memory.
 */
const char *text_make_plain(char *bytes, size_t *length) must_check;
