#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What tests tell the sandbox to do instead of answering as it should: rules,
 * asked in the order in which they came.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/list.h"
#include "kapturefs/model/key.h"
#include "kapturefs/sandbox/answer.h"

/** One rule. Zero-initialized it changes nothing, for every request, for ever. */
struct behaviour {
	struct list link;
	char *key; /* owned; the canonical text that must be asked for. NULL: whatever is asked */
	bool is_counted; /* it ends with the last of @count requests */
	uint32_t count;
	bool is_delayed; /* @delay_ms takes the place of the sandbox's latency */
	uint32_t delay_ms;
	unsigned status; /* HTTP; 0: as should be, or 200 if there is a body */
	char *body;      /* owned; NULL: as should be, or empty if there is a status */
	size_t body_length;
	bool is_hanging; /* no answer comes */
};

/** Frees, and ignores NULL. */
void behaviour_free(struct behaviour *behaviour);
define_cleanup(struct behaviour *, behaviour_free);

struct behaviours {
	struct list list;
};

void behaviours_init(struct behaviours *behaviours);

/** Forget all rules. */
void behaviours_clear(struct behaviours *behaviours);

/** Take over @behaviour as the last rule. */
void behaviours_add(struct behaviours *behaviours, struct behaviour *behaviour);

/**
 * Do to @answer what the first rule says that is meant for a request for @key,
 * and count it off. @key is NULL for a request that names none. Returns 0 with
 * *@ret_overruled telling whether status and body are settled thereby; errors as
 * buffer_append().
 */
int behaviours_apply(struct behaviours *behaviours, const struct key *key, struct answer *answer,
                     bool *ret_overruled) must_check;
