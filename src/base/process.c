/* SPDX-License-Identifier: MIT */

#include <sys/prctl.h>
#include <sys/resource.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/process.h"

/* The limit does not hold for a program that the kernel hands cores to, nor against ptrace(2). */
void process_keep_private(void)
{
	const struct rlimit no_core = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warning("process: core dumps cannot be switched off");
}
