/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/mountpoint.h"
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

static int refuse(const char *text)
{
	fprintf(stderr, "kapturefs: demo: %s\n", text);
	return EXIT_USAGE;
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
		return refuse(strerror(-r));
	r = configure(demo, mountpoint, &complaint);
	if (r)
		return refuse(r == -EINVAL ? complaint.text : strerror(-r));

	return serve(&(struct serve_settings){
	        .config = &demo->config,
	        .secrets = &secrets,
	        .mountpoint = demo->mountpoint,
	        .foreground = true,
	        .ready = print_commands,
	        .userdata = demo,
	});
}

int command_demo(int argc, char **argv)
{
	struct demo demo = { .sandbox = NULL };
	int status;

	if (argc != 2 || argv[1][0] == '-')
		return refuse("give a MOUNTPOINT and nothing more");

	serve_harden();
	/* The sandbox's token is the only one that counts here. */
	unsetenv("CREDENTIALS_DIRECTORY");
	config_init(&demo.config);
	status = run(&demo, argv[1]);
	sandbox_stop(demo.sandbox);
	config_fini(&demo.config);
	free(demo.mountpoint);
	return status;
}
