#pragma once
/* SPDX-License-Identifier: MIT */
/* Finding one's way about what .kapturefs/status holds: lines that begin with a label. */

#include <stdbool.h>

#include "kapturefs/base/base.h"

enum { STATUS_LABEL_WIDTH = 12 }; /* where the words of a line begin */

/**
 * Copy the words behind @label, of which the first line is meant, cut to @size; "" if there is no
 * such line.
 */
void status_find(const char *page, const char *label, char *ret, size_t size);

/**
 * The @number-th line below the one with @label, from 1, as status_find(). Returns whether there is
 * one.
 */
bool status_find_below(const char *page, const char *label, int number, char *ret, size_t size);
