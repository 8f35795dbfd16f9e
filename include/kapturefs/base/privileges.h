#pragma once
/* SPDX-License-Identifier: MIT */
/* Giving up what root can do. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/** The bit of a capability of capabilities(7) in a set of them. */
#define privileges_bit(capability) (UINT64_C(1) << (capability))

/** Whether this thread has all of @capabilities at hand. */
bool privileges_have(uint64_t capabilities) must_check;

/**
 * Give up, for good, every capability but those in @kept, and the ways to come to others: neither
 * a set-user-ID program nor a program started as root gives any back. Holds for this thread and
 * for the threads and programs that it starts from now on. Returns 0 or a negative errno.
 */
int privileges_keep(uint64_t kept) must_check;
