#pragma once
/* SPDX-License-Identifier: MIT */
/* A database in the hands of another process. Include cmocka.h and its headers first. */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/io/database.h"

/* In another process, and as another program if there is no schema: open, and stay until killed. */
static inline pid_t start_owner(const char *path, const struct database_schema *schema,
                                const char *sql)
{
	sqlite3 *database;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (schema ? database_open(path, schema, &database) : sqlite3_open(path, &database))
			_exit(1);
		if (database_run(database, sql))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static inline void kill_owner(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Whether another process finds a lock on the file. SQLite would tell it what we know of locks. */
static inline bool is_locked_elsewhere(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int r = fcntl(open(path, O_RDWR | O_CLOEXEC), F_GETLK, &lock);

		_exit(r ? 2 : lock.l_type != F_UNLCK);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
	return WEXITSTATUS(status) == 1;
}
