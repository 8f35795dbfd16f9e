/* SPDX-License-Identifier: MIT */
/*
 * A sample a second, and a screen of them. Everything shown is read from .kapturefs/, as any other
 * program could.
 */

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/control_read.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/command/top_screen.h"

enum {
	PAGE_SIZE_MAX = 1 << 20,
	INTERVAL_MS = 1000,
	CONTROL_C = 3,
	CONTROL_Z = 26,
};

static int take_sample(struct top *top, struct config_complaint *complaint)
{
	cleanup(buffer_fini) struct buffer metrics;
	cleanup(buffer_fini) struct buffer status;
	int r;

	buffer_init(&metrics, PAGE_SIZE_MAX);
	buffer_init(&status, PAGE_SIZE_MAX);
	r = control_read(top->mountpoint, "metrics", &metrics, complaint);
	if (!r)
		r = control_read(top->mountpoint, "status", &status, complaint);
	if (!r)
		r = buffer_append_text(&metrics, "");
	if (!r)
		r = buffer_append_text(&status, "");
	if (r)
		return r;

	free(top->status);
	top->status = buffer_steal(&status);
	top_sample_read(metrics.data, clock_ms(), &top->samples[top->count++ % TOP_HISTORY]);
	return 0;
}

/* Back to the shell, and on when it lets us. */
static void stop_for_a_while(void)
{
	endwin();
	raise(SIGSTOP);
	refresh();
}

/* Whether to go on. */
static bool take_key(struct top *top, int key)
{
	if (key == 'q' || key == 'Q' || key == CONTROL_C)
		return false;
	if (key == ' ')
		top->is_paused = !top->is_paused;
	if (key == CONTROL_Z)
		stop_for_a_while();
	return true;
}

static int run(struct top *top, struct config_complaint *complaint)
{
	uint64_t due_ms = clock_ms() + INTERVAL_MS;
	bool goes_on = true;
	int r = 0;

	while (goes_on && !r) {
		uint64_t now = clock_ms();
		int key;

		if (now >= due_ms) {
			due_ms = now + INTERVAL_MS;
			if (!top->is_paused)
				r = take_sample(top, complaint);
		}
		top_draw(top);
		timeout(due_ms > now ? (int)(due_ms - now) : 0);
		key = getch();
		goes_on = key == ERR || take_key(top, key);
	}
	return r;
}

/* That a mount ends while it is watched is an answer. */
static int watch(struct top *top)
{
	struct config_complaint complaint;
	int status = EXIT_LOCAL;
	int r;

	/* What cannot be read is told before the screen is taken. */
	r = take_sample(top, &complaint);
	if (!r) {
		top_begin_screen(top);
		r = run(top, &complaint);
		endwin();
		status = r == -EINVAL ? EXIT_NO : EXIT_LOCAL;
	}
	if (!r)
		return EXIT_OK;
	terminal_complain("kapturefs: %s", r == -EINVAL ? complaint.text : strerror(-r));
	return status;
}

int command_top(int argc, char **argv)
{
	struct top *top;
	int status;

	opterr = 0;
	if (getopt(argc, argv, "") != -1) {
		terminal_complain("kapturefs: top: %s: unknown option; see kapturefs top --help",
		                  argv[1]);
		return EXIT_USAGE;
	}
	if (argc - optind != 1) {
		terminal_complain("kapturefs: top: give one MOUNTPOINT; see kapturefs top --help");
		return EXIT_USAGE;
	}
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		terminal_complain("kapturefs: top: needs a terminal; kapturefs status is for "
		                  "scripts");
		return EXIT_USAGE;
	}
	top = calloc(1, sizeof(*top));
	if (!top)
		return EXIT_LOCAL;
	top->mountpoint = argv[optind];
	status = watch(top);
	free(top->status);
	free(top);
	return status;
}
