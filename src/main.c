/* SPDX-License-Identifier: MIT */
/*
 * The map of the program. Each folder uses only what stands below it.
 *
 *   main          picks the subcommand
 *   command/      one file a subcommand; mount builds what follows and runs the loop; stack
 *                 (up to the catalog) is built for get, too; refresh, forget and warm act through
 *                 a mount, by the ioctls in fs/control_ioctl.h
 *                 confine (what the daemon gives up, when it has mounted)
 *                 facts (what there is to say of it) -> control_files (of .kapturefs)
 *                 -> status, top, which read them; doctor (_local, _network)
 *   config/       load: defaults, then file (parse: INI), then command line
 *                 -> table (of the options), options, source, number; secrets (what the files hold)
 *   fs/           session (the mount) -> filesystem (operations, replies) -> request (its life)
 *                 -> tree (what a node is, contains and holds); control (.kapturefs);
 *                 notifier (what the kernel is told unasked; listings:
 *                 of those it keeps);
 *                 unmounter (takes away what the daemon cannot: its mount, for want of
 *                 privilege, and the connection of a daemon that was killed)
 *   store/        catalog (find, want) -> cache (what is kept) and
 *                 kapture (the API) through the interface in source.h
 *   model/        key, record, payload, naming, node: pure      io/  http, database: generic
 *   base/         log (events, flood, sink, line), buffer, list, metrics, siphash; process (what
 *                 each command does to its own, before it is chosen)
 *   sandbox/      a stand-in API to try all of it: the program kapturefs-sandbox, whose main.c lies
 *                 there. This one has no server in it; the commands sandbox and demo run that one
 *                 (companion)
 *
 * Everything runs on one thread, in the turns of one libuv loop, but for what has to wait: the
 * calls of notifier and listings into the kernel, for a page, and the syncing and moving of the
 * cache's log, for the disk, have threads of their own.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/columns.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/process.h"
#include "kapturefs/base/spelling.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/libraries.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/config/options.h"
#include "kapturefs/fs/unmounter.h"
#include "kapturefs/sandbox/program.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis;
	const char *summary;
	const char *details; /* paragraphs, and entries for which a line begins with two blanks */
};

enum { USAGE_INDENT = 19 };

static int command_help(int argc, char **argv);
static int command_version(int argc, char **argv);

static const struct command commands[] = {
	{ "mount", command_mount, "[-f] [-d] [-o OPTION[=VALUE][,...]] SOURCE MOUNTPOINT",
	  "show the customers of a Kapture account as directories",
	  "  -f                       stay in the foreground, log to standard error\n"
	  "  -d                       the same, with debug output\n" },
	{ "attach", command_attach, "[-o OPTION[=VALUE][,...]] SOURCE MOUNTPOINT",
	  "mount, and hand the mount to systemd for kapturefs@.service", NULL },
	{ "get", command_get, "[-o OPTION[=VALUE][,...]] [--field NAME] SOURCE KEY...",
	  "print customers as JSON, one a line, without a mount",
	  "KEY is id:NUMBER, phone:NUMBER or email:ADDRESS. Without the kind, what has an @ is an\n"
	  "e-mail address, up to nine digits are an id, and anything else is a phone number.\n"
	  "A KEY of - reads them from standard input, one a line.\n\n"
	  "  --field NAME             print the value of one field, as its file would hold it\n" },
	{ "refresh", command_refresh, "[-m MOUNTPOINT] PATH|KEY...",
	  "have a mount ask for customers again",
	  "PATH is that of a customer in a mount, or anything below; a KEY, as get takes it,\n"
	  "means the mount of the working directory, else the only one. What has changed can\n"
	  "be read as soon as the command is back.\n\n"
	  "  -m MOUNTPOINT            the mount that keys mean\n" },
	{ "forget", command_forget, "[-m MOUNTPOINT] [-a] PATH|KEY...",
	  "have a mount forget customers",
	  "PATH is that of a customer in a mount, or anything below; a KEY, as get takes it,\n"
	  "means the mount of the working directory, else the only one. No byte of the\n"
	  "customer stays in the cache or in the kernel's, under any key. The next look-up\n"
	  "asks again.\n\n"
	  "  -m MOUNTPOINT            the mount that keys mean\n"
	  "  -a                       keys mean all mounts\n" },
	{ "warm", command_warm,
	  "[--dry-run] [--json] [--jobs N] [--max-age SECONDS] [--since DATE] [--until DATE] "
	  "MOUNTPOINT [FILE]",
	  "have a mount ask for many customers",
	  "FILE, or standard input, has a KEY a line, as get takes it. To resume after an\n"
	  "interruption, start it again.\n\n"
	  "  --since YYYY-MM-DD       the customers created from that day on, instead of a FILE\n"
	  "  --until YYYY-MM-DD       ... to that day (default: today)\n"
	  "  --dry-run                only tell how many requests it takes, and how long\n"
	  "  --json                   report as one JSON object\n"
	  "  --jobs N                 so many at a time (default: max_connections of the mount)\n"
	  "  --max-age SECONDS        answers as young as that will do (default: 43200)\n" },
	{ "export", command_export,
	  "[--format ndjson|csv] [--contacts] [--columns NAME,...] [--where WORDS] [--no-formulas] "
	  "MOUNTPOINT|CACHE",
	  "print all cached customers as NDJSON or CSV",
	  "Nothing is asked of the API. Of a cache that is mounted, give the MOUNTPOINT.\n\n"
	  "  --format ndjson|csv      the JSON objects as the API sent them, one a line "
	  "(default),\n"
	  "                           or a table\n"
	  "  --contacts               a table of the contacts, a row each\n"
	  "  --columns NAME,...       only these columns, in this order\n"
	  "  --where WORDS            only customers in whose values all the words occur\n"
	  "  --no-formulas            put a ' before what a spreadsheet would take for a "
	  "formula\n" },
	{ "status", command_status, "[--json] [MOUNTPOINT]", "tell how a mount is doing, or all",
	  "  --json                   print an object, or an array of all, for scripts\n" },
	{ "top", command_top, "MOUNTPOINT", "watch a mount: requests, latencies, waiting look-ups",
	  NULL },
	{ "umount", command_umount, "MOUNTPOINT", "unmount, and wait until the cache is closed",
	  "A mount whose daemon died is taken away, too.\n" },
	{ "doctor", command_doctor, "[--json] [-o OPTION[=VALUE][,...]] [SOURCE]",
	  "check what a mount needs, and say how to fix what is missing",
	  "Without SOURCE, the only one that the configuration file has is meant; without any,\n"
	  "what is of this machine is checked. Nothing is changed, and at most one request is\n"
	  "sent, for a customer that cannot exist.\n\n"
	  "  --json                   print an object, for scripts\n" },
	{ "sandbox", command_sandbox, SANDBOX_SYNOPSIS, SANDBOX_SUMMARY, NULL },
	{ "demo", command_demo, "MOUNTPOINT", "sandbox and mount in one, nothing to configure",
	  NULL },
	{ "help", command_help, "[COMMAND]", "print this, or what COMMAND takes", NULL },
	{ "version", command_version, "", "print the version", NULL },
};

/* Not yet here, and no tenant's name where they would stand. */
static const char *const due[] = { "find", "why", "watch", "fleet" };

/* The name that @word may stand for: a command_near_fn. */
static const char *near_command(const char *word, bool *ret_is_due)
{
	struct spelling spelling = { .word = word };
	const char *name;

	for (size_t i = 0; i < array_length(commands); i++)
		spelling_try(&spelling, commands[i].name);
	name = spelling.nearest;
	for (size_t i = 0; i < array_length(due); i++)
		spelling_try(&spelling, due[i]);
	*ret_is_due = spelling.nearest != name;
	return spelling.nearest;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < array_length(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

static void print_usage(const char *head, const struct command *command, const char *optional)
{
	char start[64];

	snprintf(start, sizeof(start), "%s kapturefs %s", head,
	         optional ? optional : command->name);
	columns_print(stdout, start, USAGE_INDENT, command->synopsis);
}

static void print_entry(const char *name, const char *text)
{
	char head[64];

	snprintf(head, sizeof(head), "  %s", name);
	columns_print(stdout, head, CONFIG_HELP_INDENT, text);
}

static int print_help(void)
{
	print_usage("usage:", &commands[0], "[mount]");
	for (size_t i = 1; i < array_length(commands); i++)
		print_usage("      ", &commands[i], NULL);
	printf("       kapturefs --check-config [FILE]\n"
	       "       kapturefs COMMAND --help\n"
	       "       kapturefs --help | --version\n\n");
	for (size_t i = 0; i < array_length(commands); i++)
		print_entry(commands[i].name, commands[i].summary);
	print_entry("--check-config", "check the configuration file and the files that it names");
	printf("\nSOURCE is a sub domain (acme), a host or a base URL.\n\n%s\noptions of -o:\n",
	       commands[0].details);
	config_print_options(stdout, true);
	return outcome_end("", EXIT_OK);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The lines of @text up to one that is empty or the head of an entry, in one; returns the rest. */
static const char *join_lines(const char *text, char *ret, size_t size)
{
	size_t length = 0;

	do {
		size_t blanks = strspn(text, " ");
		size_t line = strcspn(text, "\n");

		/* In the head of an entry, many blanks are the gap before its meaning. */
		length += (size_t)snprintf(ret + length, size - length, "%s%.*s", length ? " " : "",
		                           (int)(length ? line - blanks : line),
		                           text + (length ? blanks : 0));
		text += line + (text[line] == '\n');
	} while (length < size && *text && *text != '\n' &&
	         (strspn(text, " ") == 0 || strspn(text, " ") > 2) &&
	         (*ret != ' ' || *text == ' '));
	return text;
}

static void print_details(const char *text)
{
	char lines[1024];
	char *gap;

	while (*text) {
		for (; *text == '\n'; text++)
			putchar('\n');
		text = join_lines(text, lines, sizeof(lines));
		gap = lines[0] == ' ' ? strstr(lines + 2, "  ") : NULL;
		if (gap)
			*gap = '\0';
		columns_print(stdout, gap ? lines : "", gap ? CONFIG_HELP_INDENT : 0,
		              gap ? gap + 1 : lines);
	}
}

/* To the others, what is shown by a mount means nothing. */
static bool has_mount(const struct command *command)
{
	return command->run == command_mount || command->run == command_attach ||
	       command->run == command_doctor;
}

static int print_command_help(const struct command *command)
{
	print_usage("usage:", command, NULL);
	putchar('\n');
	columns_print(stdout, "", 0, command->summary);
	if (command->details) {
		putchar('\n');
		print_details(command->details);
	}
	if (strstr(command->synopsis, "-o OPTION")) {
		printf("\noptions of -o:\n");
		config_print_options(stdout, has_mount(command));
	}
	return outcome_end(command->name, EXIT_OK);
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	return wants_help(argc, argv) ? print_command_help(command) : command->run(argc, argv);
}

static int command_version(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--") == 0)
		argc--, argv++;
	if (argc > 1) {
		terminal_complain("kapturefs: version: %s: takes no operand", argv[1]);
		return EXIT_USAGE;
	}
	printf("kapturefs %s\n", KAPTUREFS_VERSION);
	return outcome_end("", EXIT_OK);
}

static int command_help(int argc, char **argv)
{
	const struct command *command;
	const char *near;
	bool is_due;

	if (argc > 1 && strcmp(argv[1], "--") == 0)
		argc--, argv++;
	if (argc < 2)
		return print_help();
	command = argc == 2 ? find_command(argv[1]) : NULL;
	if (command)
		return print_command_help(command);
	near = near_command(argv[1], &is_due);
	if (argc > 2)
		terminal_complain("kapturefs: help: give one COMMAND");
	else if (near && !is_due)
		terminal_complain("kapturefs: help: %s: no such command; did you mean %s?", argv[1],
		                  near);
	else
		terminal_complain("kapturefs: help: %s: no such command; see kapturefs help",
		                  argv[1]);
	return EXIT_USAGE;
}

/*
 * Nothing that whoever has started us left open stays. What a configuration file names as /dev/fd/N
 * is known only once that has been read: inherited_close().
 */
static void close_inherited(const struct command *command, int argc, char **argv)
{
	bool has_configuration = !command || strstr(command->synopsis, "-o OPTION");

	if (!has_configuration)
		process_close_files((const char *const *)argv, (size_t)argc);
}

/* The word is the first: a command, SOURCE or an option. */
static int run(int argc, char **argv)
{
	const struct command *command = find_command(argv[1]);

	close_inherited(command, argc, argv);
	if (command)
		return run_command(command, argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return command_version(argc - 1, argv + 1);
	if (strcmp(argv[1], "--check-config") == 0)
		return command_check_config(argc - 1, argv + 1);
	if (strcmp(argv[1], "-h") == 0 || wants_help(argc, argv))
		return print_help();
	return command_mount_unnamed(argc, argv, near_command);
}

/* Of a mount, and of what says whether there could be one, it is another. */
static int status_of_failure(const struct command *command)
{
	return command && !has_mount(command) ? EXIT_LOCAL : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	if (!process_keep_standard_files())
		return EXIT_FAILED;
	/* A reader that has gone is an error like any other: see outcome_end(). */
	signal(SIGPIPE, SIG_IGN);
	log_open();
	process_keep_private();
	process_clean_environment();
	process_keep_files();
	if (argc == 1 && strcmp(argv[0], UNMOUNTER_NAME) == 0)
		return unmounter_run();
	if (!libraries_are_new_enough(stderr))
		return status_of_failure(argc > 1 ? find_command(argv[1]) : NULL);
	if (argc > 0 && strcmp(base_name(argv[0]), MOUNT_HELPER_NAME) == 0)
		return command_mount_helper(argc, argv);
	if (argc < 2) {
		terminal_complain("kapturefs: give SOURCE and MOUNTPOINT; see kapturefs --help");
		return EXIT_USAGE;
	}
	return run(argc, argv);
}
