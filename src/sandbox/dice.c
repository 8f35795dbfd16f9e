/* SPDX-License-Identifier: MIT */

#include <assert.h>

#include "kapturefs/sandbox/dice.h"

enum {
	ROUNDS = 4,
	HALF_BITS = 14,
	HALF_MASK = (1 << HALF_BITS) - 1,
};

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit depends on every bit. */
static uint64_t mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

struct dice dice_of(uint64_t seed, uint64_t purpose, uint64_t subject)
{
	return (struct dice){ .state = mix(mix(mix(seed) ^ purpose) ^ subject) };
}

uint32_t dice_roll(struct dice *dice, uint32_t sides)
{
	assert(sides > 0);
	dice->state = mix(dice->state);
	return (uint32_t)((dice->state >> 32) * sides >> 32);
}

/*
 * A Feistel network: whatever the round function is, running the rounds
 * backwards undoes them, so a number found in a request leads back to its index without any table.
 */
static uint32_t round_of(uint64_t seed, uint64_t purpose, unsigned number, uint32_t half)
{
	struct dice dice = dice_of(seed, purpose << 8 | number, half);

	return (uint32_t)dice.state & HALF_MASK;
}

uint32_t dice_permute(uint64_t seed, uint64_t purpose, uint32_t value)
{
	uint32_t left = value >> HALF_BITS;
	uint32_t right = value & HALF_MASK;

	assert(value < DICE_PERMUTATION_SIZE);
	for (unsigned number = 0; number < ROUNDS; number++) {
		uint32_t next = left ^ round_of(seed, purpose, number, right);

		left = right;
		right = next;
	}
	return left << HALF_BITS | right;
}

uint32_t dice_unpermute(uint64_t seed, uint64_t purpose, uint32_t value)
{
	uint32_t left = value >> HALF_BITS;
	uint32_t right = value & HALF_MASK;

	assert(value < DICE_PERMUTATION_SIZE);
	for (unsigned number = ROUNDS; number-- > 0;) {
		uint32_t previous = right ^ round_of(seed, purpose, number, left);

		right = left;
		left = previous;
	}
	return left << HALF_BITS | right;
}
