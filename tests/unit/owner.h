#pragma once
/* SPDX-License-Identifier: MIT */
/* A database in the hands of another process. Include cmocka.h and its headers first. */

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/io/database.h"

/* In another process, and as another program if there is no schema: open, and stay until killed. */
static pid_t start_owner(const char *path, const struct database_schema *schema, const char *sql)
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

static void kill_owner(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* What another process is told that tries to open the file. */
static int open_elsewhere(const char *path, const struct database_schema *schema)
{
	sqlite3 *database;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(database_open(path, schema, &database));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
