/* SPDX-License-Identifier: MIT */
/*
 * `warm`: have a mount ask for many customers.
 *
 * Nothing is remembered between two runs: what an earlier one has had asked for is in the cache,
 * and an answer that is young enough is not asked for again. So a run that was interrupted is
 * resumed by starting it again.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/warm_parts.h"
#include "kapturefs/model/json.h"

enum {
	JOBS_DEFAULT = 8,
	JOBS_MAX = 256,
	MAX_AGE_DEFAULT = 12 * 3600,
	TICK_MS = 100,
	REPORT_SIZE_MAX = 1 << 30,
};

struct warm {
	const char *mountpoint;
	const char *file; /* NULL for standard input */
	uint64_t jobs;    /* 0: as many as the mount has connections */
	uint64_t max_age; /* seconds */
	bool is_dry;
	bool is_json;
	struct place place;
	struct warm_keys keys;
};

static int complain(const char *what, const char *text, int status)
{
	fprintf(stderr, "kapturefs: warm: %s%s%s\n", what, *what ? ": " : "", text);
	return status;
}

/* What the mount says of itself */

/* The value of a metric without labels, or @otherwise. */
static uint64_t read_metric(const struct warm *warm, const char *name, uint64_t otherwise)
{
	int descriptor = openat(warm->place.descriptor, ".kapturefs/metrics", O_RDONLY | O_CLOEXEC);
	FILE *stream = descriptor < 0 ? NULL : fdopen(descriptor, "r");
	size_t length = strlen(name);
	char *line = NULL;
	size_t size = 0;

	while (stream && getline(&line, &size, stream) > 0) {
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			otherwise = strtoull(line + length, NULL, 10);
	}
	free(line);
	if (stream)
		fclose(stream);
	return otherwise;
}

static unsigned job_count(const struct warm *warm)
{
	uint64_t jobs = warm->jobs;

	if (!jobs)
		jobs = read_metric(warm, "kapturefs_api_connections_max", JOBS_DEFAULT);
	return jobs > JOBS_MAX ? JOBS_MAX : (unsigned)jobs;
}

/* The dry run */

struct forecast {
	size_t known;
	size_t to_ask;
	size_t failed; /* lines that are no key */
	double rate;
	double seconds;
};

static int peek_all(const struct warm *warm, struct forecast *ret)
{
	char path[KAPTUREFS_PATH_SIZE];
	int r;

	for (size_t i = 0; i < warm->keys.count; i++) {
		if (!warm_is_key(&warm->keys, i)) {
			ret->failed++;
			continue;
		}
		warm_path(&warm->keys, i, path);
		r = place_order(&warm->place, KAPTUREFS_PEEK, path, warm->max_age * 1000);
		if (r < 0 && r != -ENOENT)
			return r;
		/* That there is no such customer is known, too. */
		if (r == 0)
			ret->to_ask++;
		else
			ret->known++;
	}
	return 0;
}

static int print_forecast(const struct warm *warm, const struct forecast *forecast)
{
	char duration[64];

	if (warm->is_json) {
		printf("{\"keys\":%zu,\"known\":%zu,\"to_ask\":%zu,\"failed\":%zu,\"seconds\":%.0f}"
		       "\n",
		       warm->keys.count, forecast->known, forecast->to_ask, forecast->failed,
		       forecast->seconds);
	} else {
		warm_print_duration(forecast->seconds, duration, sizeof(duration));
		printf("%zu key%s, %zu known, %zu no key: %zu request%s at %g a second take%s %s\n",
		       warm->keys.count, warm->keys.count == 1 ? "" : "s", forecast->known,
		       forecast->failed, forecast->to_ask, forecast->to_ask == 1 ? "" : "s",
		       forecast->rate, forecast->to_ask == 1 ? "s" : "", duration);
	}
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int run_dry(const struct warm *warm)
{
	struct forecast forecast = { .known = 0 };
	uint64_t budget = read_metric(warm, "kapturefs_api_budget", 0);
	int r;

	r = peek_all(warm, &forecast);
	if (r)
		return complain(warm->mountpoint, place_error(r), EXIT_FAILED);
	forecast.rate = (double)read_metric(warm, "kapturefs_api_rate_thousandths", 10000) / 1000;
	if (forecast.to_ask > budget)
		forecast.seconds = (double)(forecast.to_ask - budget) / forecast.rate;
	return print_forecast(warm, &forecast);
}

/* The report */

static int append_failed_keys(const struct warm *warm, const struct warm_work *work,
                              struct buffer *text)
{
	bool is_first = true;
	int r = 0;

	for (size_t i = 0; !r && i < warm->keys.count; i++) {
		const char *word = warm->keys.words[i] + !warm_is_key(&warm->keys, i);

		if (work->results[i] >= 0 || work->results[i] == -ENOENT)
			continue;
		r = is_first ? 0 : buffer_append_text(text, ",");
		if (!r)
			r = json_append_string(text, word, strlen(word));
		/* A line that is not even text. */
		if (r == -EILSEQ)
			r = buffer_append_text(text, "null");
		is_first = false;
	}
	return r;
}

static int print_json(const struct warm *warm, const struct warm_work *work,
                      const struct warm_counts *counts, size_t left)
{
	cleanup(buffer_fini) struct buffer text;
	int r;

	buffer_init(&text, REPORT_SIZE_MAX);
	r = buffer_print(&text,
	                 "{\"keys\":%zu,\"found\":%zu,\"absent\":%zu,\"failed\":%zu,\"left\":%zu,"
	                 "\"failed_keys\":[",
	                 warm->keys.count, counts->found, counts->absent, counts->failed, left);
	if (!r)
		r = append_failed_keys(warm, work, &text);
	if (!r)
		r = buffer_append_text(&text, "]}\n");
	if (!r)
		(void)!fwrite(text.data, 1, text.length, stdout);
	return r;
}

static void print_failed(const struct warm *warm, const struct warm_work *work)
{
	for (size_t i = 0; i < warm->keys.count; i++) {
		if (!warm_is_key(&warm->keys, i) && work->results[i] < 0)
			complain(warm->keys.words[i] + 1, "nobody can have that key", 0);
		else if (work->results[i] < 0 && work->results[i] != -ENOENT)
			complain(warm->keys.words[i], place_error(work->results[i]), 0);
	}
}

static int report(const struct warm *warm, struct warm_work *work)
{
	struct warm_counts counts;
	size_t left;
	int r = 0;

	/* Threads may still be at work, but not on what they have written already. */
	pthread_mutex_lock(&work->lock);
	counts = work->counts;
	left = warm->keys.count - counts.found - counts.absent - counts.failed;
	print_failed(warm, work);
	if (work->stopped_by)
		complain("stopped", place_error(work->stopped_by), 0);
	if (warm->is_json)
		r = print_json(warm, work, &counts, left);
	else
		printf("%zu found, %zu absent, %zu failed%s", counts.found, counts.absent,
		       counts.failed, left ? "" : "\n");
	if (!warm->is_json && left)
		printf(", %zu left\n", left);
	pthread_mutex_unlock(&work->lock);
	return r || fflush(stdout) || counts.failed || left ? EXIT_FAILED : EXIT_OK;
}

/* The run */

/* Wait for the end or a signal, showing how far it is. Returns the signal's number, or 0. */
static int watch(struct warm_work *work, struct warm_progress *progress, int signals)
{
	struct pollfd events[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = work->done, .events = POLLIN },
	};
	struct signalfd_siginfo signal;
	struct warm_counts counts;

	do {
		counts = warm_work_counts(work);
		warm_progress_show(progress, counts.found + counts.absent + counts.failed);
		(void)poll(events, array_length(events), TICK_MS);
		if (events[0].revents && read(signals, &signal, sizeof(signal)) == sizeof(signal))
			return (int)signal.ssi_signo;
	} while (!events[1].revents);

	counts = warm_work_counts(work);
	warm_progress_show(progress, counts.found + counts.absent + counts.failed);
	return 0;
}

/* End as whoever sent the signal expects. */
static void die_of(int number)
{
	sigset_t all;

	signal(number, SIG_DFL);
	sigemptyset(&all);
	raise(number);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static int run_wet(const struct warm *warm)
{
	struct warm_progress progress;
	struct warm_work work;
	sigset_t signals;
	int descriptor;
	int number;
	int status;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	/* The threads inherit it. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	descriptor = signalfd(-1, &signals, SFD_CLOEXEC);
	if (descriptor < 0)
		return complain("", strerror(errno), EXIT_FAILED);

	warm_progress_begin(&progress, warm->keys.count);
	r = warm_work_start(&warm->keys, &warm->place, warm->max_age * 1000, job_count(warm),
	                    &work);
	if (r)
		return complain("", strerror(-r), EXIT_FAILED);
	number = watch(&work, &progress, descriptor);
	warm_progress_end(&progress);
	warm_work_stop(&work);
	status = report(warm, &work);
	if (number)
		die_of(number);
	close(descriptor);
	warm_work_fini(&work);
	return status;
}

/* The command line */

static const struct option long_options[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'J' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "max-age", required_argument, NULL, 'a' },
	{ NULL, 0, NULL, 0 },
};

static bool parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && text[0] >= '0' && text[0] <= '9' && !*end && *ret >= minimum &&
	       *ret <= maximum;
}

static bool set_option(struct warm *warm, int option)
{
	switch (option) {
	case 'n':
		warm->is_dry = true;
		return true;
	case 'J':
		warm->is_json = true;
		return true;
	case 'j':
		return parse_number(optarg, 1, JOBS_MAX, &warm->jobs);
	default:
		return parse_number(optarg, 0, UINT32_MAX, &warm->max_age);
	}
}

static int parse_arguments(struct warm *warm, int argc, char **argv)
{
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return complain(argv[optind - 1],
			                option == '?' ? "unknown option; see kapturefs warm --help"
			                              : "a value is missing behind it",
			                EXIT_USAGE);
		if (!set_option(warm, option))
			return complain(optarg,
			                option == 'j' ? "out of range for --jobs"
			                              : "out of range for --max-age",
			                EXIT_USAGE);
	}
	if (optind == argc || argc - optind > 2)
		return complain("", "give MOUNTPOINT and at most one FILE", EXIT_USAGE);
	warm->mountpoint = argv[optind];
	if (argc - optind == 2 && strcmp(argv[optind + 1], "-") != 0)
		warm->file = argv[optind + 1];
	return EXIT_OK;
}

static int read_keys(struct warm *warm)
{
	const char *name = warm->file ? warm->file : "standard input";
	FILE *stream = warm->file ? fopen(warm->file, "re") : stdin;
	int r;

	if (!stream)
		return complain(name, strerror(errno), EXIT_USAGE);
	r = warm_keys_read(stream, &warm->keys);
	if (warm->file)
		fclose(stream);
	return r ? complain(name, strerror(-r), EXIT_FAILED) : EXIT_OK;
}

static int run(struct warm *warm)
{
	int status = read_keys(warm);

	if (status != EXIT_OK)
		return status;
	if (warm->is_dry)
		status = run_dry(warm);
	else if (warm->keys.count)
		status = run_wet(warm);
	else
		status = report(warm, &(struct warm_work){ .lock = PTHREAD_MUTEX_INITIALIZER });
	warm_keys_fini(&warm->keys);
	return status;
}

int command_warm(int argc, char **argv)
{
	struct warm warm = { .max_age = MAX_AGE_DEFAULT };
	int status;
	int r;

	status = parse_arguments(&warm, argc, argv);
	if (status != EXIT_OK)
		return status;
	r = place_find(warm.mountpoint, &warm.place);
	if (r < 0)
		return complain(warm.mountpoint, strerror(-r), EXIT_USAGE);
	if (r == PLACE_OUTSIDE)
		return complain(warm.mountpoint, "not a mount of kapturefs", EXIT_USAGE);
	if (warm.place.path[0])
		status =
		        complain(warm.mountpoint, "below a mount; give its MOUNTPOINT", EXIT_USAGE);
	else
		status = run(&warm);
	place_fini(&warm.place);
	return status;
}
