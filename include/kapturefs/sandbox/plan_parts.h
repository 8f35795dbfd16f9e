#pragma once
/* SPDX-License-Identifier: MIT */
/* What the two halves of the reader of fault plans share: plan.c and plan_members.c only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/sandbox/members.h"
#include "kapturefs/sandbox/plan.h"

/* A rule while it is read. */
struct reading {
	struct fault *fault;
	size_t number;
	bool has_tls;
	const char *member;      /* being read */
	const char *of_requests; /* a member that a rule for connections cannot have */
	uint64_t seen;           /* rows of the table */
	struct plan_complaint *complaint;
};

/** Say what is wrong with the member, or the rule, that is being read. Returns PLAN_INVALID. */
int plan_complain(const struct reading *reading, const char *text);

/* A row of the table of members. */
struct row {
	const char *name;
	int (*read)(struct reading *reading, const struct row *row, const struct member *member);
	size_t place;   /* of the number in struct fault, or else what the reader knows */
	size_t flag;    /* of the boolean there that tells a number from none; 0: none */
	uint32_t least; /* number */
	uint32_t most;
	bool is_general; /* rules for connections have it, too */
};

/** All members; each place is a bit of `seen`. */
extern const struct row plan_rows[];
extern const size_t plan_row_count;
