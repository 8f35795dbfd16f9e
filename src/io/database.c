/* SPDX-License-Identifier: MIT */
/* What is done with an open database; see database_open.c for how it is opened. */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "kapturefs/base/error_name.h"
#include "kapturefs/base/log.h"
#include "kapturefs/io/database.h"

static const char *code_name(int code)
{
#define NAME(code) [code] = #code
	static const char *const names[] = {
		NAME(SQLITE_ERROR),      NAME(SQLITE_PERM),   NAME(SQLITE_BUSY),
		NAME(SQLITE_LOCKED),     NAME(SQLITE_NOMEM),  NAME(SQLITE_READONLY),
		NAME(SQLITE_INTERRUPT),  NAME(SQLITE_IOERR),  NAME(SQLITE_CORRUPT),
		NAME(SQLITE_FULL),       NAME(SQLITE_SCHEMA), NAME(SQLITE_CANTOPEN),
		NAME(SQLITE_CONSTRAINT), NAME(SQLITE_TOOBIG), NAME(SQLITE_MISMATCH),
		NAME(SQLITE_PROTOCOL),   NAME(SQLITE_MISUSE), NAME(SQLITE_NOTADB),
		NAME(SQLITE_AUTH),       NAME(SQLITE_RANGE),  NAME(SQLITE_INTERNAL),
	};
#undef NAME
	size_t primary = (size_t)code & 0xff;

	return primary < array_length(names) && names[primary] ? names[primary] : "unknown";
}

/* What the system call said, of the two codes that stand for one. */
static int system_error(sqlite3 *database, int code)
{
	int primary = code & 0xff;

	if (!database || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
		return 0;
	return sqlite3_system_errno(database);
}

/* Damage is -EIO like any other failure to read: that is what a reader can be told. */
int database_errno(sqlite3 *database, int code, const char *operation)
{
	int system = system_error(database, code);
	/* Whoever is in the way reads or moves the log himself, and it is tried again. */
	bool is_harmless = (code & 0xff) == SQLITE_BUSY && strcmp(operation, "checkpoint") == 0;

	log_write(is_harmless ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
	          "database: %s failed code=%s extended=%d errno=%s", operation, code_name(code),
	          code, error_name(system));
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_CANTOPEN:
		return system ? -system : -EIO;
	default:
		return -EIO;
	}
}

void database_close(sqlite3 *database)
{
	int code;

	if (!database)
		return;

	code = sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (code)
		(void)!database_errno(database, code, "checkpoint");
	code = sqlite3_close(database);
	assert(code == SQLITE_OK);
	(void)code;
}

void database_abandon(sqlite3 *database)
{
	int code;

	if (!database)
		return;

	(void)sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	code = sqlite3_close(database);
	assert(code == SQLITE_OK);
	(void)code;
}

int database_move_log(sqlite3 *database, uint64_t *ret_pages)
{
	int pages = 0;
	int code;

	/* It only knows of the log once it has read. */
	code = sqlite3_exec(database, "PRAGMA main.data_version", NULL, NULL, NULL);
	if (!code)
		code = sqlite3_wal_checkpoint_v2(database, "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
		                                 &pages);
	if (code)
		return database_errno(database, code, "checkpoint");
	*ret_pages = pages > 0 ? (uint64_t)pages : 0;
	return 0;
}

int database_copy(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int code;

	if (!backup)
		return database_errno(to, sqlite3_extended_errcode(to), "copy");
	(void)sqlite3_backup_step(backup, -1);
	code = sqlite3_backup_finish(backup);
	return code ? database_errno(to, code, "copy") : 0;
}

int database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **ret)
{
	sqlite3_stmt *statement;
	int code;

	code = sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
	if (code)
		return database_errno(database, code, "prepare");

	*ret = statement;
	return 0;
}

int database_run(sqlite3 *database, const char *sql)
{
	int code = sqlite3_exec(database, sql, NULL, NULL, NULL);

	return code ? database_errno(database, code, "run") : 0;
}
