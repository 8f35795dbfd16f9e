/* SPDX-License-Identifier: MIT */
/*
 * `refresh` and `forget`: what a mount is told about customers of it.
 *
 * All operands are looked at before anything is done, so that a mistake of the command line is told
 * with nothing done. An operand that names no customer is none: the others have their turn.
 */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/target.h"
#include "kapturefs/command/terminal.h"

struct order {
	const char *name; /* of the subcommand */
	const char *options;
	unsigned long command;
	bool forgets;
	struct target_choice choice;
};

static int complain(const struct order *order, const char *word, const char *text, int status)
{
	terminal_complain("kapturefs: %s: %s: %s", order->name, word, text);
	return status;
}

/* What keeps the cache from forgetting is its disk. */
static const char *disk_error(int r)
{
	switch (r) {
	case -ENOSPC:
		return "not forgotten: the cache's disk is full; make room, and forget it again";
	case -EROFS:
		return "not forgotten: the cache's disk is read-only; make it writable, and forget "
		       "it again";
	case -EIO:
		return "not forgotten: the cache's disk fails; see .kapturefs/errors";
	default:
		return NULL;
	}
}

static int complain_of(const struct order *order, const char *word, int r)
{
	if (r == -ETIMEDOUT && order->forgets)
		return complain(order, word,
		                "forgotten, but somebody still reads what the kernel keeps of it",
		                EXIT_LOCAL);
	if (order->forgets && disk_error(r))
		return complain(order, word, disk_error(r), EXIT_LOCAL);
	return complain(order, word, place_error(r), outcome_of(r));
}

/* @ret_nothing is kept unless something was done. */
static int run_at(const struct order *order, const char *word, const struct place *place,
                  bool *ret_nothing)
{
	struct kapturefs_order wanted = { .max_age_ms = 0 };
	int r;

	memcpy(wanted.path, place->path, sizeof(wanted.path));
	r = place_order(place, order->command, &wanted);
	*ret_nothing &= r == KAPTUREFS_NOTHING;
	if (r < 0 && wanted.cause[0])
		return complain(order, word, wanted.cause, outcome_of(r));
	if (r < 0)
		return complain_of(order, word, r);
	if (r == KAPTUREFS_REMAINS)
		return complain(
		        order, word,
		        "forgotten, but bytes of it are left in the cache's files; the mount "
		        "tries again every minute",
		        EXIT_LOCAL);
	return EXIT_OK;
}

/* Whoever wants to forget all of a mount is told how. */
static const char *hint(const struct order *order, const struct config_complaint *complaint)
{
	if (order->forgets && strcmp(complaint->text, place_error(-EISDIR)) == 0)
		return "names no customer; to forget all, unmount and remove the cache file";
	return complaint->text;
}

static int run_on(const struct order *order, const char *word)
{
	struct config_complaint complaint;
	struct target target;
	bool is_nothing = true;
	int status;

	status = target_find(word, &order->choice, &target, &complaint);
	if (status != EXIT_OK)
		return complain(order, word, hint(order, &complaint), status);
	for (size_t i = 0; i < target.count; i++)
		status = outcome_worse(status, run_at(order, word, &target.places[i], &is_nothing));
	target_fini(&target);
	if (is_nothing && order->forgets)
		return complain(order, word, "nothing was known", status);
	return status;
}

/* Tell what would be a mistake to do anything with. */
static int check(const struct order *order, const char *word)
{
	struct config_complaint complaint;
	struct target target;
	int status;

	status = target_find(word, &order->choice, &target, &complaint);
	if (status == EXIT_OK)
		target_fini(&target);
	return status == EXIT_USAGE ? complain(order, word, complaint.text, status) : EXIT_OK;
}

static int refuse(const struct order *order, const char *text, const char *word)
{
	terminal_complain("kapturefs: %s: %s%s%s; see kapturefs %s --help", order->name, text,
	                  *word ? " " : "", word, order->name);
	return EXIT_USAGE;
}

/* Returns EXIT_OK, or another exit status with the mistake told. */
static int parse_options(struct order *order, int argc, char **argv)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, order->options, none, NULL)) != -1) {
		if (option == 'm')
			order->choice.mountpoint = optarg;
		else if (option == 'a')
			order->choice.is_all = true;
		else
			return refuse(order,
			              option == ':' ? "a value is missing behind"
			                            : "unknown option",
			              argv[optind - 1]);
	}
	if (order->choice.mountpoint && order->choice.is_all)
		return refuse(order, "give -m or -a, not both", "");
	return optind < argc ? EXIT_OK : refuse(order, "give a PATH in a mount, or a KEY", "");
}

static int run(struct order *order, int argc, char **argv)
{
	int status = parse_options(order, argc, argv);

	if (status != EXIT_OK)
		return status;
	for (int i = optind; i < argc; i++)
		status = outcome_worse(status, check(order, argv[i]));
	if (status != EXIT_OK)
		return status;
	for (int i = optind; i < argc; i++)
		status = outcome_worse(status, run_on(order, argv[i]));
	return status;
}

int command_refresh(int argc, char **argv)
{
	struct order order = {
		.name = "refresh",
		.options = ":m:",
		.command = KAPTUREFS_REFRESH,
	};

	return run(&order, argc, argv);
}

int command_forget(int argc, char **argv)
{
	struct order order = {
		.name = "forget",
		.options = ":am:",
		.command = KAPTUREFS_FORGET,
		.forgets = true,
	};

	return run(&order, argc, argv);
}
