#pragma once
/* SPDX-License-Identifier: MIT */
/* The bodies that clients and tests send, read strictly. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/key.h"
#include "kapturefs/sandbox/customers.h"

/** The outcome for a body that makes no sense. */
enum { MESSAGE_INVALID = 1 };

/**
 * Read the body of a Get Customer request: an array of one object with at least
 * one key in it, as a string or a number. Of several keys the id counts before
 * the e-mail before the phone; `""` and `null` are keys left out; other members
 * are ignored. Returns 0, MESSAGE_INVALID, -ENOMEM.
 */
int message_read_request(const char *body, size_t length, struct key *ret) must_check;

/** What a Pull Customer request asks for. */
struct message_range {
	uint64_t account;
	int32_t first; /* days, as in date.h */
	int32_t last;
	uint64_t limit; /* 100, if it is left out or empty */
	uint64_t offset;
};

/**
 * Read the body of a Pull Customer request: an object with `cm_id`, `createStartDate` and
 * `createEndDate`, the days in order, and perhaps `limit` and `offset`; numbers may be strings, and
 * other members are ignored. Returns 0, MESSAGE_INVALID, -ENOMEM.
 */
int message_read_range(const char *body, size_t length, struct message_range *ret) must_check;

/**
 * Read a change: an object with `id` and any of `set` (an object), `remove` (an array of names),
 * `deleted` (a boolean), and nothing else. Returns 0, *@ret to be ended with change_fini();
 * MESSAGE_INVALID, -ENOMEM.
 */
int message_read_change(const char *body, size_t length, struct key *ret_id,
                        struct change *ret) must_check;

/** Read digits as a number from @minimum to @maximum. Returns whether it is one. */
bool message_read_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret);
