/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "kapturefs/io/database_place.h"
#include "kapturefs/store/cache_check.h"
#include "kapturefs/store/cache_rows.h"

/* www.sqlite.org/fileformat2.html and its locks, os.h of SQLite. */
enum {
	HEADER_SIZE = 100,
	APPLICATION_ID_OFFSET = 68,
	LOCKS_START = 0x40000000,
	LOCKS_LENGTH = 512,
	PROGRESS_STEPS = 10000,
};

static const char magic[] = "SQLite format 3";

static bool is_ours(const unsigned char header[HEADER_SIZE])
{
	const unsigned char *id = header + APPLICATION_ID_OFFSET;
	uint32_t number = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 |
	                  (uint32_t)id[3];

	return memcmp(header, magic, sizeof(magic)) == 0 &&
	       number == (uint32_t)rows_schema()->application_id;
}

static bool is_locked(int descriptor)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCKS_START,
		.l_len = LOCKS_LENGTH,
	};

	return fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int look_at_file(const char *path, enum cache_health *ret)
{
	unsigned char header[HEADER_SIZE];
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (descriptor < 0)
		return -errno;
	length = read(descriptor, header, sizeof(header));
	if (length < 0)
		*ret = CACHE_DAMAGED;
	else if (length > 0 && (length < HEADER_SIZE || !is_ours(header)))
		*ret = CACHE_ALIEN;
	else
		*ret = is_locked(descriptor) ? CACHE_IN_USE : CACHE_HEALTHY;
	close(descriptor);
	return 0;
}

static int is_time_over(void *deadline_ns)
{
	return uv_hrtime() >= *(const uint64_t *)deadline_ns;
}

/* What SQLite itself finds, reading every page. */
static enum cache_health look_at_rows(sqlite3 *database)
{
	sqlite3_stmt *statement = NULL;
	enum cache_health health = CACHE_DAMAGED;
	int r = sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &statement, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r == SQLITE_INTERRUPT)
		health = CACHE_UNREAD;
	else if (r == SQLITE_ROW &&
	         strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0)
		health = CACHE_HEALTHY;
	else if (r == SQLITE_BUSY)
		health = CACHE_IN_USE;
	sqlite3_finalize(statement);
	return health;
}

int cache_check_place(const char *path, char why[TRUST_WHY_SIZE])
{
	int r = database_place_look(path, why);

	return r ? r : database_place_look_beside(path, why);
}

int cache_check(const char *path, uint64_t timeout_ms, enum cache_health *ret)
{
	uint64_t deadline_ns = uv_hrtime() + timeout_ms * 1000000;
	sqlite3 *database;
	int r;

	r = look_at_file(path, ret);
	if (r || *ret != CACHE_HEALTHY)
		return r;
	r = sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL);
	if (r == SQLITE_OK) {
		sqlite3_progress_handler(database, PROGRESS_STEPS, is_time_over, &deadline_ns);
		*ret = look_at_rows(database);
	}
	sqlite3_close(database);
	return r == SQLITE_OK ? 0 : -EIO;
}
