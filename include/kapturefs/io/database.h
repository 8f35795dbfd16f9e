#pragma once
/* SPDX-License-Identifier: MIT */
/* One SQLite file of one process: opened, locked, migrated; its errors translated. */

#include <sqlite3.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/** The size of a page, in bytes: SQLite's default, which nobody changes. */
enum { DATABASE_PAGE_SIZE = 4096 };

/** What a file must be to be ours, and how to make it so. */
struct database_schema {
	int32_t application_id;
	const char *const *migrations; /* SQL that leads from version n to n + 1, NULL at the end */
};

/** The positive outcomes of database_open(). */
enum {
	DATABASE_BUSY = 1, /* another process has it open */
	DATABASE_FOREIGN,  /* not an SQLite file, or another program's */
	DATABASE_NEWER,    /* made by a later version of this program */
	DATABASE_DAMAGED,  /* ours, or it was; nobody has it open */
	DATABASE_EXPOSED,  /* others can put files where it is, see database_place.h */
};

/**
 * Open or create @path (":memory:" for none), mode 0600, for this process
 * alone, in WAL mode, and migrate it to the newest version.
 *
 * A file that is not ours is left as it is. Returns 0 with *@ret to be closed by
 * database_close(), an outcome, or a negative errno.
 */
int database_open(const char *path, const struct database_schema *schema, sqlite3 **ret) must_check;

/**
 * Close after moving the write-ahead log into the file. Every statement must have been finalized.
 * NULL is ignored.
 */
void database_close(sqlite3 *database);
define_cleanup(sqlite3 *, database_close);

/**
 * Close and leave file and log as they are. Every statement must have been finalized. NULL is
 * ignored.
 */
void database_abandon(sqlite3 *database);
define_cleanup(sqlite3 *, database_abandon);

/**
 * Another connection to whatever is at the path of @database, which is not ":memory:", for another
 * thread; nothing is read or locked yet. Returns 0 with *@ret to be closed by database_abandon(),
 * or a negative errno, logged.
 */
int database_open_beside(sqlite3 *database, sqlite3 **ret) must_check;

/**
 * Move what is in the write-ahead log into the file and sync both, while other connections read and
 * write. There must be something in it that has not been moved: up to 3.51.2, SQLite may damage
 * the file when a log that has been is begun anew just then (sqlite.org/wal.html, "WAL-reset bug").
 * Returns 0 with in *@ret_pages how many pages of the log have been moved, by whomever, or a
 * negative errno, logged: -EBUSY when another connection is in the way.
 */
int database_move_log(sqlite3 *database, uint64_t *ret_pages) must_check;

/**
 * Replace everything in @to by what is in @from, in one transaction. Returns 0 or a negative errno,
 * logged.
 */
int database_copy(sqlite3 *from, sqlite3 *to) must_check;

/** Prepare a statement that is kept for long. Returns 0 or a negative errno, logged. */
int database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **ret) must_check;

/** Run SQL without parameters and results. Returns 0 or a negative errno, logged. */
int database_run(sqlite3 *database, const char *sql) must_check;

/** The negative errno for SQLite's @code, logged once with @operation. */
int database_errno(sqlite3 *database, int code, const char *operation) must_check;

/** The version of SQLite that is loaded. */
const char *database_sqlite_version(void);
