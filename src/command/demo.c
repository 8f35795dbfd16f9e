/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/source.h"
#include "kapturefs/sandbox/sandbox.h"

enum {
	DEMO_CUSTOMERS = 1000,
	DEMO_SEED = 1,
};

struct demo {
	struct sandbox *sandbox;
	struct config config;
	char *mountpoint;
};

/* Printed when they work. */
static void print_commands(void *userdata)
{
	const struct demo *demo = userdata;
	struct sandbox_keys first;
	struct sandbox_keys second;

	sandbox_customer_keys(demo->sandbox, 1, &first);
	sandbox_customer_keys(demo->sandbox, 2, &second);
	printf("%d generated customers are at %s. In another terminal, try\n\n"
	       "  cat %s/by-phone/%s/name\n"
	       "  ls -l %s/by-email/%s/contacts/primary/\n"
	       "  grep -r . %s/by-id/%s\n\n"
	       "Ctrl-C ends the demo.\n",
	       DEMO_CUSTOMERS, demo->mountpoint, demo->mountpoint, first.phone, demo->mountpoint,
	       second.email, demo->mountpoint, first.id);
	fflush(stdout);
}

static int complain(const char *text, int status)
{
	fprintf(stderr, "kapturefs: demo: %s\n", text);
	return status;
}

/* The sandbox is the source, and nothing is kept on disk. */
static int configure(struct demo *demo, const char *mountpoint, struct config_complaint *complaint)
{
	char url[sizeof("http://127.0.0.1:65535")];
	int r;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", sandbox_port(demo->sandbox));
	r = mountpoint_check(mountpoint, &demo->mountpoint, complaint);
	if (!r)
		r = config_set_source(&demo->config, url, complaint);
	if (!r)
		r = config_set_option(&demo->config, "cache", ":memory:", NULL, complaint);
	return r;
}

static int run(struct demo *demo, const char *mountpoint)
{
	char token[] = "demo";
	const struct config_secrets secrets = { .token = token };
	const struct sandbox_settings settings = {
		.customers = DEMO_CUSTOMERS,
		.seed = DEMO_SEED,
		.token = token,
	};
	struct config_complaint complaint;
	int r;

	r = sandbox_start(&settings, &demo->sandbox);
	if (r)
		return complain(strerror(-r), EXIT_LOCAL);
	r = configure(demo, mountpoint, &complaint);
	if (r)
		return r == -EINVAL ? complain(complaint.text, EXIT_USAGE)
		                    : complain(strerror(-r), EXIT_LOCAL);

	r = serve(&(struct serve_settings){
	        .config = &demo->config,
	        .secrets = &secrets,
	        .mountpoint = demo->mountpoint,
	        .foreground = true,
	        .ready = print_commands,
	        .userdata = demo,
	});
	return r == EXIT_FAILED ? EXIT_LOCAL : r;
}

int command_demo(int argc, char **argv)
{
	struct demo demo = { .sandbox = NULL };
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	int status;

	if (argc != first + 1 || (first == 1 && argv[1][0] == '-'))
		return complain("give a MOUNTPOINT and nothing more", EXIT_USAGE);

	serve_harden();
	/* The sandbox's token is the only one that counts here. */
	unsetenv("CREDENTIALS_DIRECTORY");
	config_init(&demo.config);
	status = run(&demo, argv[first]);
	sandbox_stop(demo.sandbox);
	config_fini(&demo.config);
	free(demo.mountpoint);
	return status;
}
