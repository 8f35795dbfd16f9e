/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/base/outcome.h"

int outcome_end(const char *command, int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "kapturefs: %s%sstandard output: %s\n", command,
		        *command ? ": " : "", strerror(errno ? errno : EIO));
	return EXIT_LOCAL;
}
