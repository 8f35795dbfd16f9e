#pragma once
/* SPDX-License-Identifier: MIT */
/* What can be seen of the process that waits for a reply. */

#include <stdint.h>
#include <sys/types.h>

enum caller_state {
	CALLER_ALIVE,
	CALLER_DYING,   /* a fatal signal is pending: it only waits for us */
	CALLER_UNKNOWN, /* not to be seen from here */
};

/**
 * The state of the thread @pid, by /proc/<pid>/status. The kernel adds SIGKILL to the
 * pending signals of every thread for any fatal signal (kernel/signal.c, complete_signal()).
 */
enum caller_state caller_state(pid_t pid);

/**
 * Which processes count as one caller when requests are shared out: those of one session
 * (setsid(2): a terminal, a service, a job of cron) of one user, so that a script that starts a
 * program for every customer is one caller. Those that cannot be seen are a session of their user.
 * In the upper half stands the user plus 1, in the lower one the session, or 0.
 */
uint64_t caller_group(pid_t pid, uid_t uid);
