#pragma once
/* SPDX-License-Identifier: MIT */
/* SipHash-2-4 (Aumasson, Bernstein): a hash by a key, which nobody without it can foresee. */

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t words[2];
};

/** The hash of @length bytes by @key; the same on every machine. */
uint64_t siphash(struct siphash_key key, const void *bytes, size_t length);
