#pragma once
/* SPDX-License-Identifier: MIT */
/* Whose a file is, by its first bytes. */

#include <stdint.h>

#include "kapturefs/base/base.h"

enum { DATABASE_HEADER_SIZE = 100 };

/**
 * Judge a file of @size bytes, more than 0, by @header, its first bytes with zeros behind them if
 * there are not enough. Returns 0 if it is a database of @application_id, DATABASE_DAMAGED if it
 * was one, or DATABASE_FOREIGN.
 */
int database_judge(const unsigned char header[DATABASE_HEADER_SIZE], int64_t size,
                   int32_t application_id) must_check;
