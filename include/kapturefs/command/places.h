#pragma once
/* SPDX-License-Identifier: MIT */
/* Whether what a mount writes is written where nobody else can lay hands on it. */

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/**
 * Look at the places of the cache and the log file, if they are given, as trust.h. Returns 0,
 * -EINVAL with *@complaint, which says which option it is about, or another negative errno.
 */
int places_check(const struct config *config, struct config_complaint *complaint) must_check;
