/* SPDX-License-Identifier: MIT */
/*
 * A file becomes ours in this order, so that another's is never written to:
 *
 *   look     where it is, nobody else may make files; nor has he, see database_place.c
 *   create   an absent file is made, empty and private; an empty one counts as new
 *   inspect  its header, without SQLite's locks, journals and recovery
 *   claim    the lock, which stays until the end; the mark of a new file
 *   migrate  each version in a transaction of its own
 *   log      into WAL mode
 *
 * The lock is the operating system's and dies with the process, however that ends. SQLite's
 * unix-excl (www.sqlite.org/vfs.html) takes it for the whole process with the first look at the
 * file. The connections of the process share the WAL's index in memory, so that there is no -shm
 * file, and one of them can move the log into the file while another reads and writes.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/io/database.h"
#include "kapturefs/io/database_header.h"
#include "kapturefs/io/database_place.h"
#include "kapturefs/io/database_wipe.h"

enum {
	BUSY_TIMEOUT_MS = 200,
};

static const char for_one_process[] = "unix-excl";

define_cleanup(sqlite3_stmt *, sqlite3_finalize);

static void free_text(char **text)
{
	free(*text);
}

/* What is left after a failure is left alone: no checkpoint, see connect_file(). */
static void abandon(sqlite3 **database)
{
	database_abandon(*database);
}

/* The outcome of database_open() for SQLite's @code. */
static int refusal(sqlite3 *database, int code, const char *operation)
{
	switch (code & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_BUSY:
		return DATABASE_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return DATABASE_DAMAGED;
	default:
		return database_errno(database, code, operation);
	}
}

static int execute(sqlite3 *database, const char *sql, const char *operation)
{
	return refusal(database, sqlite3_exec(database, sql, NULL, NULL, NULL), operation);
}

static int32_t count_migrations(const struct database_schema *schema)
{
	int32_t count = 0;

	while (schema->migrations[count])
		count++;
	return count;
}

static bool is_file(const char *path)
{
	return strcmp(path, ":memory:") != 0;
}

/*
 * SQLITE_OPEN_NOFOLLOW objects to a symbolic link anywhere in the path; we
 * only do to one at its end, so the directory is resolved first.
 */
static int resolve(const char *path, char **ret)
{
	cleanup(free_text) char *directory = NULL;
	cleanup(free_text) char *real = NULL;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	directory = slash ? strndup(path, (size_t)(name - path)) : strdup(".");
	if (!directory)
		return -ENOMEM;
	real = realpath(directory, NULL);
	if (!real)
		return -errno;
	if (asprintf(ret, "%s/%s", real, name) < 0)
		return -ENOMEM;
	return 0;
}

/*
 * Make the file, if there is none, with the mode that SQLite then gives to its
 * journals too. Only a file that has just been made is ever opened here: to close
 * one that is in use would drop SQLite's locks on it.
 */
static int create_file(const char *path)
{
	struct stat status;
	int r = 0;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		/* The umask may have taken our own access as well. */
		if (fchmod(fd, 0600))
			r = -errno;
		close(fd);
		return r;
	}
	if (errno != EEXIST)
		return -errno;

	if (lstat(path, &status))
		return -errno;
	/* SQLite's unix layer reports a file of one byte as empty. */
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_size == 1)
		return DATABASE_FOREIGN;
	return 0;
}

/* An earlier life may have left it open to others. */
static int make_private(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return -errno;
	if (status.st_mode & 077 && chmod(path, 0600))
		return -errno;
	return 0;
}

static int checkpoint_on_close(sqlite3 *database, bool wanted)
{
	return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !wanted, NULL);
}

static int connect_file(const char *path, sqlite3 **ret)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
	                  SQLITE_OPEN_EXRESCODE;
	cleanup(abandon) sqlite3 *database = NULL;
	int code;

	code = sqlite3_open_v2(path, &database, flags, for_one_process);
	/* Until it is known to be ours, closing leaves its write-ahead log as it is. */
	if (!code)
		code = checkpoint_on_close(database, false);
	if (!code)
		code = sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* What goes from one use to the next without being freed is not wiped between them. */
	if (!code)
		code = sqlite3_db_config(database, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
	if (!code)
		code = sqlite3_busy_timeout(database, BUSY_TIMEOUT_MS);
	if (!code && is_file(path))
		code = database_wipe_writes(database);
	if (code)
		return refusal(database, code, "open");
	if (sqlite3_db_readonly(database, "main") == 1)
		return -EROFS;

	*ret = steal(&database);
	return 0;
}

/*
 * Whether the file may become ours, by its first bytes alone, read through the descriptor that
 * SQLite has open.
 */
static int inspect(sqlite3 *database, const struct database_schema *schema, bool *ret_new)
{
	unsigned char header[DATABASE_HEADER_SIZE] = { 0 };
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	int code;

	code = sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (!code && !file->pMethods) {
		*ret_new = true;
		return 0;
	}
	if (!code)
		code = file->pMethods->xFileSize(file, &size);
	if (!code)
		code = file->pMethods->xRead(file, header, sizeof(header), 0);
	if (code && code != SQLITE_IOERR_SHORT_READ)
		return refusal(database, code, "inspect");

	*ret_new = size == 0;
	if (size == 0)
		return 0;
	return database_judge(header, size, schema->application_id);
}

/*
 * synchronous: FULL syncs the log at every commit, NORMAL only at checkpoints.
 * Both survive the end of the process and never damage the file, but with NORMAL a
 * power failure takes the last commits back: answers that were promised to be kept,
 * and row numbers that were already handed out and would be given again.
 *
 * secure_delete is some builds' default and not others'; what it does not reach, database_wipe.c
 * does. foreign_keys hold for this connection only.
 */
static const char settings[] = "PRAGMA synchronous = FULL;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA temp_store = MEMORY;";

/* As the write-ahead log has it. */
static int read_version(sqlite3 *database, int32_t version_max, int32_t *ret)
{
	cleanup(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
	int version;
	int code;

	code = sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL);
	if (!code)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return refusal(database, code, "inspect");

	version = sqlite3_column_int(statement, 0);
	if (version < 0)
		return DATABASE_DAMAGED;
	if (version > version_max)
		return DATABASE_NEWER;
	*ret = version;
	return 0;
}

/* Mark the file as ours if it is new, in the transaction that first writes to it. */
static int claim_locked(sqlite3 *database, const struct database_schema *schema, int32_t *ret)
{
	char sql[64];
	bool new;
	int r;

	/* Once more: another process may have been faster. */
	r = inspect(database, schema, &new);
	if (!r)
		r = read_version(database, count_migrations(schema), ret);
	if (r || !new)
		return r;

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d", schema->application_id);
	return execute(database, sql, "claim");
}

/* End the transaction: as @r says, and if that fails, as if it had never begun. */
static int conclude(sqlite3 *database, int r, const char *operation)
{
	if (!r)
		r = execute(database, "COMMIT", operation);
	if (r && !sqlite3_get_autocommit(database))
		sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int claim(sqlite3 *database, const struct database_schema *schema, int32_t *ret)
{
	int r;

	r = execute(database, settings, "configure");
	if (!r)
		r = execute(database, "BEGIN EXCLUSIVE", "lock");
	if (r)
		return r;
	return conclude(database, claim_locked(database, schema, ret), "claim");
}

static int migrate(sqlite3 *database, const struct database_schema *schema, int32_t version)
{
	char sql[64];
	int r = 0;

	/*
	 * By this a file can give pages back step by step. To change it takes a VACUUM, which is
	 * nothing as long as there are no tables.
	 */
	if (version == 0)
		r = execute(database, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM", "configure");
	for (; !r && schema->migrations[version]; version++) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version + 1);
		r = execute(database, "BEGIN IMMEDIATE", "migrate");
		if (r)
			return r;
		r = execute(database, schema->migrations[version], "migrate");
		if (!r)
			r = execute(database, sql, "migrate");
		r = conclude(database, r, "migrate");
	}
	return r;
}

static int enter_wal(sqlite3 *database)
{
	cleanup(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
	const char *mode;
	int code;

	code = sqlite3_prepare_v2(database, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
	if (!code)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return refusal(database, code, "journal_mode");

	mode = (const char *)sqlite3_column_text(statement, 0);
	if (mode && strcmp(mode, "wal") == 0)
		return 0;
	log_error("database: no write-ahead log to be had mode=%s", mode ? mode : "none");
	return -EIO;
}

static int look(int (*look_at)(const char *path, char why[TRUST_WHY_SIZE]), const char *path)
{
	char why[TRUST_WHY_SIZE];
	int r = look_at(path, why);

	return r > 0 ? DATABASE_EXPOSED : r;
}

/* Whoever owns a damaged file all the same holds a lock that keeps us from reading. */
static int check_unowned(sqlite3 *database)
{
	int r = execute(database, settings, "configure");

	if (!r || r == DATABASE_DAMAGED)
		r = execute(database, "BEGIN EXCLUSIVE", "lock");
	return r == DATABASE_BUSY ? r : DATABASE_DAMAGED;
}

static int adopt(sqlite3 *database, const char *path, const struct database_schema *schema)
{
	int32_t version = 0;
	bool new;
	int r;

	r = inspect(database, schema, &new);
	if (r == DATABASE_DAMAGED)
		return check_unowned(database);
	if (!r && is_file(path))
		r = look(database_place_look_beside, path);
	if (!r && is_file(path))
		r = make_private(path);
	if (!r)
		r = claim(database, schema, &version);
	if (!r)
		r = migrate(database, schema, version);
	if (!r && is_file(path))
		r = enter_wal(database);
	if (!r)
		r = refusal(database, checkpoint_on_close(database, true), "configure");
	return r;
}

int database_open(const char *path, const struct database_schema *schema, sqlite3 **ret)
{
	cleanup(abandon) sqlite3 *database = NULL;
	cleanup(free_text) char *real = NULL;
	int r = 0;

	if (is_file(path)) {
		r = look(database_place_look, path);
		if (!r)
			r = resolve(path, &real);
		if (!r)
			r = create_file(real);
	}
	if (!r)
		r = connect_file(real ? real : path, &database);
	if (!r)
		r = adopt(database, real ? real : path, schema);
	if (r)
		return r;

	*ret = steal(&database);
	return 0;
}

int database_open_beside(sqlite3 *database, sqlite3 **ret)
{
	cleanup(abandon) sqlite3 *beside = NULL;
	int r;

	r = connect_file(sqlite3_db_filename(database, "main"), &beside);
	if (r)
		return r < 0 ? r : -EIO;
	*ret = steal(&beside);
	return 0;
}

const char *database_sqlite_version(void)
{
	return sqlite3_libversion();
}
