#pragma once
/* SPDX-License-Identifier: MIT */
/* Into the background, with an exit status for whoever started us. */

#include "kapturefs/base/base.h"

/** The child's side of the wait; -1 in a process that was not forked. */
struct daemon {
	int report;
};

/**
 * Fork. The child returns 0 with *@ret; the parent waits for daemon_report() and ends with the
 * status reported, or 1 if the child died without. Returns a negative errno when there was no
 * fork. No thread may run yet.
 */
int daemon_fork(struct daemon *ret) must_check;

/**
 * Report @status to the parent. With 0 the daemon also lets go of the terminal, of the working
 * directory and of its session; its log must go elsewhere by then. Later calls, and calls in a
 * process that was not forked, do nothing.
 */
void daemon_report(struct daemon *daemon, int status);
