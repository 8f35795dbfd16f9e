/* SPDX-License-Identifier: MIT */
/*
 * The map of the program. Each folder uses only what stands below it.
 *
 *   main          picks the subcommand
 *   command/      one file a subcommand; mount builds what follows and runs the loop;
 *                 facts (what there is to say of it) -> control_files (of .kapturefs)
 *                 -> status, top, which read them; doctor (_local, _network)
 *   config/       load: defaults, then file (parse: INI), then command line
 *                 -> table (of the options), options, source, number; secrets (what the files hold)
 *   fs/           session (the mount) -> filesystem (operations, replies) -> request (its life)
 *                 -> tree (what a node is, contains and holds); control (.kapturefs);
 *                 notifier (what the kernel is told unasked)
 *   store/        catalog (find, want) -> cache (what is kept) and
 *                 kapture (the API) through the interface in source.h
 *   model/        key, record, payload, naming, node: pure      io/  http, database: generic
 *   base/         log (events, flood, sink, line), buffer, list, metrics, siphash
 *   sandbox/      a stand-in API to try all of it
 *
 * Everything runs on one thread, in the turns of one libuv loop; only the notifier's calls into
 * the kernel, which may have to wait for a page, have a thread of their own.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/log.h"
#include "kapturefs/command/command.h"
#include "kapturefs/config/options.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis;
	const char *summary;
};

static const struct command commands[] = {
	{ "mount", command_mount, "[-f] [-d] [-o OPTION[=VALUE][,...]] SOURCE MOUNTPOINT",
	  "show the customers of a Kapture account as directories" },
	{ "status", command_status, "[--json] MOUNTPOINT", "tell how a mount is doing" },
	{ "top", command_top, "MOUNTPOINT",
	  "watch a mount: requests, latencies, waiting look-ups" },
	{ "doctor", command_doctor, "[--json] [-o OPTION[=VALUE][,...]] [SOURCE]",
	  "check what a mount needs, and say how to mend what is missing" },
	{ "sandbox", command_sandbox,
	  "[--port N] [--customers N] [--seed N] [--latency MS] [--token T] [--tls] [--ca FILE] "
	  "[--faults FILE]",
	  "serve generated customers by the same API, for trying and testing" },
	{ "demo", command_demo, "MOUNTPOINT", "sandbox and mount in one, nothing to configure" },
};

static int print_help(void)
{
	printf("usage: kapturefs [mount] %s\n", commands[0].synopsis);
	for (size_t i = 1; i < array_length(commands); i++)
		printf("       kapturefs %s %s\n", commands[i].name, commands[i].synopsis);
	printf("       kapturefs --check-config [FILE]\n"
	       "       kapturefs --help | --version\n\n");
	for (size_t i = 0; i < array_length(commands); i++)
		printf("  %-24s %s\n", commands[i].name, commands[i].summary);
	printf("  --check-config           check the configuration file and the files that it "
	       "names\n");
	printf("\nSOURCE is a sub domain (acme), a host or a base URL.\n\n"
	       "  -f                       stay in the foreground, log to standard error\n"
	       "  -d                       the same, with debug output\n\n"
	       "options of -o:\n");
	config_print_options(stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

/* A standard descriptor that is closed would be the next file to be opened, the cache say. */
static bool keep_standard_descriptors(void)
{
	for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
		/* Opening takes the lowest that is free. */
		if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) != descriptor)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (!keep_standard_descriptors())
		return EXIT_FAILED;
	log_open();
	if (argc < 2) {
		fprintf(stderr, "kapturefs: give SOURCE and MOUNTPOINT; see kapturefs --help\n");
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("kapturefs %s\n", KAPTUREFS_VERSION);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--check-config") == 0)
		return command_check_config(argc - 1, argv + 1);

	for (size_t i = 0; i < array_length(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return command_mount(argc, argv);
}
