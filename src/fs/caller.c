/* SPDX-License-Identifier: MIT */

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/caller.h"

enum { STATUS_SIZE = 4096 };

/* The signal set behind @label, a line of hexadecimal digits. */
static uint64_t signals_after(const char *status, const char *label)
{
	const char *place = strstr(status, label);

	return place ? strtoull(place + strlen(label), NULL, 16) : 0;
}

enum caller_state caller_state(pid_t pid)
{
	cleanup(close_descriptor) int descriptor = -1;
	char path[sizeof("/proc//status") + 3 * sizeof(pid)];
	char status[STATUS_SIZE];
	uint64_t pending;
	ssize_t length;

	if (pid <= 0)
		return CALLER_UNKNOWN;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return CALLER_UNKNOWN;
	length = read(descriptor, status, sizeof(status) - 1);
	if (length <= 0)
		return CALLER_UNKNOWN;

	status[length] = '\0';
	pending = signals_after(status, "\nSigPnd:") | signals_after(status, "\nShdPnd:");
	return pending & UINT64_C(1) << (SIGKILL - 1) ? CALLER_DYING : CALLER_ALIVE;
}

uint64_t caller_group(pid_t pid, uid_t uid)
{
	pid_t session = pid > 0 ? getsid(pid) : -1;

	/* No user has the last number, so that 0 is nobody. */
	return ((uint64_t)uid + 1) << 32 | (session > 0 ? (uint32_t)session : 0);
}
