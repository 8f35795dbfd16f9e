#pragma once
/* SPDX-License-Identifier: MIT */
/* How long to wait before trying again: by our own rule, and by the server's. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum { RETRY_AFTER_MAX_MS = 300000 };

/**
 * The pause after try number @tries, which counts from 1: exponential up to 5 s, and by
 * @random, any number, somewhere in its upper half, so that many clients do not come back
 * together.
 */
uint64_t retry_pause_ms(uint32_t tries, uint16_t random) must_check;

/**
 * Read the value of a Retry-After header: seconds, or a date in one of the three forms of RFC
 * 9110, 5.6.7. @now_ms is Unix time. Returns whether it is one of these, with *@ret the time to
 * wait from now, 0 for the past and at most RETRY_AFTER_MAX_MS.
 */
bool retry_after_ms(const char *value, int64_t now_ms, uint64_t *ret) must_check;
