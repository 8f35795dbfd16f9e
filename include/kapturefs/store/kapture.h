#pragma once
/* SPDX-License-Identifier: MIT */
/* The Get Customer API of one Kapture account, as a source. */

#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/io/http.h"
#include "kapturefs/store/source.h"

struct kapture;

struct kapture_settings {
	const char *base_url;       /* `https://host[:port][/prefix]`, without a slash at the end */
	const char *token;          /* as issued */
	const char *const *headers; /* more `Name: value` lines, NULL at the end, or NULL */
	const char *request_members; /* the inside of a JSON object for every request, or NULL */
	uint64_t timeout_ms;         /* for one fetch, waits and tries included */
	uint32_t retries;
	struct http_settings http;
};

/** Begin; @settings' strings are copied. Returns 0, -ENOSYS as http_new(), -ENOMEM. */
int kapture_new(uv_loop_t *loop, const struct kapture_settings *settings,
                struct kapture **ret) must_check;

/**
 * End; every fetch must have been freed. The memory goes once the loop has run. NULL is ignored.
 */
void kapture_free(struct kapture *kapture);
define_cleanup(struct kapture *, kapture_free);

/** The source; lives as long as @kapture. */
struct source *kapture_source(struct kapture *kapture);

/** Register requests by outcome and their durations. */
void kapture_add_metrics(struct kapture *kapture, struct metrics *metrics);
