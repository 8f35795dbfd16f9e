/* SPDX-License-Identifier: MIT */
/*
 * The program kapturefs-sandbox: `kapturefs sandbox` becomes it, and `kapturefs demo` starts it. So
 * it tells what is wrong in the name of those commands.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/columns.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/outcome.h"
#include "kapturefs/base/process.h"
#include "kapturefs/base/text.h"
#include "kapturefs/sandbox/plan.h"
#include "kapturefs/sandbox/program.h"
#include "kapturefs/sandbox/sandbox.h"

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "customers", required_argument, NULL, 'c' },
	{ "seed", required_argument, NULL, 's' },
	{ "latency", required_argument, NULL, 'l' },
	{ "token", required_argument, NULL, 't' },
	{ "tls", no_argument, NULL, 'T' },
	{ "ca", required_argument, NULL, 'a' },
	{ "faults", required_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

enum { PLAN_SIZE_MAX = 64 << 20 };

/* In one line, in which nothing is obeyed, whatever has been quoted in it. */
static void printf_like(1, 2) complain(const char *format, ...)
{
	va_list arguments;
	char line[1024];

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	text_make_line(line);
	fprintf(stderr, "%s\n", line);
}

/* What the command line says. */
struct order {
	struct sandbox_settings settings;
	const char *authority; /* the file that it is written to, or NULL */
	const char *plan;      /* the file that it is read from, or NULL */
	struct faults faults;
};

/* Read a number of at most @maximum; exits of a bad one are the caller's. */
static bool parse_number(const char *text, uint64_t maximum, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && end != text && !*end && text[0] != '-' && *ret <= maximum;
}

static bool set_option(struct order *order, int option, const char *value)
{
	struct sandbox_settings *settings = &order->settings;
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
	case 'T':
		settings->has_tls = true;
		return true;
	case 'a':
		settings->has_tls = true;
		order->authority = value;
		return *value != '\0';
	case 'f':
		order->plan = value;
		return *value != '\0';
	default:
		return false;
	}
}

/* Returns an exit status, or -1 when there is something to serve. */
static int read_options(int argc, char **argv, struct order *order)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			complain("kapturefs: sandbox: %s: %s; see kapturefs sandbox --help",
			         argv[optind - 1],
			         option == ':' ? "needs a value" : "unknown option");
			return EXIT_USAGE;
		}
		if (!set_option(order, option, optarg)) {
			complain("kapturefs: sandbox: value out of range: %s", optarg);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain("kapturefs: sandbox: %s: takes no operand; see kapturefs sandbox --help",
	         argv[optind]);
	return EXIT_USAGE;
}

static void close_file(FILE *file)
{
	if (file)
		(void)fclose(file);
}
define_cleanup(FILE *, close_file);

static int read_file(const char *path, struct buffer *ret)
{
	cleanup(close_filep) FILE *file = fopen(path, "re");
	char piece[4096];
	size_t length;
	int r = 0;

	if (!file)
		return -errno;
	while (!r && (length = fread(piece, 1, sizeof(piece), file)) > 0)
		r = buffer_append(ret, piece, length);
	return !r && ferror(file) ? -EIO : r;
}

static int read_plan(struct order *order)
{
	cleanup(buffer_fini) struct buffer text;
	struct plan_complaint complaint;
	int r;

	buffer_init(&text, PLAN_SIZE_MAX);
	r = read_file(order->plan, &text);
	if (!r)
		r = plan_read(text.data ? text.data : "", text.length, order->settings.has_tls,
		              &order->faults, &complaint);
	if (!r)
		return EXIT_OK;
	complain("kapturefs: sandbox: %s: %s", order->plan, r < 0 ? strerror(-r) : complaint.text);
	return EXIT_USAGE;
}

static int write_authority(const struct sandbox *sandbox, const char *path)
{
	FILE *file = fopen(path, "we");
	bool is_good;

	if (file) {
		is_good = fputs(sandbox_authority(sandbox), file) >= 0;
		is_good &= fclose(file) == 0;
		if (is_good)
			return EXIT_OK;
	}
	complain("kapturefs: sandbox: %s: %s", path, strerror(errno));
	return EXIT_LOCAL;
}

static int run(struct order *order)
{
	cleanup(sandbox_stopp) struct sandbox *sandbox = NULL;
	sigset_t signals;
	int number;
	int r;

	/*
	 * Blocked before the server's threads start: they inherit it, and the wait below gets
	 * them.
	 */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	r = sandbox_start(&order->settings, &sandbox);
	if (r) {
		complain("kapturefs: sandbox: port %u: %s", order->settings.port, strerror(-r));
		return EXIT_LOCAL;
	}
	if (order->authority && write_authority(sandbox, order->authority))
		return EXIT_LOCAL;
	printf("listening on %s://127.0.0.1:%u\n", order->settings.has_tls ? "https" : "http",
	       sandbox_port(sandbox));
	if (outcome_end("sandbox", EXIT_OK) != EXIT_OK)
		return EXIT_LOCAL;
	sigwait(&signals, &number);
	return EXIT_OK;
}

static int serve(int argc, char **argv)
{
	struct order order = {
		.settings = {
			.port = 8080,
			.customers = 1000,
			.seed = 1,
			.token = "sandbox",
			.faults = &order.faults,
		},
	};
	int status;

	faults_init(&order.faults, 0);
	status = read_options(argc, argv, &order);
	if (status >= 0)
		return status;
	status = order.plan ? read_plan(&order) : EXIT_OK;
	if (status == EXIT_OK)
		status = run(&order);
	faults_clear(&order.faults);
	return status;
}

enum { DEMO_SEED = 1, DEMO_TOKEN_MAX = 64 };

/* Read the token, which stands in no list of processes. */
static bool read_token(char *ret, size_t size)
{
	size_t length;

	if (!fgets(ret, (int)size, stdin))
		return false;
	length = strcspn(ret, "\n");
	ret[length] = '\0';
	return length > 0;
}

static void print_examples(const struct sandbox *sandbox)
{
	struct sandbox_keys keys[2];

	for (uint32_t i = 0; i < array_length(keys); i++)
		sandbox_customer_keys(sandbox, i + 1, &keys[i]);
	printf("http://127.0.0.1:%u\n%s\n%s\n%s\n", sandbox_port(sandbox), keys[0].phone,
	       keys[1].email, keys[0].id);
}

static void ignore_terminal(void)
{
	static const int numbers[] = { SIGINT, SIGQUIT, SIGHUP };

	for (size_t i = 0; i < array_length(numbers); i++)
		signal(numbers[i], SIG_IGN);
}

static int serve_demo(void)
{
	cleanup(sandbox_stopp) struct sandbox *sandbox = NULL;
	char token[DEMO_TOKEN_MAX];
	const struct sandbox_settings settings = {
		.customers = SANDBOX_DEMO_CUSTOMERS,
		.seed = DEMO_SEED,
		.token = token,
	};
	int r;

	ignore_terminal();
	if (!read_token(token, sizeof(token)))
		return EXIT_LOCAL;
	r = sandbox_start(&settings, &sandbox);
	if (r) {
		complain("kapturefs: demo: %s", strerror(-r));
		return EXIT_LOCAL;
	}
	print_examples(sandbox);
	if (outcome_end("demo", EXIT_OK) != EXIT_OK)
		return EXIT_LOCAL;
	/* Its end is that of the demo, even if that was killed. */
	while (getchar() != EOF)
		continue;
	return EXIT_OK;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

static int print_help(void)
{
	enum { USAGE_INDENT = 19 };

	columns_print(stdout, "usage: " SANDBOX_PROGRAM, USAGE_INDENT, SANDBOX_SYNOPSIS);
	printf("\n%s\n", SANDBOX_SUMMARY);
	return outcome_end("sandbox", EXIT_OK);
}

int main(int argc, char **argv)
{
	if (!process_keep_standard_files())
		return EXIT_FAILED;
	/* A reader that has gone is an error like any other: see outcome_end(). */
	signal(SIGPIPE, SIG_IGN);
	log_open();
	process_keep_private();
	process_clean_environment();
	process_close_files((const char *const *)argv, (size_t)argc);
	if (argc == 1 && strcmp(argv[0], SANDBOX_FOR_DEMO) == 0)
		return serve_demo();
	if (wants_help(argc, argv))
		return print_help();
	return serve(argc, argv);
}
