/* SPDX-License-Identifier: MIT */

#include <getopt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/attachment.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/inherited.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/places.h"
#include "kapturefs/command/question.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/service.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/config/load.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/config/table.h"
#include "kapturefs/fs/mounting.h"

struct mount {
	struct config_request request;
	struct config config;
	struct config_secrets secrets;
	command_near_fn *near; /* a name of a command may have been meant by SOURCE, or NULL */
	char *mountpoint;
	bool foreground;
	bool debug;
};

enum { OPERANDS = 2 };

/* The command line, as far as it was read. */
struct line {
	char **words;
	int count;
	char *operands[OPERANDS];
	int operand_count;
};

static int refuse(const char *text)
{
	terminal_complain("kapturefs: %s", text);
	return EXIT_USAGE;
}

/* The value is not repeated: it may be what should not stand there. */
static int complain_of_long(const char *word, struct config_complaint *complaint)
{
	static const struct {
		const char *word;
		const char *flag;
	} known[] = { { "--foreground", "-f" }, { "--debug", "-d" }, { "--options", "-o" } };
	size_t length = strcspn(word, "=");
	const struct config_option *option;
	const char *near;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)length - 2, word + 2);
	for (char *dash = name; (dash = strchr(dash, '-'));)
		*dash = '_';
	for (size_t i = 0; i < array_length(known); i++) {
		if (strcmp(word, known[i].word) == 0)
			return config_complain(complaint, "%s: unknown option; give %s", word,
			                       known[i].flag);
	}
	option = config_option_find(name);
	near = option ? name : config_option_near(name);
	if (option && option->type == OPTION_REFUSED)
		return config_set_option(NULL, name, NULL, NULL, complaint);
	return near ? config_complain(complaint, "%.*s: unknown option; give -o %s%s", (int)length,
	                              word, near,
	                              option_is_flag(config_option_find(near)) ? "" : "=...")
	            : config_complain(complaint, "%.*s: unknown option; see kapturefs --help",
	                              (int)length, word);
}

/* Read options up to the next operand, or the end. */
static int parse_options(struct mount *mount, struct line *line, bool *ret_ended,
                         struct config_complaint *complaint)
{
	const char *value = NULL;
	int option;
	int r = 0;

	opterr = 0;
	optind = 1;
	while (!r && (option = getopt(line->count, line->words, "+:fdo:")) != -1) {
		if (option == 'o')
			r = config_request_add_options(&mount->request, value = optarg);
		else if (option == ':')
			r = config_complain(complaint, "-o: give OPTION[=VALUE] behind it");
		else if (option == '?' && optopt == '-')
			r = complain_of_long(line->words[optind], complaint);
		else if (option == '?')
			r = config_complain(complaint, "-%c: unknown option; see kapturefs --help",
			                    optopt);
		else
			mount->foreground = true;
		if (option == 'd')
			mount->debug = true;
	}
	*ret_ended = line->words[optind - 1] != value && strcmp(line->words[optind - 1], "--") == 0;
	return r;
}

/* mount(8) puts the options behind the operands, so options may stand anywhere. */
static int parse_words(struct mount *mount, struct line *line, struct config_complaint *complaint)
{
	bool has_ended = false;
	int r;

	while (line->count > 1) {
		optind = 1;
		r = has_ended ? 0 : parse_options(mount, line, &has_ended, complaint);
		if (r)
			return r;
		if (optind >= line->count)
			break;
		if (line->operand_count == OPERANDS)
			return config_complain(complaint,
			                       "%s: too many operands; see kapturefs --help",
			                       line->words[optind]);
		line->operands[line->operand_count++] = line->words[optind];
		line->words += optind;
		line->count -= optind;
	}
	return line->operand_count == OPERANDS
	               ? 0
	               : config_complain(complaint,
	                                 "give SOURCE and MOUNTPOINT; see kapturefs --help");
}

static int complain_of_source(const char *source, const char *command, bool is_due,
                              struct config_complaint *complaint)
{
	bool is_name = strcmp(source, command) == 0;
	char why[128];

	if (is_due)
		snprintf(why, sizeof(why), "this version has no command %s", command);
	else
		snprintf(why, sizeof(why), "%s kapturefs %s%s",
		         is_name ? "the command comes before its options:"
		                 : "no such command; did you mean",
		         command, is_name ? " ..." : "?");
	return config_complain(complaint,
	                       "%s: %s (to mount a source of that name: kapturefs mount %s "
	                       "MOUNTPOINT)",
	                       source, why, source);
}

/*
 * A mistake at a command's name must not send the token to a tenant of that name. Whoever wrote it
 * into the configuration, or has mount(8) call us, means a source.
 */
static int check_source(const struct mount *mount, const char *source,
                        struct config_complaint *complaint)
{
	bool is_due = false;
	const char *name;

	if (strchr(source, '.') || strstr(source, "://"))
		return 0;
	name = mount->near(source, &is_due);
	if (!name || config_knows_source(&mount->request) ||
	    (mount->request.options && config_has_fstab_word(mount->request.options)))
		return 0;
	return complain_of_source(source, name, is_due, complaint);
}

static int parse_command_line(struct mount *mount, int argc, char **argv, char **ret_mountpoint)
{
	struct line line = { .words = argv, .count = argc };
	struct config_complaint complaint;
	struct config_complaint nearer;
	int r = parse_words(mount, &line, &complaint);
	int error = 0;

	if (line.operand_count > 0)
		error = config_request_set_source(&mount->request, line.operands[0]);
	/* This explains the other mistakes, as a command's own options are none of mount's. */
	if (!error && line.operand_count > 0 && mount->near) {
		error = check_source(mount, line.operands[0], &nearer);
		if (error == -EINVAL)
			return refuse(nearer.text);
	}
	r = r ? r : error;
	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));
	*ret_mountpoint = line.operands[1];
	return EXIT_OK;
}

static int configure(struct mount *mount, const char *mountpoint)
{
	struct config_complaint complaint;
	int r;

	/* If it cannot be found, that is told below. */
	mount->request.mountpoint = realpath(mountpoint, NULL);
	r = config_load(&mount->request, &mount->config, &complaint);
	if (!r)
		r = mountpoint_check(mountpoint, &mount->mountpoint, &complaint);
	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));
	return EXIT_OK;
}

/* Read the command line and what follows from it, and @act on it. */
static int prepare(int argc, char **argv, command_near_fn *near, int (*act)(struct mount *mount))
{
	struct mount mount = { .near = near };
	char *mountpoint;
	int status;
	int r;

	serve_harden();
	r = config_request_init(&mount.request);
	status = r ? refuse(strerror(-r)) : parse_command_line(&mount, argc, argv, &mountpoint);
	if (status == EXIT_OK)
		status = configure(&mount, mountpoint);
	if (status == EXIT_OK) {
		inherited_close(&mount.config, mount.mountpoint);
		status = act(&mount);
	}
	config_secrets_fini(&mount.secrets);
	config_fini(&mount.config);
	config_request_fini(&mount.request);
	free(mount.mountpoint);
	return status;
}

/*
 * mount.fuse3 gives its options both to the kernel and to us. Where all are let in and the kernel
 * was not told to look at owner and mode, nobody would.
 */
static int check_permissions(const struct mount *mount, struct config_complaint *complaint)
{
	const struct config *config = &mount->config;

	if (attachment_descriptor(mount->mountpoint) < 0 || config->default_permissions ||
	    !(config->allow_other || config->allow_root))
		return 0;
	return config_complain(complaint,
	                       "%s: allow_other without default_permissions; mount with both",
	                       mount->mountpoint);
}

/* Before anything is mounted, so that nobody ever sees a mount that is not to be. */
static bool is_api_willing(const struct mount *mount)
{
	struct question_outcome outcome;
	char why[QUESTION_TEXT_SIZE];
	int r = question_ask_apart(&mount->config, &mount->secrets, (uint32_t)mount->config.retries,
	                           &outcome);

	if (r) {
		terminal_complain("kapturefs: cannot ask the API: %s", strerror(-r));
		return false;
	}
	/* Who is asked to wait has been heard. */
	if (!outcome.error || outcome.error == -EBUSY)
		return true;
	(void)question_explain(&outcome, &mount->config, why);
	terminal_complain("kapturefs: not mounted, because of strict: %s", why);
	return false;
}

static int serve_mount(struct mount *mount)
{
	struct config_complaint complaint;
	int r;

	r = check_permissions(mount, &complaint);
	if (!r)
		r = config_read_secrets(&mount->config, &mount->secrets, &complaint);
	if (!r)
		r = places_check(&mount->config, &complaint);
	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));
	if (mount->config.strict && !mount->config.offline && !is_api_willing(mount))
		return EXIT_FAILED;
	return serve(&(struct serve_settings){
	        .config = &mount->config,
	        .request = &mount->request,
	        .secrets = &mount->secrets,
	        .mountpoint = mount->mountpoint,
	        .debug = mount->debug,
	        .foreground = mount->foreground,
	});
}

int command_mount(int argc, char **argv)
{
	return prepare(argc, argv, NULL, serve_mount);
}

int command_mount_unnamed(int argc, char **argv, command_near_fn *near)
{
	return prepare(argc, argv, near, serve_mount);
}

static int attach(struct mount *mount)
{
	struct mounts_mount mounted;
	int connection;
	int r;

	r = attachment_mount(mount->mountpoint, &mount->config, &connection, &mounted);
	if (r) {
		terminal_complain("kapturefs: attach: cannot mount: %s", strerror(-r));
		return EXIT_FAILED;
	}
	r = service_store(connection);
	close(connection);
	if (!r)
		return EXIT_OK;

	mounting_detach(&mounted);
	terminal_complain("kapturefs: attach: no service manager took the mount: %s", strerror(-r));
	return EXIT_FAILED;
}

int command_attach(int argc, char **argv)
{
	return prepare(argc, argv, NULL, attach);
}
