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
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/service.h"
#include "kapturefs/config/load.h"
#include "kapturefs/config/secrets.h"

struct mount {
	struct config_request request;
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
			r = config_request_add_options(&mount->request, optarg);
			if (r)
				return refuse(strerror(-r));
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return EXIT_OK;
}

/* mount(8) puts the options behind the operands, so options may stand anywhere. */
static int parse_command_line(struct mount *mount, int argc, char **argv, char **ret_mountpoint)
{
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

	*ret_mountpoint = operands[1];
	r = config_request_set_source(&mount->request, operands[0]);
	return r ? refuse(strerror(-r)) : EXIT_OK;
}

static int configure(struct mount *mount, const char *mountpoint)
{
	struct config_complaint complaint;
	int r;

	r = config_load(&mount->request, &mount->config, &complaint);
	if (!r)
		r = mountpoint_check(mountpoint, &mount->mountpoint, &complaint);
	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));
	return EXIT_OK;
}

/* Read the command line and what follows from it, and @act on it. */
static int prepare(int argc, char **argv, int (*act)(struct mount *mount))
{
	struct mount mount = { .mountpoint = NULL };
	char *mountpoint;
	int status;
	int r;

	serve_harden();
	r = config_request_init(&mount.request);
	status = r ? refuse(strerror(-r)) : parse_command_line(&mount, argc, argv, &mountpoint);
	if (status == EXIT_OK)
		status = configure(&mount, mountpoint);
	if (status == EXIT_OK)
		status = act(&mount);
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

static int serve_mount(struct mount *mount)
{
	struct config_complaint complaint;
	int r;

	r = check_permissions(mount, &complaint);
	if (!r)
		r = config_read_secrets(&mount->config, &mount->secrets, &complaint);

	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));
	return serve(&(struct serve_settings){
	        .config = &mount->config,
	        .request = &mount->request,
	        .secrets = &mount->secrets,
	        .mountpoint = mount->mountpoint,
	        .foreground = mount->foreground,
	});
}

int command_mount(int argc, char **argv)
{
	return prepare(argc, argv, serve_mount);
}

static int attach(struct mount *mount)
{
	int connection;
	int r;

	r = attachment_mount(mount->mountpoint, &mount->config, &connection);
	if (r) {
		fprintf(stderr, "kapturefs: attach: cannot mount: %s\n", strerror(-r));
		return EXIT_FAILED;
	}
	r = service_store(connection);
	close(connection);
	if (!r)
		return EXIT_OK;

	mounts_detach(mount->mountpoint);
	fprintf(stderr, "kapturefs: attach: no service manager took the mount: %s\n", strerror(-r));
	return EXIT_FAILED;
}

int command_attach(int argc, char **argv)
{
	return prepare(argc, argv, attach);
}
