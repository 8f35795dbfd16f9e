/* SPDX-License-Identifier: MIT */
/* The daemon says how it is (facts.c); here it is read and shown. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/control_read.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/status_page.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/fs/mounts.h"

enum { PAGE_SIZE_MAX = 1 << 20 };

static enum terminal_colour health_colour(const char *words)
{
	if (strncmp(words, "good", 4) == 0)
		return TERMINAL_GREEN;
	return strncmp(words, "limited", 7) == 0 ? TERMINAL_YELLOW : TERMINAL_RED;
}

/* The label stands out, and health has the colour of what it is. */
static void print_line(const char *line, int length, bool has_colours, enum terminal_colour words)
{
	int label = length < STATUS_LABEL_WIDTH ? length : STATUS_LABEL_WIDTH;
	const char *off = terminal_switch(has_colours, TERMINAL_PLAIN);

	printf("%s%.*s%s%s%.*s%s\n", terminal_switch(has_colours, TERMINAL_BOLD), label, line, off,
	       words == TERMINAL_PLAIN ? "" : terminal_switch(has_colours, words), length - label,
	       line + label, words == TERMINAL_PLAIN ? "" : off);
}

static void print_page(const char *page, bool has_colours)
{
	enum terminal_colour colour = TERMINAL_PLAIN;

	while (*page) {
		size_t length = strcspn(page, "\n");

		if (*page != ' ')
			colour = TERMINAL_PLAIN;
		if (strncmp(page, "health", 6) == 0 && length > STATUS_LABEL_WIDTH)
			colour = health_colour(page + STATUS_LABEL_WIDTH);
		print_line(page, (int)length, has_colours, colour);
		page += length + (page[length] == '\n');
	}
}

static bool is_bad(const char *page, bool is_json)
{
	char health[16];

	if (is_json)
		return strstr(page, "\n  \"health\": \"bad\"");
	status_find(page, "health", health, sizeof(health));
	return strcmp(health, "bad") == 0;
}

/* Returns an exit status, the reason of a failure told. */
static int show(const char *mountpoint, bool is_json)
{
	cleanup(buffer_fini) struct buffer page;
	struct config_complaint complaint;
	int r;

	buffer_init(&page, PAGE_SIZE_MAX);
	r = control_read(mountpoint, is_json ? "status.json" : "status", &page, &complaint);
	if (!r)
		r = buffer_append_text(&page, "");
	if (r) {
		terminal_complain("kapturefs: %s", r == -EINVAL ? complaint.text : strerror(-r));
		return EXIT_LOCAL;
	}
	if (is_json)
		fputs(page.data, stdout);
	else
		print_page(page.data, terminal_has_colours(stdout));
	return is_bad(page.data, is_json) ? EXIT_NO : EXIT_OK;
}

/* All mounts */

struct all {
	bool is_json;
	size_t count;
	int status;
};

static bool show_next(void *userdata, const char *path, const struct mounts_entry *entry)
{
	struct all *all = userdata;

	(void)entry;
	if (all->count)
		fputs(all->is_json ? "," : "\n", stdout);
	/* What goes wrong with one stands between the others. */
	(void)fflush(stdout);
	all->count++;
	all->status = outcome_worse(all->status, show(path, all->is_json));
	return true;
}

static int show_all(bool is_json)
{
	struct all all = { .is_json = is_json, .status = EXIT_OK };
	size_t left_out;

	if (is_json)
		fputs("[", stdout);
	left_out = mounts_of_user("fuse.kapturefs", show_next, &all);
	if (is_json)
		fputs("]\n", stdout);
	if (left_out)
		terminal_complain(
		        "kapturefs: status: %s%zu mount%s of other users %s left out, see "
		        "kapturefs status MOUNTPOINT",
		        all.count ? "" : "no kapturefs is mounted; ", left_out,
		        left_out == 1 ? "" : "s", left_out == 1 ? "is" : "are");
	else if (!all.count)
		terminal_complain("kapturefs: status: no kapturefs is mounted");
	return all.count ? all.status : EXIT_LOCAL;
}

int command_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	bool is_json = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'j') {
			terminal_complain(
			        "kapturefs: status: %s: unknown option; see kapturefs status "
			        "--help",
			        argv[optind - 1]);
			return EXIT_USAGE;
		}
		is_json = true;
	}
	if (argc - optind > 1) {
		terminal_complain("kapturefs: status: give one MOUNTPOINT; see kapturefs status "
		                  "--help");
		return EXIT_USAGE;
	}
	return outcome_end("status",
	                   optind < argc ? show(argv[optind], is_json) : show_all(is_json));
}
