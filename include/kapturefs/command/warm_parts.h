#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of `warm`: what its files share, and nobody else uses. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/string_set.h"
#include "kapturefs/command/place.h"

/* warm_keys.c */

/** Keys in the order in which they came, each once. */
struct warm_keys {
	/* `phone:9380491326`; a line that is no key, as it was, behind a blank */
	struct string_set words;
	unsigned *lines; /* where each was first */
	uint32_t line_capacity;
	uint32_t phone_country;
};

/**
 * Read a key a line, as keyword_parse(); empty lines and those that begin with # are passed over,
 * and so is what a spreadsheet puts around the only column of a table. Returns as keyword_read().
 */
int warm_keys_read(FILE *stream, uint32_t country, struct warm_keys *ret) must_check;
void warm_keys_fini(struct warm_keys *keys);

/** Add a word, unless it is there. Returns 0 or -ENOMEM. */
int warm_keys_add(struct warm_keys *keys, const char *word) must_check;

/** Whether the word at @place is a key. */
bool warm_is_key(const struct warm_keys *keys, size_t place);

/** Tell which line the word at @place, which is no key, was, and why it is none. */
void warm_complain_of_line(const struct warm_keys *keys, size_t place);

/** Write the path of the key at @place in a mount. */
void warm_path(const struct warm_keys *keys, size_t place, char ret[KAPTUREFS_PATH_SIZE]);

/* warm_work.c */

struct warm_counts {
	size_t found;
	size_t absent;
	size_t failed;
};

struct warm_work {
	const struct warm_keys *keys;
	const struct place *place;
	uint64_t max_age_ms;
	int *results;   /* one a key: 0 for found, a negative errno, or WARM_LEFT */
	char **causes;  /* one a key that failed, NULL where the errno has to do */
	uint8_t *tries; /* one a key: how often it was asked for */
	int done;       /* an eventfd, for when all is done */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	size_t next;
	size_t *again; /* places of keys to be asked for once more */
	size_t again_count;
	unsigned running; /* threads */
	unsigned busy;    /* ... that have a key asked for, at most so many as are */
	unsigned allowed;
	unsigned most;      /* that may ever be allowed */
	unsigned in_time;   /* answers since the last change of that */
	uint64_t slowed_ms; /* when fewer were allowed last */
	bool must_end;
	int stopped_by;    /* a negative errno after which asking is no use, or 0 */
	size_t stopped_at; /* ... the place of its key */
	struct warm_counts counts;
};

enum { WARM_LEFT = 1 };

/**
 * Have up to @jobs threads ask for the keys. Returns 0 with *@ret, which its end makes known by
 * @done, or a negative errno.
 */
int warm_work_start(const struct warm_keys *keys, const struct place *place, uint64_t max_age_ms,
                    unsigned jobs, struct warm_work *ret) must_check;

/** Have no more keys begun. Those under way are not waited for. */
void warm_work_stop(struct warm_work *work);

/** Free what no thread uses any more. */
void warm_work_fini(struct warm_work *work);

struct warm_counts warm_work_counts(struct warm_work *work);

/* warm.c */

/** What was asked for on the command line, and where. */
struct warm {
	const char *mountpoint;
	const char *file; /* NULL for standard input */
	uint64_t jobs;    /* 0: as many as the mount has connections */
	uint64_t max_age; /* seconds */
	bool is_dry;
	bool is_json;
	bool has_days; /* the customers created on these, instead of a file's */
	bool has_last;
	int32_t first_day; /* as in date.h */
	int32_t last_day;
	struct place place;
	struct warm_keys keys;
	struct warm_keys days;
	size_t days_failed;
	int days_status; /* of the worst of them */
};

/** Tell what went wrong with @what. Returns @status. */
int warm_complain(const char *what, const char *text, int status);

/* warm_dry.c */

/** Tell what the keys and days would take. Returns an exit status. */
int warm_run_dry(struct warm *warm);

/* warm_days.c */

/* A day is asked for unless it is fresh: the mount knows best how long that is. */
enum { WARM_DAYS_MAX_AGE_MS = 1 };

/** Fill warm->days with a key for each day. Returns 0 or -ENOMEM. */
int warm_days_list(struct warm *warm) must_check;

/** Add to warm->keys whom the day at @place shows. Returns 0 or a negative errno. */
int warm_days_read(struct warm *warm, size_t place) must_check;

/* warm_progress.c */

struct warm_progress {
	FILE *stream;
	size_t total;
	bool is_terminal;
	unsigned column_count;
	size_t told; /* of the last plain line */
	uint64_t told_ms;
	uint64_t began_ms;
	/* The last few seconds, a ring. */
	struct {
		uint64_t at_ms;
		size_t done;
	} samples[64];
	size_t sample_count;
};

void warm_progress_begin(struct warm_progress *progress, size_t total);

/** Show how far it is: a bar on a terminal; else a line at every tenth, and every minute. */
void warm_progress_show(struct warm_progress *progress, size_t done);

/** Take the bar away. */
void warm_progress_end(struct warm_progress *progress);

/** Write a duration as `1 h 12 min`, `8 min`, `35 s`. */
void warm_print_duration(double seconds, char *ret, size_t size);
