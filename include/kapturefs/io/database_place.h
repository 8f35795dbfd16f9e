#pragma once
/* SPDX-License-Identifier: MIT */
/* Where a database lies: its directory, and the files that SQLite makes beside it. */

#include "kapturefs/base/trust.h"

/**
 * See that nobody else can put a file in the place of @path's database or beside it. Returns as
 * trust_look().
 */
int database_place_look(const char *path, char why[TRUST_WHY_SIZE]) must_check;

/** See that what lies beside it already is ours alone. Returns as trust_look(). */
int database_place_look_beside(const char *path, char why[TRUST_WHY_SIZE]) must_check;
