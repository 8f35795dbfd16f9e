#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Where customers come from: the interface that the API's client implements, and tests. A question
 * for a date is answered with a roster, any other with a record.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/record.h"
#include "kapturefs/model/roster.h"

struct source;
struct source_fetch; /* one question under way */

enum { SOURCE_ACCOUNT_SIZE = 64 };

/** How much somebody waits for an answer, the most first. */
enum source_hurry {
	SOURCE_IN_A_HURRY,
	SOURCE_CAN_WAIT, /* every other question goes first, but for those */
	SOURCE_UNWAITED, /* nobody does: it goes last, and such have half of the rate together */
	SOURCE_HURRIES,
};

struct source_question {
	struct key key;
	char account[SOURCE_ACCOUNT_SIZE]; /* for a date: whose customers */
	bool is_once;            /* what comes of the first try is wanted, whatever it is */
	enum source_hurry hurry; /* to begin with */
	uint64_t caller;         /* who asks, as in share.h; 0 for nobody in particular */
};

struct source_answer {
	int error;            /* 0, or a negative errno of the contract's table */
	bool may_pass;        /* of an error: nothing definite was said, so that an old answer may
	                    * stand in; false when the token is refused, and for nothing else */
	bool is_unfair;       /* ... a time-out of what had waited for its turn for most of it */
	const char *cause;    /* of an error, in words; borrowed, may be NULL */
	const char *sentence; /* of an error: what the API says itself; borrowed, may be NULL, and
	                       * may name a customer: not for logs */
	long status;          /* of HTTP, 0 without a reply */
	uint64_t retry_after_ms; /* of an error: how long the API wants to be left alone, or 0 */
	struct record
	        *record; /* borrowed, fresh from payload; NULL without error: no such customer */
	const struct roster
	        *roster; /* for a date, without error; borrowed until its fetch is freed */
};

/** How the source stands. */
enum source_state {
	SOURCE_READY,   /* a question would go out now */
	SOURCE_BUSY,    /* there is no budget left: it would have to wait */
	SOURCE_REFUSED, /* the token does not hold */
};

/** Runs once, from the loop, never inside start(). */
typedef void source_done_fn(void *userdata, const struct source_answer *answer);

struct source_operations {
	/** Ask. Returns 0, or -ENOMEM with *@ret untouched. */
	int (*start)(struct source *source, const struct source_question *question,
	             source_done_fn *done, void *userdata, struct source_fetch **ret);

	/**
	 * The number that was drawn when its last try was sent, of a date the last for its first
	 * page; 0 before the first, so that freeing the fetch loses no answer.
	 */
	uint64_t (*sent)(const struct source_fetch *fetch);

	/** From now on somebody waits for it like this, which may be less or more than before. */
	void (*hurry)(struct source_fetch *fetch, enum source_hurry hurry);

	/**
	 * @caller waits for it, too: it goes when it would have gone if he had begun it, where that
	 * is earlier. May be NULL.
	 */
	void (*join)(struct source_fetch *fetch, uint64_t caller);

	/** Free the fetch, under way or done. */
	void (*free)(struct source_fetch *fetch);

	/** How it stands for a question of @caller about a key of @kind. */
	enum source_state (*state)(struct source *source, enum key_kind kind, uint64_t caller);

	/**
	 * A number that changes when it is worth to ask again for what has failed: there is another
	 * token, which is looked for now, or somebody has said so.
	 */
	uint64_t (*epoch)(struct source *source);
};

struct source {
	const struct source_operations *operations;
	uint64_t number; /* the last that was drawn */
};

/** Draw a number, higher than all before it: so what happens is put in order. */
static inline uint64_t source_draw(struct source *source)
{
	return ++source->number;
}
