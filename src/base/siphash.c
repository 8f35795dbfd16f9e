/* SPDX-License-Identifier: MIT */

#include "kapturefs/base/siphash.h"

static uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static void do_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void take_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	do_round(v);
	do_round(v);
	v[0] ^= word;
}

static uint64_t read_word(const unsigned char *bytes, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

uint64_t siphash(struct siphash_key key, const void *bytes, size_t length)
{
	const unsigned char *start = bytes;
	uint64_t v[4] = {
		UINT64_C(0x736f6d6570736575) ^ key.words[0],
		UINT64_C(0x646f72616e646f6d) ^ key.words[1],
		UINT64_C(0x6c7967656e657261) ^ key.words[0],
		UINT64_C(0x7465646279746573) ^ key.words[1],
	};
	size_t words = length / 8;

	for (size_t i = 0; i < words; i++)
		take_word(v, read_word(start + i * 8, 8));
	take_word(v, read_word(start + words * 8, length % 8) | (uint64_t)length << 56);

	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		do_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
