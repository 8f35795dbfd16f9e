#pragma once
/* SPDX-License-Identifier: MIT */
/* Exit statuses of the programs, and whether their output has been taken. */

/** mount and attach know the first three. Where several apply, the highest counts. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* of a mount: it could not be made */
	EXIT_NO = 1,     /* of the others: the answer is no */
	EXIT_USAGE = 2,  /* the command line or the configuration is wrong; nothing was done */
	EXIT_API = 3,    /* the API could not be asked */
	EXIT_TOKEN = 4,  /* the API refuses the token */
	EXIT_LOCAL = 5,  /* something of this machine failed: mount, permission, disk, output */
};

/**
 * Flush standard output at the end of @command, "" for the program itself. Returns @status, or
 * EXIT_LOCAL if something has not been written. That is told, unless the reader has gone.
 */
int outcome_end(const char *command, int status);
