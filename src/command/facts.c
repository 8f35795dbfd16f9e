/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/base/text.h"
#include "kapturefs/command/facts.h"
#include "kapturefs/command/words.h"

const char *const facts_health_words[] = {
	[FACTS_GOOD] = "good",
	[FACTS_LIMITED] = "limited",
	[FACTS_BAD] = "bad",
};

/* Judging */

printf_like(3, 4) static void blame(struct facts *facts, enum facts_health health,
                                    const char *format, ...)
{
	struct facts_reason *reason = &facts->reasons[facts->reason_count];
	va_list arguments;

	if (facts->reason_count == FACTS_REASONS)
		return;
	va_start(arguments, format);
	vsnprintf(reason->text, sizeof(reason->text), format, arguments);
	va_end(arguments);
	reason->health = health;
	facts->reason_count++;
	if (health > facts->health)
		facts->health = health;
}

/* What the log has to say about the last failed request. */
static const char *last_cause(const struct facts *facts)
{
	for (size_t i = 0; i < facts->error_count; i++) {
		if (strcmp(facts->errors[i].module, "kapture") == 0 && facts->errors[i].cause[0])
			return facts->errors[i].cause;
	}
	return facts->api.error ? strerror(-facts->api.error) : "see errors";
}

/* Too few to judge by are no fault. */
enum { RECENT_MIN = 3 };

static bool are_most_bad(struct recent_count count)
{
	return count.all >= RECENT_MIN && 2 * count.bad > count.all;
}

static void judge_recent(struct facts *facts)
{
	struct recent_count asked = facts->api.recent;
	struct recent_count served = facts->answers.served;
	struct recent_count kept = facts->answers.kept;
	bool is_told = facts->api.breaker != BREAKER_CLOSED || facts->api.door != BREAKER_CLOSED;

	if (kept.bad && kept.bad == kept.all)
		blame(facts, FACTS_BAD,
		      "the API answers for another account (cmId) than the cache is of, which is "
		      "refused; look whose token it is, or give another cache=PATH");
	if (are_most_bad(asked) && !is_told)
		blame(facts, asked.bad == asked.all ? FACTS_BAD : FACTS_LIMITED,
		      "%" PRIu64 " of %" PRIu64 " requests failed in the last minutes (%s)",
		      asked.bad, asked.all, last_cause(facts));
	if (are_most_bad(served))
		blame(facts, FACTS_LIMITED,
		      "%" PRIu64 " of %" PRIu64 " look-ups were answered with what is past its ttl "
		      "in the last minutes",
		      served.bad, served.all);
}

static void judge_token(struct facts *facts)
{
	const char *file = facts->sources->config->token_file;

	if (!file)
		file = "the credential kapture-token";
	if (facts->api.door != BREAKER_CLOSED)
		blame(facts, FACTS_BAD,
		      "the API refuses the token, so nothing that has expired is served; put a "
		      "valid one into %s",
		      file);
	else if (facts->api.day_door != BREAKER_CLOSED)
		blame(facts, FACTS_LIMITED,
		      "the API refuses the token for the customers of a day; put one into %s that "
		      "it takes for both, or do without by-date/",
		      file);
}

static void judge_api(struct facts *facts)
{
	const struct kapture_standing *api = &facts->api;
	char held[WORDS_SIZE];
	char rate[WORDS_SIZE];
	char usual[WORDS_SIZE];

	if (api->breaker != BREAKER_CLOSED)
		blame(facts, FACTS_BAD,
		      "the API fails (%s) and is asked once in a while only; what is cached is "
		      "served",
		      last_cause(facts));
	if (api->held_ms)
		blame(facts, FACTS_LIMITED, "the API wants to be left alone for %s",
		      words_duration(api->held_ms, held));
	if (api->rate < api->rate_configured)
		blame(facts, FACTS_LIMITED,
		      "the API asks for fewer requests: %s a second for now, instead of %s",
		      words_thousandths(api->rate, rate),
		      words_thousandths(api->rate_configured, usual));
	if (api->queued && !api->budget && !api->held_ms)
		blame(facts, FACTS_LIMITED,
		      "%" PRIu64 " requests wait for their turn, at %s a second (rate=)",
		      api->queued, words_thousandths(api->rate, rate));
}

static void judge_serving(struct facts *facts)
{
	const struct config *config = facts->sources->config;
	char waited[WORDS_SIZE];
	char since[WORDS_SIZE];

	if (config->offline)
		blame(facts, FACTS_LIMITED, "offline: only what is cached is served");
	if (!facts->is_cache_on_disk && strcmp(config->cache, ":memory:") != 0)
		blame(facts, FACTS_LIMITED,
		      "nothing is kept on disk since %s, as %s cannot be written; that is tried "
		      "again every minute",
		      words_time(facts->off_disk_since_ms, since), config->cache);
	if (facts->waiting_listed && facts->waiting[0].waited_ms > config->patience * 1000)
		blame(facts, FACTS_LIMITED, "a look-up has been waiting for %s",
		      words_duration(facts->waiting[0].waited_ms, waited));
}

/* Gathering */

static uint64_t metric(const struct facts *facts, const char *name, const char *labels)
{
	uint64_t value;

	(void)metrics_find(facts->sources->metrics, name, labels, &value);
	return value;
}

static uint64_t file_size(const char *path, const char *suffix)
{
	char name[4096];
	struct stat status;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &status) < 0 ? 0 : (uint64_t)status.st_size;
}

static void gather_cache(struct facts *facts)
{
	const char *path = facts->sources->config->cache;
	uint64_t on_disk;

	facts->is_cache_on_disk = strcmp(path, ":memory:") != 0;
	if (metrics_find(facts->sources->metrics, "kapturefs_cache_on_disk", NULL, &on_disk))
		facts->is_cache_on_disk = on_disk;
	if (!metrics_find(facts->sources->metrics, "kapturefs_cache_bytes", NULL,
	                  &facts->cache_bytes) &&
	    facts->is_cache_on_disk)
		facts->cache_bytes = file_size(path, "") + file_size(path, "-wal");
	facts->off_disk_since_ms =
	        (int64_t)metric(facts, "kapturefs_cache_off_disk_since_seconds", NULL) * 1000;
	facts->cache_damages = metric(facts, "kapturefs_cache_damaged_files_total", NULL) +
	                       metric(facts, "kapturefs_cache_damaged_rows_total", NULL);
	facts->evictions = metric(facts, "kapturefs_cache_evictions_total", NULL);
	facts->memory_bytes = metric(facts, "kapturefs_hotset_bytes", NULL);
}

static void gather_counts(struct facts *facts)
{
	const char *requests = "kapturefs_api_requests_total";

	facts->api_requests = metric(facts, requests, NULL);
	facts->api_found = metric(facts, requests, "outcome=\"found\"");
	facts->api_absent = metric(facts, requests, "outcome=\"absent\"");
	facts->is_token_proven = facts->api_found + facts->api_absent > 0;
	facts->hits = metric(facts, "kapturefs_cache_hits_total", NULL);
	facts->misses = metric(facts, "kapturefs_cache_misses_total", NULL);
	facts->stale = metric(facts, "kapturefs_stale_answers_total", NULL);
	facts->kernel_requests = metric(facts, "kapturefs_fuse_requests_total", NULL);
	facts->waiting_count = metric(facts, "kapturefs_pending_lookups", NULL);
}

const char *facts_name_caller(const struct share_count *caller, char ret[FACTS_CALLER_SIZE])
{
	uint32_t number = (uint32_t)caller->caller;
	char name[32] = "a program that has ended";
	char path[64];
	FILE *file;

	/* See caller.h. */
	if (!number) {
		snprintf(ret, FACTS_CALLER_SIZE, "user %" PRIu32, share_user(caller->caller) - 1);
		return ret;
	}
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/comm", number);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[text_make_visible(name, strcspn(name, "\n"))] = '\0';
	if (file)
		fclose(file);
	snprintf(ret, FACTS_CALLER_SIZE, "%s, session %" PRIu32, name, number);
	return ret;
}

/* The catalog's clock, which never goes back, may be ahead of the system's. */
static int64_t now_after_ms(int64_t mounted_ms)
{
	int64_t now_ms = clock_unix_ms();

	return now_ms > mounted_ms ? now_ms : mounted_ms;
}

void facts_gather(const struct facts_sources *sources, struct facts *ret)
{
	*ret = (struct facts){
		.sources = sources,
		.now_ms = now_after_ms(sources->mounted_ms),
		.api = kapture_stand(sources->kapture),
		.answers = catalog_stand(sources->catalog),
		.kernel_flags = session_kernel_flags(sources->session),
		.log = log_counts(),
	};
	ret->error_count = log_recent(ret->errors, FACTS_ERRORS);
	ret->waiting_listed =
	        filesystem_list_waiting(sources->filesystem, ret->waiting, FACTS_WAITING);
	ret->caller_count = kapture_list_callers(sources->kapture, ret->callers, FACTS_CALLERS);
	gather_counts(ret);
	gather_cache(ret);
	judge_token(ret);
	judge_api(ret);
	judge_recent(ret);
	judge_serving(ret);
}
