#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The sentence by which the API says that there is no such customer. Only its letters count, in
 * lower case: blanks, stops and quotation marks come and go.
 *
 * Source: the vendor's page "Get Customer API", `Information given by you does not exist in our
 * sytsem.`; a tenant may have another, which its configuration names.
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"

/** So many letters a configured sentence has at least: a short word could mean anything. */
enum { ABSENCE_LETTERS_MIN = 8 };

/** Whether @sentence has enough letters to be configured. Returns 1, 0, or -ENOMEM. */
int absence_is_long_enough(const char *sentence) must_check;

/**
 * Whether @sentence says that there is no such customer: it begins with the documented words, or is
 * @configured, which may be NULL. Returns 1, 0, or -ENOMEM.
 */
int absence_is_said(const char *sentence, const char *configured) must_check;
