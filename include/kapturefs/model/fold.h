#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Text for comparing: without case, without the accents of Latin letters. SQLite's trigram
 * tokenizer learned the latter after the version that we may count on.
 */

#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

/**
 * Append @length bytes of @text, folded: Latin letters with accents become those without, Latin,
 * Greek and Cyrillic capitals become small, combining accents go, and control characters are
 * blanks. Bytes that are not UTF-8 stay. Errors as buffer_append().
 */
int fold_append(struct buffer *buffer, const char *text, size_t length) must_check;
