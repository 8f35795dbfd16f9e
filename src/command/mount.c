/* SPDX-License-Identifier: MIT */

#include <getopt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/config.h"

struct mount {
	struct config config;
	struct config_secrets secrets;
	char *mountpoint;
	bool foreground;
};

static int refuse(const char *text)
{
	fprintf(stderr, "kapturefs: %s\n", text);
	return EXIT_USAGE;
}

static int parse_arguments(struct mount *mount, int argc, char **argv)
{
	struct config_complaint complaint;
	int option;
	int r;

	optind = 1;
	while ((option = getopt(argc, argv, "+fdo:")) != -1) {
		switch (option) {
		case 'f':
			mount->foreground = true;
			break;
		case 'd':
			mount->foreground = true;
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'o':
			r = config_set_options(&mount->config, optarg, &complaint);
			if (r)
				return refuse(r == -EINVAL ? complaint.text : strerror(-r));
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return EXIT_OK;
}

/* mount(8) puts the options behind the operands, so options may stand anywhere. */
static int parse_command_line(struct mount *mount, int argc, char **argv)
{
	struct config_complaint complaint;
	char *operands[2] = { NULL, NULL };
	int count = 0;
	int r;

	for (int rest = argc; rest > 1;) {
		r = parse_arguments(mount, rest, argv);
		if (r)
			return r;
		if (optind >= rest)
			break;
		if (count == 2)
			return refuse("too many operands; see kapturefs --help");
		operands[count++] = argv[optind];
		argv += optind;
		rest -= optind;
	}
	if (count < 2)
		return refuse("give SOURCE and MOUNTPOINT; see kapturefs --help");

	r = config_set_source(&mount->config, operands[0], &complaint);
	if (!r)
		r = mountpoint_check(operands[1], &mount->mountpoint, &complaint);
	if (!r)
		r = config_complete(&mount->config, &complaint);
	if (!r)
		r = config_read_secrets(&mount->config, &mount->secrets, &complaint);
	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));
	return EXIT_OK;
}

int command_mount(int argc, char **argv)
{
	struct mount mount = { .mountpoint = NULL };
	int status;

	serve_harden();
	config_init(&mount.config);
	status = parse_command_line(&mount, argc, argv);
	if (status == EXIT_OK)
		status = serve(&(struct serve_settings){
		        .config = &mount.config,
		        .secrets = &mount.secrets,
		        .mountpoint = mount.mountpoint,
		        .foreground = mount.foreground,
		});
	config_secrets_fini(&mount.secrets);
	config_fini(&mount.config);
	free(mount.mountpoint);
	return status;
}
