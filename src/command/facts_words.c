/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/command/facts.h"
#include "kapturefs/command/words.h"
#include "kapturefs/fs/session_features.h"
#include "kapturefs/model/key.h"

/* A page that is being written: lines that begin with a label, and lines below it. */
struct page {
	struct buffer *text;
	int error; /* the first */
};

printf_like(3, 4) static void line(struct page *page, const char *label, const char *format, ...)
{
	va_list arguments;
	char *words;

	if (page->error)
		return;
	va_start(arguments, format);
	if (vasprintf(&words, format, arguments) < 0) {
		page->error = -ENOMEM;
	} else {
		page->error = buffer_print(page->text, "%-10s  %s\n", label, words);
		free(words);
	}
	va_end(arguments);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void print_mount(struct page *page, const struct facts *facts)
{
	const struct facts_sources *sources = facts->sources;
	char since[WORDS_SIZE];
	char age[WORDS_SIZE];

	line(page, "source", "%s", sources->config->base_url);
	line(page, "mounted", "on %s since %s, %s ago", sources->mountpoint,
	     words_time(sources->mounted_ms, since),
	     words_duration((uint64_t)(facts->now_ms - sources->mounted_ms), age));
	line(page, "daemon", "kapturefs %s, process %d", KAPTUREFS_VERSION, (int)getpid());
}

static void print_health(struct page *page, const struct facts *facts)
{
	line(page, "health", "%s", facts_health_words[facts->health]);
	for (size_t i = 0; i < facts->reason_count; i++)
		line(page, "", "%s", facts->reasons[i].text);
}

static void print_confinement(struct page *page, const struct facts *facts)
{
	char words[CONFINE_WORDS_SIZE];

	line(page, "confined", "%s", confine_words(facts->sources->confinement, words));
}

static const char *token_words(const struct facts *facts)
{
	if (facts->api.door != BREAKER_CLOSED)
		return "refused";
	if (facts->api.day_door != BREAKER_CLOSED)
		return facts->is_token_proven ? "accepted, but refused for by-date/"
		                              : "refused for by-date/";
	return facts->is_token_proven ? "accepted" : "not tried yet";
}

static const char *breaker_words(const struct facts *facts)
{
	static const char *const words[] = {
		[BREAKER_CLOSED] = "closed: the API is asked",
		[BREAKER_HALF_OPEN] = "half open: the API has failed, and is being tried",
		[BREAKER_OPEN] = "open: the API fails, and is left alone for some seconds",
	};

	return words[facts->api.breaker];
}

static void print_api(struct page *page, const struct facts *facts)
{
	const struct kapture_standing *api = &facts->api;
	char rate[WORDS_SIZE];

	line(page, "token", "%s", token_words(facts));
	line(page, "breaker", "%s", breaker_words(facts));
	line(page, "budget",
	     "%" PRIu64 " of %" PRIu64 " requests at once, %s a second; %" PRIu64 " queued",
	     api->budget, api->burst, words_thousandths(api->rate, rate), api->queued);
	line(page, "requests",
	     "%" PRIu64 " to the API: %" PRIu64 " found, %" PRIu64 " absent, %" PRIu64 " failed",
	     facts->api_requests, facts->api_found, facts->api_absent,
	     facts->api_requests - facts->api_found - facts->api_absent);
}

static void print_cache(struct page *page, const struct facts *facts)
{
	const struct config *config = facts->sources->config;
	uint64_t all = facts->hits + facts->misses;
	char bytes[WORDS_SIZE];
	char limit[WORDS_SIZE];
	char memory[WORDS_SIZE];

	if (all)
		line(page, "look-ups",
		     "%" PRIu64 ": %.1f %% answered from the cache; %" PRIu64
		     " old answer%s served",
		     all, 100.0 * (double)facts->hits / (double)all, facts->stale,
		     plural(facts->stale));
	else
		line(page, "look-ups", "none yet");
	words_bytes(facts->memory_bytes, memory);
	if (facts->is_cache_on_disk)
		line(page, "cache", "%s of %s in %s; %s in memory",
		     words_bytes(facts->cache_bytes, bytes), words_bytes(config->cache_size, limit),
		     config->cache, memory);
	else
		line(page, "cache", "in memory only, %s", memory);
	if (facts->evictions || facts->cache_damages)
		line(page, "",
		     "%" PRIu64 " evicted to make room; %" PRIu64
		     " found damaged, and asked for again",
		     facts->evictions, facts->cache_damages);
}

/* The program that leads a session, a shell say. */
static void print_callers(struct page *page, const struct facts *facts)
{
	for (size_t i = 0; i < facts->caller_count; i++) {
		const struct share_count *caller = &facts->callers[i];
		char name[FACTS_CALLER_SIZE];

		line(page, i ? "" : "asking", "%" PRIu64 " request%s in this minute: %s",
		     caller->asked, plural(caller->asked), facts_name_caller(caller, name));
	}
}

static void print_kernel(struct page *page, const struct facts *facts)
{
	bool is_complete = true;

	for (size_t i = 0; i < session_feature_count; i++)
		is_complete = is_complete && facts->kernel_flags & session_features[i].flag;
	line(page, "kernel", "%" PRIu64 " request%s; %s", facts->kernel_requests,
	     plural(facts->kernel_requests),
	     is_complete ? "it has every feature that is made use of" : "it has no");
	for (size_t i = 0; i < session_feature_count; i++) {
		if (!(facts->kernel_flags & session_features[i].flag))
			line(page, "", "%s: %s", session_features[i].name,
			     session_features[i].cost);
	}
}

static void print_waiting(struct page *page, const struct facts *facts)
{
	char waited[WORDS_SIZE];

	line(page, "waiting", "%" PRIu64 " look-up%s", facts->waiting_count,
	     plural(facts->waiting_count));
	for (size_t i = 0; i < facts->waiting_listed; i++) {
		const struct request_waiting *waiting = &facts->waiting[i];

		line(page, "", "%-10s  %-8s  %-8s  %s", words_duration(waiting->waited_ms, waited),
		     waiting->operation, key_kind_facts(waiting->kind)->directory,
		     waiting->customer.text);
	}
}

const char *facts_print_event(const struct log_event *event, char ret[FACTS_EVENT_SIZE])
{
	char status[WORDS_SIZE] = "";

	if (event->status)
		snprintf(status, sizeof(status), ", HTTP %ld", event->status);
	snprintf(ret, FACTS_EVENT_SIZE, "%s: %s%s%s%s%s%s", event->module, event->text,
	         event->cause[0] ? ": " : "", event->cause, status, event->error[0] ? ", " : "",
	         event->error);
	return ret;
}

static void print_error(struct page *page, const char *label, const struct log_event *event)
{
	char words[FACTS_EVENT_SIZE];
	char count[WORDS_SIZE] = "";
	char when[WORDS_SIZE];

	if (event->count > 1)
		snprintf(count, sizeof(count), " (%" PRIu64 " times)", event->count);
	line(page, label, "%s  %s%s", words_time(event->last_ms, when),
	     facts_print_event(event, words), count);
}

static void print_errors(struct page *page, const struct facts *facts)
{
	if (!facts->error_count)
		line(page, "errors", "none");
	for (size_t i = 0; i < facts->error_count; i++)
		print_error(page, i ? "" : "errors", &facts->errors[i]);
	if (facts->log.is_nowhere)
		line(page, "log", "kept here only, for there is no /dev/log; see log_file=PATH");
	if (facts->log.lost || facts->log.suppressed)
		line(page, "log", "%" PRIu64 " line%s lost, %" PRIu64 " summed up", facts->log.lost,
		     plural(facts->log.lost), facts->log.suppressed);
}

int facts_print_words(const struct facts *facts, struct buffer *text)
{
	struct page page = { text, 0 };

	print_mount(&page, facts);
	print_health(&page, facts);
	print_confinement(&page, facts);
	print_api(&page, facts);
	print_cache(&page, facts);
	print_callers(&page, facts);
	print_kernel(&page, facts);
	print_waiting(&page, facts);
	print_errors(&page, facts);
	return page.error;
}

/* One a line, the newest first, without a label. */
int facts_print_errors(struct buffer *text)
{
	struct log_event events[LOG_EVENTS];
	size_t count = log_recent(events, LOG_EVENTS);
	char words[FACTS_EVENT_SIZE];
	int r = 0;

	for (size_t i = 0; i < count && !r; i++) {
		const struct log_event *event = &events[i];
		char first[WORDS_SIZE];
		char last[WORDS_SIZE];

		r = buffer_print(text, "%s  %s", words_time(event->last_ms, last),
		                 facts_print_event(event, words));
		if (!r && event->count > 1)
			r = buffer_print(text, " (%" PRIu64 " times since %s)", event->count,
			                 words_time(event->first_ms, first));
		if (!r)
			r = buffer_append_text(text, "\n");
	}
	return r;
}
