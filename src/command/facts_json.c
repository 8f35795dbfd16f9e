/* SPDX-License-Identifier: MIT */

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/command/facts.h"
#include "kapturefs/model/json_writer.h"
#include "kapturefs/command/words.h"
#include "kapturefs/fs/session_features.h"
#include "kapturefs/model/key.h"

static void add_time(struct json_writer *writer, const char *name, int64_t time_ms)
{
	char text[WORDS_SIZE];

	json_text(writer, name, words_timestamp(time_ms, text));
}

static void add_mount(struct json_writer *writer, const struct facts *facts)
{
	json_text(writer, "version", KAPTUREFS_VERSION);
	json_text(writer, "source", facts->sources->config->base_url);
	json_text(writer, "mountpoint", facts->sources->mountpoint);
	json_number(writer, "pid", (uint64_t)getpid());
	json_open(writer, "confinement", '{');
	json_number(writer, "landlock", facts->sources->confinement->landlock);
	json_flag(writer, "seccomp", facts->sources->confinement->has_seccomp);
	json_flag(writer, "no_new_privileges", facts->sources->confinement->has_no_new_privileges);
	json_close(writer, '}');
	add_time(writer, "mounted", facts->sources->mounted_ms);
	json_number(writer, "age_ms", (uint64_t)(facts->now_ms - facts->sources->mounted_ms));
}

static void add_health(struct json_writer *writer, const struct facts *facts)
{
	json_text(writer, "health", facts_health_words[facts->health]);
	json_open(writer, "reasons", '[');
	for (size_t i = 0; i < facts->reason_count; i++)
		json_text(writer, NULL, facts->reasons[i].text);
	json_close(writer, ']');
}

static void add_api(struct json_writer *writer, const struct facts *facts)
{
	static const char *const breaker[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_HALF_OPEN] = "half open",
		[BREAKER_OPEN] = "open",
	};
	const struct kapture_standing *api = &facts->api;
	const char *proven = facts->is_token_proven ? "accepted" : "untried";

	json_text(writer, "token", api->door == BREAKER_CLOSED ? proven : "refused");
	json_text(writer, "breaker", breaker[api->breaker]);
	json_open(writer, "budget", '{');
	json_number(writer, "now", api->budget);
	json_number(writer, "burst", api->burst);
	json_decimal(writer, "rate", api->rate, 3);
	json_decimal(writer, "rate_configured", api->rate_configured, 3);
	json_number(writer, "queued", api->queued);
	json_number(writer, "held_ms", api->held_ms);
	json_close(writer, '}');
	json_open(writer, "api_requests", '{');
	json_number(writer, "all", facts->api_requests);
	json_number(writer, "found", facts->api_found);
	json_number(writer, "absent", facts->api_absent);
	json_number(writer, "failed", facts->api_requests - facts->api_found - facts->api_absent);
	json_close(writer, '}');
}

static void add_cache(struct json_writer *writer, const struct facts *facts)
{
	json_open(writer, "lookups", '{');
	json_number(writer, "hits", facts->hits);
	json_number(writer, "misses", facts->misses);
	json_number(writer, "stale", facts->stale);
	json_close(writer, '}');
	json_open(writer, "cache", '{');
	json_text(writer, "path", facts->sources->config->cache);
	json_flag(writer, "on_disk", facts->is_cache_on_disk);
	if (facts->off_disk_since_ms)
		add_time(writer, "off_disk_since", facts->off_disk_since_ms);
	json_number(writer, "bytes", facts->cache_bytes);
	json_number(writer, "bytes_max", facts->sources->config->cache_size);
	json_number(writer, "memory_bytes", facts->memory_bytes);
	json_number(writer, "evictions", facts->evictions);
	json_number(writer, "damages", facts->cache_damages);
	json_close(writer, '}');
}

static void add_kernel(struct json_writer *writer, const struct facts *facts)
{
	json_open(writer, "kernel", '{');
	json_number(writer, "requests", facts->kernel_requests);
	json_open(writer, "features", '[');
	for (size_t i = 0; i < session_feature_count; i++) {
		json_open(writer, NULL, '{');
		json_text(writer, "name", session_features[i].name);
		json_flag(writer, "found", facts->kernel_flags & session_features[i].flag);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_close(writer, '}');
}

static void add_callers(struct json_writer *writer, const struct facts *facts)
{
	char name[FACTS_CALLER_SIZE];

	json_open(writer, "callers", '[');
	for (size_t i = 0; i < facts->caller_count; i++) {
		json_open(writer, NULL, '{');
		json_text(writer, "name", facts_name_caller(&facts->callers[i], name));
		json_number(writer, "requests_in_minute", facts->callers[i].asked);
		json_close(writer, '}');
	}
	json_close(writer, ']');
}

static void add_waiting(struct json_writer *writer, const struct facts *facts)
{
	json_open(writer, "waiting", '{');
	json_number(writer, "count", facts->waiting_count);
	json_open(writer, "longest", '[');
	for (size_t i = 0; i < facts->waiting_listed; i++) {
		const struct request_waiting *waiting = &facts->waiting[i];

		json_open(writer, NULL, '{');
		json_text(writer, "operation", waiting->operation);
		json_text(writer, "key", key_kind_facts(waiting->kind)->word);
		json_text(writer, "customer", waiting->customer.text);
		json_number(writer, "waited_ms", waiting->waited_ms);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_close(writer, '}');
}

static void add_errors(struct json_writer *writer, const struct facts *facts)
{
	json_open(writer, "errors", '[');
	for (size_t i = 0; i < facts->error_count; i++) {
		const struct log_event *event = &facts->errors[i];

		json_open(writer, NULL, '{');
		add_time(writer, "first", event->first_ms);
		add_time(writer, "last", event->last_ms);
		json_number(writer, "count", event->count);
		json_text(writer, "module", event->module);
		json_text(writer, "event", event->text);
		json_text(writer, "error", event->error);
		json_text(writer, "cause", event->cause);
		json_number(writer, "status", (uint64_t)event->status);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_open(writer, "log", '{');
	json_number(writer, "lost", facts->log.lost);
	json_number(writer, "suppressed", facts->log.suppressed);
	json_flag(writer, "nowhere", facts->log.is_nowhere);
	json_close(writer, '}');
}

int facts_print_json(const struct facts *facts, struct buffer *text)
{
	struct json_writer writer = json_begin(text);

	json_open(&writer, NULL, '{');
	add_mount(&writer, facts);
	add_health(&writer, facts);
	add_api(&writer, facts);
	add_cache(&writer, facts);
	add_kernel(&writer, facts);
	add_callers(&writer, facts);
	add_waiting(&writer, facts);
	add_errors(&writer, facts);
	json_close(&writer, '}');
	return json_end(&writer);
}
