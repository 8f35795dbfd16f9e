/* SPDX-License-Identifier: MIT */
/* `refresh` and `forget`: what a mount is told about customers of it. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/place.h"

struct order {
	const char *name; /* of the subcommand */
	unsigned long command;
	bool forgets;
};

static int complain(const struct order *order, const char *path, const char *text, int status)
{
	fprintf(stderr, "kapturefs: %s: %s: %s\n", order->name, path, text);
	return status;
}

static int complain_of(const struct order *order, const char *path, int r)
{
	if (r == -EISDIR)
		return complain(order, path,
		                order->forgets
		                        ? "names no customer; to forget all, unmount and remove "
		                          "the cache file"
		                        : place_error(r),
		                EXIT_USAGE);
	if (r == -ETIMEDOUT && order->forgets)
		return complain(order, path,
		                "forgotten, but somebody still reads what the kernel keeps of it",
		                EXIT_LOCAL);
	return complain(order, path, place_error(r), outcome_of(r));
}

static int run_at(const struct order *order, const char *path, const struct place *place)
{
	struct kapturefs_order wanted = { .max_age_ms = 0 };
	int r;

	memcpy(wanted.path, place->path, sizeof(wanted.path));
	r = place_order(place, order->command, &wanted);
	if (r < 0 && wanted.cause[0])
		return complain(order, path, wanted.cause, outcome_of(r));
	if (r < 0)
		return complain_of(order, path, r);
	if (r == KAPTUREFS_REMAINS)
		return complain(
		        order, path,
		        "forgotten, but bytes of it are left in the cache's files; the mount "
		        "tries again every minute",
		        EXIT_LOCAL);
	if (r == KAPTUREFS_NOTHING && order->forgets)
		return complain(order, path, "nothing was known", EXIT_OK);
	return EXIT_OK;
}

static int run_on(const struct order *order, const char *path)
{
	struct place place;
	int status;
	int r;

	r = place_find(path, &place);
	if (r == PLACE_OUTSIDE)
		return complain(order, path, "not in a mount of kapturefs", EXIT_LOCAL);
	if (r)
		return complain(order, path, strerror(-r), EXIT_LOCAL);
	status = run_at(order, path, &place);
	place_fini(&place);
	return status;
}

static int run(const struct order *order, int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	int status = EXIT_OK;

	if (first == 1 && argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "kapturefs: %s: unknown option %s; see kapturefs %s --help\n",
		        order->name, argv[1], order->name);
		return EXIT_USAGE;
	}
	if (first >= argc) {
		fprintf(stderr, "kapturefs: %s: give a PATH in a mount; see kapturefs %s --help\n",
		        order->name, order->name);
		return EXIT_USAGE;
	}
	for (int i = first; i < argc; i++) {
		int one = run_on(order, argv[i]);

		if (one > status)
			status = one;
	}
	return status;
}

int command_refresh(int argc, char **argv)
{
	return run(&(struct order){ "refresh", KAPTUREFS_REFRESH, false }, argc, argv);
}

int command_forget(int argc, char **argv)
{
	return run(&(struct order){ "forget", KAPTUREFS_FORGET, true }, argc, argv);
}
