/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/outcome.h"
#include "kapturefs/command/companion.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/sandbox/program.h"

/* It stands beside this program, in a build as when installed. Returns whether that is known. */
static bool find_beside(char *ret, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", ret, size);
	char *slash;

	if (length < 0 || (size_t)length >= size)
		return false;
	ret[length] = '\0';
	slash = strrchr(ret, '/');
	if (!slash || size - (size_t)(slash + 1 - ret) < sizeof(SANDBOX_PROGRAM))
		return false;
	strcpy(slash + 1, SANDBOX_PROGRAM);
	return true;
}

int companion_run(const char *command, char **argv)
{
	char path[PATH_MAX] = "";

	/* Never by PATH: who sets that would choose what is run. */
	if (find_beside(path, sizeof(path)))
		execv(path, argv);
	/* Of a program that has been replaced while it ran nothing else is known. */
	if (!*path || errno == ENOENT) {
		strcpy(path, KAPTUREFS_BINDIR "/" SANDBOX_PROGRAM);
		execv(path, argv);
	}
	if (errno == ENOENT)
		terminal_complain("kapturefs: %s: the program " SANDBOX_PROGRAM " is missing; "
		                  "fix: install the package " SANDBOX_PROGRAM,
		                  command);
	else
		terminal_complain("kapturefs: %s: %s: %s", command, path, strerror(errno));
	return EXIT_LOCAL;
}
