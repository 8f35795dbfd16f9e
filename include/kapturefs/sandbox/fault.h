#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The fault plan: rules for what the sandbox does instead of answering as it
 * should, asked in the order in which they came. Not locked.
 *
 * A rule that lets a request pass, because it is not meant, is skipped, or the
 * dice say so, leaves it to the rules behind it. The dice follow from the seed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/base/list.h"
#include "kapturefs/model/key.h"
#include "kapturefs/sandbox/answer.h"
#include "kapturefs/sandbox/content.h"

/** What becomes of a connection. The last ones are for TLS. */
enum fate {
	FATE_SERVED,
	FATE_RESET,
	FATE_CLOSED,
	FATE_SILENT, /* it is kept, and nothing is read */
	FATE_SELF_SIGNED,
	FATE_OTHER_HOST,
	FATE_EXPIRED,
	FATE_NOT_YET_VALID,
	FATE_OLD_TLS, /* 1.1 */
	FATES,
};

static inline bool fate_is_of_tls(enum fate fate)
{
	return fate >= FATE_SELF_SIGNED;
}

enum { FAULT_CERTAIN = 1000000 };

/** One rule. fault_new() makes one that changes nothing, for every request, for ever. */
struct fault {
	struct list link;
	char *name;    /* owned; NULL: none */
	bool is_empty; /* nothing was said about it */

	/* Which. A rule with a fate is for connections, and knows no keys. */
	enum fate fate;
	char *key;        /* owned; the canonical text that must be asked for. NULL: whatever is */
	const char *word; /* static; the kind of key. NULL: any */
	uint32_t skip;    /* the first ones pass */
	bool is_counted;  /* it ends with the last of @count */
	uint32_t count;
	uint32_t probability; /* of FAULT_CERTAIN */

	/* What. */
	bool is_delayed; /* @delay_ms takes the place of the sandbox's latency */
	uint32_t delay_ms;
	uint32_t read_ms; /* from the request until it is looked at what the answer is */
	unsigned status;  /* HTTP; 0: as should be */
	enum content content;
	uint32_t size; /* of the content; 0: its default */
	char *body;    /* owned; for CONTENT_BODY */
	size_t body_length;
	struct buffer headers; /* as an answer's */
	struct delivery delivery;

	/* What has been. */
	uint32_t number;   /* in the order of adding, from 1 */
	uint64_t serial;   /* the same, and forgetting does not begin anew */
	uint64_t seen;     /* requests or connections that it was meant for */
	uint64_t fired;    /* those that it was done to */
	uint32_t uses;     /* under way */
	bool is_forgotten; /* only its uses keep it */
};

/** A rule with an empty list link and sure to fire, or NULL. */
struct fault *fault_new(void);

/** Frees, and ignores NULL. */
void fault_free(struct fault *fault);
define_cleanup(struct fault *, fault_free);

/** Whether the answer is as should be, however it is delivered. */
bool fault_is_honest(const struct fault *fault);

struct faults {
	struct list list;
	uint64_t seed;
	uint32_t added;
	uint64_t serial;
};

void faults_init(struct faults *faults, uint64_t seed);

/** Forget all rules. */
void faults_clear(struct faults *faults);

/** Take over @fault as the last rule. */
void faults_add(struct faults *faults, struct fault *fault);

/** Take over all rules of @more, behind those there are. */
void faults_add_all(struct faults *faults, struct faults *more);

/**
 * The rule that fires for a request for @key, NULL for a request that names none; counted off.
 * NULL if none does; else it stays, even when forgotten, until faults_release(), which ignores
 * NULL.
 */
struct fault *faults_choose(struct faults *faults, const struct key *key);
void faults_release(struct fault *fault);

/** What becomes of a new connection; counted off. */
enum fate faults_choose_fate(struct faults *faults);

/** The serial of the last rule for connections that is not at its end; 0 if there is none. */
uint64_t faults_connections_since(const struct faults *faults);

/**
 * Do to @answer, whose body is as content_base() wants it, what the rule says. The rule must live
 * as long as the answer, which may borrow its text.
 */
int fault_apply(const struct fault *fault, struct answer *answer) must_check;

/** Append the rules' counts as a JSON array. Errors as buffer_append(). */
int faults_write(const struct faults *faults, struct buffer *buffer) must_check;
