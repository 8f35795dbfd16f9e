/* SPDX-License-Identifier: MIT */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kapturefs/command/overhear.h"
#include "kapturefs/command/terminal.h"

enum { OVERHEARD_MAX = 4096 };

void overhear_begin(struct overhear *overhear)
{
	*overhear = (struct overhear){ .saved = -1, .file = memfd_create("stderr", MFD_CLOEXEC) };
	if (overhear->file < 0)
		return;
	overhear->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (overhear->saved >= 0)
		dup2(overhear->file, STDERR_FILENO);
}

/* What their words mean to who has to do something about it; in any order. */
static const char *find_fix(const char *complaint)
{
	static const struct {
		const char *words;
		const char *fix;
	} table[] = {
		{ "no write access", "; give a directory of your own" },
		{ "not owned by user", "; give a directory of your own" },
		{ "chdir to mountpoint", "; give a directory that you may enter" },
		{ "user_allow_other", "; as root, add that line to it" },
		{ "failed to exec fusermount3", "; install the package fuse3" },
		{ "fusermount3: not found", "; install the package fuse3" },
		{ "Operation not permitted", "; reinstall the package fuse3, or run chmod u+s on "
		                             "fusermount3 as root" },
	};

	for (size_t i = 0; i < array_length(table); i++) {
		if (strstr(complaint, table[i].words))
			return table[i].fix;
	}
	return "";
}

static const char *without_name(const char *line)
{
	static const char *const names[] = { "fusermount3: ", "fuse: " };

	for (size_t i = 0; i < array_length(names); i++) {
		if (strncmp(line, names[i], strlen(names[i])) == 0)
			return line + strlen(names[i]);
	}
	return NULL;
}

static void tell(char *text, char *ret, size_t size)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *complaint = without_name(line);

		if (complaint)
			snprintf(ret, size, "%s%s", complaint, find_fix(complaint));
		else if (*line)
			terminal_complain("%s", line);
	}
}

void overhear_end(struct overhear *overhear, char *ret, size_t size)
{
	char text[OVERHEARD_MAX + 1];
	ssize_t length;

	*ret = '\0';
	if (overhear->saved >= 0) {
		fflush(stderr);
		dup2(overhear->saved, STDERR_FILENO);
		close(overhear->saved);
		length = pread(overhear->file, text, OVERHEARD_MAX, 0);
		text[length > 0 ? length : 0] = '\0';
		tell(text, ret, size);
	}
	if (overhear->file >= 0)
		close(overhear->file);
}
