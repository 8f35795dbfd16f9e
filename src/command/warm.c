/* SPDX-License-Identifier: MIT */
/*
 * `warm`: have a mount ask for many customers: those in a file, or those created on some days. For
 * the latter the days are asked for first, in the same way.
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
#include <time.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/keyword.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/command/warm_parts.h"
#include "kapturefs/config/number.h"
#include "kapturefs/model/date.h"
#include "kapturefs/model/json_writer.h"

enum {
	JOBS_DEFAULT = 8,
	JOBS_MAX = 256,
	MAX_AGE_DEFAULT = 12 * 3600,
	TICK_MS = 100,
	WAIT_SECONDS = 5,
	REPORT_SIZE_MAX = 1 << 30,
};

int warm_complain(const char *what, const char *text, int status)
{
	terminal_complain("kapturefs: warm: %s%s%s", what, *what ? ": " : "", text);
	return status;
}

/*
 * More than that only wait in the mount's queue until they run out of time: twice as many as there
 * are connections keep those busy, and none waits for the rate longer than a few seconds.
 */
static uint64_t jobs_of_use(const struct warm *warm, uint64_t connections)
{
	uint64_t rate = place_metric(&warm->place, "kapturefs_api_rate_thousandths", UINT32_MAX);
	uint64_t in_time = rate * WAIT_SECONDS / 1000;

	if (in_time > 2 * connections)
		return 2 * connections;
	return in_time ? in_time : 1;
}

static unsigned job_count(const struct warm *warm)
{
	uint64_t connections =
	        place_metric(&warm->place, "kapturefs_api_connections_max", JOBS_DEFAULT);
	uint64_t jobs = warm->jobs ? warm->jobs : connections;
	uint64_t most = jobs_of_use(warm, connections);

	if (jobs > most)
		jobs = most;
	return jobs > JOBS_MAX ? JOBS_MAX : (unsigned)jobs;
}

/* The report */

static int append_failed_keys(const struct warm_work *work, struct buffer *text)
{
	const struct warm_keys *keys = work->keys;
	bool is_first = true;
	int r = 0;

	for (size_t i = 0; !r && i < keys->words.count; i++) {
		const char *word = string_set_at(&keys->words, (uint32_t)i) + !warm_is_key(keys, i);

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
	r = buffer_append_text(&text, "{");
	if (warm->has_days && !r)
		r = buffer_print(&text, "\"days\":%u,\"days_failed\":%zu,", warm->days.words.count,
		                 warm->days_failed);
	if (!r)
		r = buffer_print(
		        &text,
		        "\"keys\":%u,\"found\":%zu,\"absent\":%zu,\"failed\":%zu,\"left\":%zu,"
		        "\"failed_keys\":[",
		        warm->keys.words.count, counts->found, counts->absent, counts->failed,
		        left);
	if (!r)
		r = append_failed_keys(work, &text);
	if (!r)
		r = buffer_append_text(&text, "]}\n");
	if (!r)
		terminal_write(stdout, text.data, text.length, true);
	return r;
}

static const char *cause_of(const struct warm_work *work, size_t place, int error)
{
	const char *cause = work->causes ? work->causes[place] : NULL;

	return cause ? cause : place_error(error);
}

static void print_failed(const struct warm_work *work)
{
	const struct warm_keys *keys = work->keys;

	for (size_t i = 0; i < keys->words.count; i++) {
		if (!warm_is_key(keys, i) && work->results[i] < 0)
			warm_complain_of_line(keys, i);
		else if (work->results[i] < 0 && work->results[i] != -ENOENT)
			warm_complain(string_set_at(&keys->words, (uint32_t)i),
			              cause_of(work, i, work->results[i]), 0);
	}
	if (work->stopped_by)
		warm_complain("stopped", cause_of(work, work->stopped_at, work->stopped_by), 0);
}

/* Of days that have been asked for: whom they show is to be asked for next. */
static int take_days(struct warm *warm, struct warm_work *work)
{
	size_t read_count = 0;
	int status;
	int r;

	pthread_mutex_lock(&work->lock);
	print_failed(work);
	for (size_t i = 0; i < warm->days.words.count; i++) {
		/* That has not begun yet. */
		r = work->results[i] == -ENOENT ? 0 : work->results[i];
		if (work->results[i] == 0) {
			r = warm_days_read(warm, i);
			if (r)
				warm_complain(string_set_at(&warm->days.words, (uint32_t)i),
				              strerror(-r), 0);
		}
		read_count += r == 0;
		if (r < 0)
			warm->days_status = outcome_worse(warm->days_status, outcome_of(r));
	}
	warm->days_failed = warm->days.words.count - read_count;
	status = outcome_of(work->stopped_by);
	pthread_mutex_unlock(&work->lock);
	return status;
}

/* What came of the worst of the keys. */
static int status_of_keys(const struct warm_work *work)
{
	int status = outcome_of(work->stopped_by);

	for (size_t i = 0; i < work->keys->words.count; i++) {
		int one = EXIT_NO;

		if (warm_is_key(work->keys, i))
			one = work->results[i] < 0 ? outcome_of(work->results[i]) : EXIT_OK;
		status = outcome_worse(status, one);
	}
	return status;
}

static int report(struct warm *warm, struct warm_work *work)
{
	struct warm_counts counts;
	size_t left;
	int status;
	int r = 0;

	/* Threads may still be at work, but not on what they have written already. */
	pthread_mutex_lock(&work->lock);
	counts = work->counts;
	left = warm->keys.words.count - counts.found - counts.absent - counts.failed;
	print_failed(work);
	if (warm->has_days && !warm->is_json)
		printf("%u days, %zu failed: ", warm->days.words.count, warm->days_failed);
	if (warm->is_json)
		r = print_json(warm, work, &counts, left);
	else
		printf("%zu found, %zu absent, %zu failed%s", counts.found, counts.absent,
		       counts.failed, left ? "" : "\n");
	if (!warm->is_json && left)
		printf(", %zu left\n", left);
	status = outcome_worse(warm->days_status, status_of_keys(work));
	pthread_mutex_unlock(&work->lock);
	return outcome_end("warm", r ? EXIT_LOCAL : status);
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

/* Those that end a program, but for those that whoever started it has it ignore; see nohup(1). */
static void list_ends(sigset_t *ret)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;

	sigemptyset(ret);
	for (size_t i = 0; i < array_length(ends); i++) {
		if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(ret, ends[i]);
	}
}

typedef int warm_finish_fn(struct warm *warm, struct warm_work *work);

/* Have the keys asked for, and @finish, unless a signal that @signals tells of ends it. */
static int run_watched(struct warm *warm, const struct warm_keys *keys, uint64_t max_age_ms,
                       int signals, warm_finish_fn *finish)
{
	struct warm_progress progress;
	struct warm_work work;
	int number;
	int status;
	int r;

	warm_progress_begin(&progress, keys->words.count);
	r = warm_work_start(keys, &warm->place, max_age_ms, job_count(warm), &work);
	if (r)
		return warm_complain("", strerror(-r), EXIT_LOCAL);
	number = watch(&work, &progress, signals);
	warm_progress_end(&progress);
	warm_work_stop(&work);
	status = finish(warm, &work);
	if (number)
		die_of(number);
	warm_work_fini(&work);
	return status;
}

/* Have the keys asked for, and @finish. */
static int run_wet(struct warm *warm, const struct warm_keys *keys, uint64_t max_age_ms,
                   warm_finish_fn *finish)
{
	sigset_t signals, before;
	int descriptor;
	int status;

	list_ends(&signals);
	/* The threads inherit it. */
	sigprocmask(SIG_BLOCK, &signals, &before);
	descriptor = signalfd(-1, &signals, SFD_CLOEXEC);
	if (descriptor >= 0) {
		status = run_watched(warm, keys, max_age_ms, descriptor, finish);
		close(descriptor);
	} else {
		status = warm_complain("", strerror(errno), EXIT_LOCAL);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

/* The command line */

static const struct option long_options[] = {
	{ "since", required_argument, NULL, 's' },
	{ "until", required_argument, NULL, 'u' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'J' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "max-age", required_argument, NULL, 'a' },
	{ NULL, 0, NULL, 0 },
};

static bool set_option(struct warm *warm, int option)
{
	switch (option) {
	case 'n':
		warm->is_dry = true;
		return true;
	case 'J':
		warm->is_json = true;
		return true;
	case 's':
		warm->has_days = true;
		return date_parse(optarg, strlen(optarg), &warm->first_day) == 0;
	case 'u':
		warm->has_last = true;
		return date_parse(optarg, strlen(optarg), &warm->last_day) == 0;
	case 'j':
		return number_parse(NUMBER_PLAIN, optarg, &warm->jobs) && warm->jobs >= 1 &&
		       warm->jobs <= JOBS_MAX;
	default:
		return number_parse(NUMBER_SECONDS, optarg, &warm->max_age) &&
		       warm->max_age <= UINT32_MAX;
	}
}

static const char *out_of_range(int option)
{
	switch (option) {
	case 'j':
		return "out of range for --jobs";
	case 'a':
		return "out of range for --max-age";
	default:
		return "not a day, YYYY-MM-DD";
	}
}

static int32_t today(void)
{
	char text[DATE_SIZE];
	time_t now = time(NULL);
	struct tm date;
	int32_t day = 0;

	strftime(text, sizeof(text), "%Y-%m-%d", localtime_r(&now, &date));
	(void)!date_parse(text, strlen(text), &day);
	return day;
}

static int parse_arguments(struct warm *warm, int argc, char **argv)
{
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return warm_complain(argv[optind - 1],
			                     option == '?'
			                             ? "unknown option; see kapturefs warm --help"
			                             : "a value is missing behind it",
			                     EXIT_USAGE);
		if (!set_option(warm, option))
			return warm_complain(optarg, out_of_range(option), EXIT_USAGE);
	}
	if (optind == argc || argc - optind > 2 - warm->has_days)
		return warm_complain("",
		                     warm->has_days ? "give MOUNTPOINT and no FILE"
		                                    : "give MOUNTPOINT and at most one FILE",
		                     EXIT_USAGE);
	if (warm->has_last && !warm->has_days)
		return warm_complain("--until", "give --since as well", EXIT_USAGE);
	if (!warm->has_last)
		warm->last_day = today();
	if (warm->has_days && warm->first_day > warm->last_day)
		return warm_complain("--since", "is later than the last day", EXIT_USAGE);
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
		return warm_complain(name, strerror(errno), EXIT_USAGE);
	r = warm_keys_read(stream,
	                   (uint32_t)place_metric(&warm->place, "kapturefs_phone_country", 0),
	                   &warm->keys);
	if (warm->file)
		fclose(stream);
	if (r == -EILSEQ)
		return warm_complain(name, keyword_not_text, EXIT_USAGE);
	return r ? warm_complain(name, strerror(-r), EXIT_LOCAL) : EXIT_OK;
}

static int run_keys(struct warm *warm)
{
	if (warm->is_dry)
		return warm_run_dry(warm);
	if (warm->keys.words.count)
		return run_wet(warm, &warm->keys, warm->max_age * 1000, report);
	return report(warm, &(struct warm_work){ .keys = &warm->keys,
	                                         .lock = PTHREAD_MUTEX_INITIALIZER });
}

static int run_days(struct warm *warm)
{
	int status = EXIT_OK;

	if (faccessat(warm->place.descriptor, "by-date", F_OK, 0))
		return warm_complain(warm->mountpoint,
		                     "there is no by-date, for the account is not known yet; "
		                     "mount with account_id=N",
		                     EXIT_LOCAL);
	if (warm_days_list(warm))
		return warm_complain("", strerror(ENOMEM), EXIT_LOCAL);
	if (!warm->is_dry)
		status = run_wet(warm, &warm->days, WARM_DAYS_MAX_AGE_MS, take_days);
	return status == EXIT_OK ? run_keys(warm) : status;
}

static int run(struct warm *warm)
{
	int status;

	if (warm->has_days)
		return run_days(warm);
	status = read_keys(warm);
	return status == EXIT_OK ? run_keys(warm) : status;
}

int command_warm(int argc, char **argv)
{
	struct warm warm = { .max_age = MAX_AGE_DEFAULT };
	struct config_complaint complaint;
	int status;
	int r;

	status = parse_arguments(&warm, argc, argv);
	if (status != EXIT_OK)
		return status;
	r = place_find(warm.mountpoint, &warm.place);
	if (r < 0)
		return warm_complain(warm.mountpoint, strerror(-r), EXIT_LOCAL);
	if (r == PLACE_OUTSIDE)
		return warm_complain(warm.mountpoint, "not a mount of kapturefs", EXIT_LOCAL);
	if (warm.place.path[0])
		status = warm_complain(warm.mountpoint, "below a mount; give its MOUNTPOINT",
		                       EXIT_USAGE);
	else if (place_check_owner(&warm.place, &complaint))
		status = warm_complain(warm.mountpoint, complaint.text, EXIT_LOCAL);
	else
		status = run(&warm);
	place_fini(&warm.place);
	warm_keys_fini(&warm.keys);
	warm_keys_fini(&warm.days);
	return status;
}
