#pragma once
/* SPDX-License-Identifier: MIT */
/* What SQLite leaves between the rows of a page. For database_open.c. */

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/io/database.h"

/**
 * Wipe what is in @page, which has the @number in a file with auto_vacuum, between the pointers to
 * its cells and the first cell; a page that is no B-tree's is left as it is
 * (www.sqlite.org/fileformat2.html, 1.6 and 1.8).
 */
void database_wipe_page(unsigned char page[DATABASE_PAGE_SIZE], uint32_t number);

/**
 * From now on, wipe each page that @database, a connection to a file, writes into it. The pages of
 * its write-ahead log, and those in its memory, stay as they are. Returns an SQLite code.
 */
int database_wipe_writes(sqlite3 *database);
