#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * System calls that a process does without from some time on, seccomp(2): to run programs, to look
 * into other processes or signal them, to mount, to make namespaces, and what only an administrator
 * does. They fail with EPERM.
 *
 * A list of what is refused: what libraries need changes with each of their versions, and an
 * answer that never comes because of that is the worse fault. It is a page of numbers and five
 * kinds of instructions, so that a library (libseccomp) would bring little but itself into the
 * process that holds the token.
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"

/** What is let through all the same. */
enum {
	SECCOMP_BUT_UNMOUNTING = 1 << 0, /* umount2(2) */
	/* A ring of io_uring(7) that is there may be used; none can be made. */
	SECCOMP_BUT_RINGS = 1 << 1,
};

/** Whether the kernel has it, and this program a list for this machine. */
bool seccomp_is_known(void);

/**
 * Refuse them to all threads, and to what they start, but for @exceptions, of those above. Needs
 * no_new_privs. Returns 0 or a negative errno.
 */
int seccomp_refuse(unsigned exceptions) must_check;
