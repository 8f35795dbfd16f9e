#pragma once
/* SPDX-License-Identifier: MIT */
/* Fault plans as people write them: JSON, read strictly. See kapturefs-sandbox(1). */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/base/base.h"
#include "kapturefs/sandbox/fault.h"

/** The outcome for a plan that makes no sense. */
enum { PLAN_INVALID = 1 };

/** One line for whoever wrote it, with the rule's place, from 1, and the member's name. */
struct plan_complaint {
	char text[256];
};

/**
 * Read an array of rules, or one rule, and add them to @faults. @has_tls allows what only TLS
 * can do. Returns 0; PLAN_INVALID with *@ret_complaint; -ENOMEM. On failure nothing is added.
 */
int plan_read(const char *text, size_t length, bool has_tls, struct faults *faults,
              struct plan_complaint *ret_complaint) must_check;
