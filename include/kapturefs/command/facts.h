#pragma once
/* SPDX-License-Identifier: MIT */
/* What there is to say of a mount: gathered once, said in words and in JSON. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/command/confine.h"
#include "kapturefs/config/config.h"
#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/session.h"
#include "kapturefs/store/kapture.h"

/** Where facts come from; all borrowed. */
struct facts_sources {
	const struct config *config;
	const char *mountpoint;
	int64_t mounted_ms; /* Unix time; 0 until it is */
	struct kapture *kapture;
	const struct catalog *catalog;
	const struct filesystem *filesystem;
	const struct session *session;
	const struct metrics *metrics;
	const struct confinement *confinement;
};

/** The worse, the higher. */
enum facts_health {
	FACTS_GOOD,
	FACTS_LIMITED, /* it serves, but less, slower or older than it should */
	FACTS_BAD,     /* what is not cached cannot be had */
};

extern const char *const facts_health_words[];

enum {
	FACTS_REASONS = 8,
	FACTS_REASON_SIZE = 512,
	FACTS_WAITING = 10,
	FACTS_ERRORS = 5,
	FACTS_CALLERS = 3,
};

struct facts {
	const struct facts_sources *sources;
	int64_t now_ms;

	enum facts_health health;
	struct facts_reason {
		enum facts_health health;
		char text[FACTS_REASON_SIZE];
	} reasons[FACTS_REASONS];
	size_t reason_count;

	struct kapture_standing api;
	struct catalog_standing answers;
	bool is_token_proven; /* the API has taken it once */
	uint64_t api_requests;
	uint64_t api_found;
	uint64_t api_absent;
	uint64_t hits;
	uint64_t misses;
	uint64_t stale; /* old answers served */
	uint64_t kernel_requests;

	bool is_cache_on_disk;
	int64_t off_disk_since_ms; /* Unix time; 0 while it is, or when nothing is to be kept */
	uint64_t cache_bytes;
	uint64_t cache_damages; /* files and rows that were not as written */
	uint64_t evictions;
	uint64_t memory_bytes; /* of customers kept parsed */
	uint64_t kernel_flags;

	struct share_count callers[FACTS_CALLERS]; /* who asks most, in this minute */
	size_t caller_count;

	uint64_t waiting_count;
	struct request_waiting waiting[FACTS_WAITING]; /* those that have waited longest */
	size_t waiting_listed;

	struct log_event errors[FACTS_ERRORS]; /* the last ones */
	size_t error_count;
	struct log_counts log;
};

/** Fill *@ret; it borrows @sources. */
void facts_gather(const struct facts_sources *sources, struct facts *ret);

/** `kapture: lookup failed: the API reports a fault of its own, HTTP 503, EIO`. */
enum { FACTS_EVENT_SIZE = sizeof(struct log_event) + 32 };
const char *facts_print_event(const struct log_event *event, char ret[FACTS_EVENT_SIZE]);

enum { FACTS_CALLER_SIZE = 64 };

/** `bash, session 1234`, or the user of whoever cannot be seen. Returns @ret. */
const char *facts_name_caller(const struct share_count *caller, char ret[FACTS_CALLER_SIZE]);

/** Append the facts, or the last LOG_EVENTS errors. Errors as buffer_append(). */
int facts_print_words(const struct facts *facts, struct buffer *text) must_check;
int facts_print_json(const struct facts *facts, struct buffer *text) must_check;
int facts_print_errors(struct buffer *text) must_check;
