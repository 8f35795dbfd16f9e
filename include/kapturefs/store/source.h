#pragma once
/* SPDX-License-Identifier: MIT */
/* Where customers come from: the interface that the API's client implements, and tests. */

#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/record.h"

struct source;
struct source_fetch; /* one question under way */

struct source_answer {
	int error;     /* 0, or a negative errno of the contract's table */
	bool may_pass; /* of an error: asking again later may well succeed */
	struct record
	        *record; /* borrowed, fresh from payload; NULL without error: no such customer */
};

/** Runs once, from the loop, never inside start(). */
typedef void source_done_fn(void *userdata, const struct source_answer *answer);

struct source_operations {
	/** Ask for the customer behind @key. Returns 0, or -ENOMEM with *@ret untouched. */
	int (*start)(struct source *source, const struct key *key, source_done_fn *done,
	             void *userdata, struct source_fetch **ret);

	/** Free the fetch, under way or done. */
	void (*free)(struct source_fetch *fetch);
};

struct source {
	const struct source_operations *operations;
};
