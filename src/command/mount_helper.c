/* SPDX-License-Identifier: MIT */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/terminal.h"

struct wish {
	char *options;
	bool is_fake;
};

static int refuse(const char *text)
{
	terminal_complain(MOUNT_HELPER_NAME ": %s", text);
	return EXIT_USAGE;
}

/* What mount(8) gives to every helper; the type is known, and nothing here is verbose. */
static int parse(int argc, char **argv, struct wish *wish)
{
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, ":fo:snvt:N:")) != -1) {
		switch (option) {
		case 'f':
			wish->is_fake = true;
			break;
		case 'o':
			wish->options = optarg;
			break;
		case 'N':
			return refuse("-N: enter the namespace by nsenter(1) instead");
		case ':':
		case '?':
			terminal_complain(MOUNT_HELPER_NAME ": -%c: %s; see " MOUNT_HELPER_NAME
			                                    "(8)",
			                  optopt,
			                  option == ':' ? "needs a value" : "unknown option");
			return EXIT_USAGE;
		default:
			break;
		}
	}
	return EXIT_OK;
}

int command_mount_helper(int argc, char **argv)
{
	char name[] = "mount";
	char flag[] = "-o";
	char none[] = "defaults";
	struct wish wish = { .options = none };
	char *arguments[] = { name, flag, NULL, NULL, NULL, NULL };
	int status = parse(argc, argv, &wish);

	if (status)
		return status;
	if (argc - optind != 2)
		return refuse("give SOURCE and MOUNTPOINT; see mount(8)");
	if (wish.is_fake)
		return EXIT_OK;
	arguments[2] = wish.options;
	arguments[3] = argv[optind];
	arguments[4] = argv[optind + 1];
	return command_mount((int)array_length(arguments) - 1, arguments);
}
