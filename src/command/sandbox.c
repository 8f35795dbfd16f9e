/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/sandbox/sandbox.h"

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "customers", required_argument, NULL, 'c' },
	{ "seed", required_argument, NULL, 's' },
	{ "latency", required_argument, NULL, 'l' },
	{ "token", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Read a number of at most @maximum; exits of a bad one are the caller's. */
static bool parse_number(const char *text, uint64_t maximum, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && end != text && !*end && text[0] != '-' && *ret <= maximum;
}

static bool set_option(struct sandbox_settings *settings, int option, const char *value)
{
	uint64_t number = 0;
	bool is_valid;

	switch (option) {
	case 'p':
		is_valid = parse_number(value, UINT16_MAX, &number);
		settings->port = (uint16_t)number;
		return is_valid;
	case 'c':
		is_valid = parse_number(value, 100000000, &number);
		settings->customers = (uint32_t)number;
		return is_valid;
	case 's':
		return parse_number(value, UINT64_MAX, &settings->seed);
	case 'l':
		is_valid = parse_number(value, 600000, &number);
		settings->latency_ms = (uint32_t)number;
		return is_valid;
	case 't':
		settings->token = value;
		return *value != '\0';
	default:
		return false;
	}
}

static int print_usage(FILE *stream, int status)
{
	fprintf(stream, "usage: kapturefs sandbox [--port N] [--customers N] [--seed N]"
	                " [--latency MS] [--token T]\n");
	return status;
}

int command_sandbox(int argc, char **argv)
{
	struct sandbox_settings settings = {
		.port = 8080,
		.customers = 1000,
		.seed = 1,
		.token = "sandbox",
	};
	cleanup(sandbox_stopp) struct sandbox *sandbox = NULL;
	sigset_t signals;
	int option;
	int number;
	int r;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h')
			return print_usage(stdout, EXIT_OK);
		if (option == '?')
			return print_usage(stderr, EXIT_USAGE);
		if (!set_option(&settings, option, optarg)) {
			fprintf(stderr, "kapturefs: sandbox: value out of range: %s\n", optarg);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return print_usage(stderr, EXIT_USAGE);

	/*
	 * Blocked before the server's threads start: they inherit it, and the wait below gets
	 * them.
	 */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	r = sandbox_start(&settings, &sandbox);
	if (r) {
		fprintf(stderr, "kapturefs: sandbox: port %u: %s\n", settings.port, strerror(-r));
		return EXIT_FAILED;
	}
	printf("listening on http://127.0.0.1:%u\n", sandbox_port(sandbox));
	fflush(stdout);
	sigwait(&signals, &number);
	return EXIT_OK;
}
