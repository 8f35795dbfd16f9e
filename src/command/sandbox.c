/* SPDX-License-Identifier: MIT */

#include "kapturefs/base/process.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/companion.h"
#include "kapturefs/sandbox/program.h"

int command_sandbox(int argc, char **argv)
{
	char name[] = SANDBOX_PROGRAM;

	process_hand_on_files((const char *const *)argv, (size_t)argc);
	argv[0] = name;
	return companion_run("sandbox", argv);
}
