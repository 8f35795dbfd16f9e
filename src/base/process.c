/* SPDX-License-Identifier: MIT */

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/process.h"

/* The limit does not hold for a program that the kernel hands cores to, nor against ptrace(2). */
void process_keep_private(void)
{
	const struct rlimit no_core = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warning("process: core dumps cannot be switched off");
}

/*
 * A list of what may stay, for what a library may obey has no end: LD_*, SSL_CERT_FILE,
 * OPENSSL_CONF, SSLKEYLOGFILE, GCONV_PATH, LOCPATH, HOSTALIASES, MALLOC_*, proxies ...
 */
static bool is_allowed(const char *entry)
{
	static const char *const names[] = {
		/* where the files of the user and of the service are */
		"HOME",
		"XDG_CONFIG_HOME",
		"XDG_CACHE_HOME",
		"CREDENTIALS_DIRECTORY",
		/* the terminal, and the times and letters on it */
		"TERM",
		"TERMINFO",
		"COLUMNS",
		"LINES",
		"NO_COLOR",
		"TZ",
		"LANG",
		"LC_ALL",
		"LC_CTYPE",
		/* the service manager */
		"NOTIFY_SOCKET",
		"WATCHDOG_USEC",
		"WATCHDOG_PID",
		"JOURNAL_STREAM",
	};
	size_t length = strcspn(entry, "=");

	for (size_t i = 0; i < array_length(names); i++) {
		if (strlen(names[i]) == length && strncmp(names[i], entry, length) == 0)
			return true;
	}
	return false;
}

/* The words stay in the memory of the process, and /proc/PID/environ would go on showing them. */
void process_clean_environment(void)
{
	size_t kept = 0;

	for (size_t i = 0; environ && environ[i]; i++) {
		if (is_allowed(environ[i]))
			environ[kept++] = environ[i];
		else
			explicit_bzero(environ[i], strlen(environ[i]));
	}
	if (environ)
		environ[kept] = NULL;
	if (setenv("PATH", PROCESS_PATH, 1) < 0)
		log_warning("process: no memory for its environment");
}

/* Not every C library can close a range, and a kernel that cannot is older than is supported. */
static void close_range_of(unsigned first, unsigned last, unsigned flags)
{
	if (first <= last)
		(void)syscall(SYS_close_range, first, last, flags);
}

bool process_keep_standard_files(void)
{
	for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
		int mode = file == STDOUT_FILENO ? O_RDONLY : O_RDWR;

		/* Opening takes the lowest that is free. */
		if (fcntl(file, F_GETFD) < 0 && open("/dev/null", mode) != file)
			return false;
	}
	return true;
}

void process_keep_files(void)
{
	close_range_of(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

/* The lowest number from @least on that one of @names has; UINT_MAX if there is none. */
static unsigned next_named(const char *const *names, size_t count, unsigned least)
{
	static const char folder[] = "/fd/";
	unsigned next = UINT_MAX;

	for (size_t i = 0; i < count; i++) {
		const char *place = names[i] ? names[i] : "";

		while ((place = strstr(place, folder))) {
			unsigned long number;

			place += sizeof(folder) - 1;
			number = *place >= '0' && *place <= '9' ? strtoul(place, NULL, 10)
			                                        : UINT_MAX;
			if (number >= least && number < next)
				next = (unsigned)number;
		}
	}
	return next;
}

void process_close_files(const char *const *names, size_t count)
{
	unsigned first = STDERR_FILENO + 1;
	unsigned named;

	while ((named = next_named(names, count, first)) != UINT_MAX) {
		close_range_of(first, named - 1, 0);
		first = named + 1;
	}
	close_range_of(first, UINT_MAX, 0);
}

void process_hand_on_files(const char *const *names, size_t count)
{
	unsigned first = STDERR_FILENO + 1;
	unsigned named;

	while ((named = next_named(names, count, first)) != UINT_MAX) {
		if (named <= INT_MAX)
			(void)fcntl((int)named, F_SETFD, 0); /* it may not be open */
		first = named + 1;
	}
}
