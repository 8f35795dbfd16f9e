#pragma once
/* SPDX-License-Identifier: MIT */
/* Numbers that look random and follow from a seed: the same on every machine. */

#include <stdint.h>

struct dice {
	uint64_t state;
};

/** Begin the series of rolls that belongs to @subject (a purpose and a number, say) under @seed. */
struct dice dice_of(uint64_t seed, uint64_t purpose, uint64_t subject);

/** The next number below @sides, which must not be 0. */
uint32_t dice_roll(struct dice *dice, uint32_t sides);

enum { DICE_PERMUTATION_SIZE = 1 << 28 };

/**
 * Where @value, below DICE_PERMUTATION_SIZE, goes in the permutation that
 * belongs to @purpose under @seed.
 */
uint32_t dice_permute(uint64_t seed, uint64_t purpose, uint32_t value);

/** The way back. */
uint32_t dice_unpermute(uint64_t seed, uint64_t purpose, uint32_t value);
