#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The Get Customer and Pull Customer APIs of one Kapture account, as a source.
 *
 * It is asked no more often than it is good for: all requests, whatever their cause, share one
 * budget; when request after request fails it is left alone but for a probe in a while; and
 * when it refuses the token, for half a minute or until there is another token.
 */

#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/base/recent.h"
#include "kapturefs/io/http.h"
#include "kapturefs/store/breaker.h"
#include "kapturefs/store/share.h"
#include "kapturefs/store/source.h"

struct kapture;

struct kapture_settings {
	const char *base_url;       /* `https://host[:port][/prefix]`, without a slash at the end */
	const char *token;          /* as issued */
	const char *const *headers; /* more `Name: value` lines, NULL at the end, or NULL */
	const char *request_members; /* the inside of a JSON object for every request, or NULL */
	uint32_t phone_country;      /* as in key.h, to ask for absent numbers with it; or 0 */
	const char *absent_text;     /* one more sentence for an absence, see absence.h; or NULL */
	uint64_t timeout_ms;         /* for one fetch, waits and tries included */
	uint32_t retries;
	uint64_t rate;  /* thousandths of a request a second */
	uint64_t burst; /* requests */
	struct http_settings http;
};

/**
 * Who may know a newer token: look() is called when the token has been refused and an answer is
 * wanted all the same, and may call kapture_set_token(). judged() is called when a token is
 * accepted, or refused, for the first time or otherwise than before; it may be NULL.
 */
struct kapture_keeper {
	void (*look)(void *userdata);
	void (*judged)(void *userdata, const char *token, bool is_accepted);
	void *userdata;
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

void kapture_set_keeper(struct kapture *kapture, struct kapture_keeper keeper);

/**
 * Use @token from now on, which opens the doors that a refused one has closed. Returns 0, or
 * -ENOMEM with the old token kept.
 */
int kapture_set_token(struct kapture *kapture, const char *token) must_check;

/** Go on with the settings' timeout, retries, rate and burst; the rest of them is not looked at. */
void kapture_change(struct kapture *kapture, const struct kapture_settings *settings);

/** Go on with new connections, and with the certificate authorities that their file has now. */
void kapture_renew_connections(struct kapture *kapture);

/** Ask again although the token has been refused. */
void kapture_open_doors(struct kapture *kapture);

/** How the API is held back from now. */
struct kapture_standing {
	enum breaker_state breaker;  /* open: left alone because it fails */
	int error;                   /* of its last failure, negative errno, unless closed */
	enum breaker_state door;     /* open: the token was refused */
	enum breaker_state day_door; /* ... for the customers of a day */
	uint64_t budget;             /* requests that may go out at once */
	uint64_t burst;              /* ... when nothing has gone out for a while */
	uint64_t rate;               /* thousandths of a request a second, as the API lets us */
	uint64_t rate_configured;
	uint64_t queued;
	uint64_t held_ms; /* how long the API wants to be left alone */
	/** Requests of late, and those that failed: of one key in a row, only the first. */
	struct recent_count recent;
};
struct kapture_standing kapture_stand(struct kapture *kapture);

/** As shares_list(). */
size_t kapture_list_callers(const struct kapture *kapture, struct share_count *ret, size_t max);

/** Register requests by outcome and their durations, and how the API is held back from. */
void kapture_add_metrics(struct kapture *kapture, struct metrics *metrics);

/** Bring those metrics up to date that change by themselves; call before printing. */
void kapture_update_metrics(struct kapture *kapture);
