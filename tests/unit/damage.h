#pragma once
/* SPDX-License-Identifier: MIT */
/* What can happen to the bytes of a file, by the throw of dice. Include cmocka.h first. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE = 4096 };

struct bytes {
	char *data;
	size_t length;
};

struct dice {
	uint64_t state;
};

typedef void damage_fn(struct dice *dice, struct bytes *bytes);

/* splitmix64 (Vigna), public domain */
static inline uint64_t roll(struct dice *dice, uint64_t sides)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % sides;
}

/* Files */

static inline struct bytes read_file(const char *path)
{
	struct bytes bytes = { 0 };
	struct stat status;
	FILE *file = fopen(path, "r");

	if (!file)
		return bytes;
	assert_int_equal(fstat(fileno(file), &status), 0);
	bytes.length = (size_t)status.st_size;
	bytes.data = malloc(bytes.length + 1);
	assert_int_equal(fread(bytes.data, 1, bytes.length, file), bytes.length);
	fclose(file);
	return bytes;
}

/* Private, as a cache's are. */
static inline void write_file(const char *path, const struct bytes *bytes)
{
	mode_t previous = umask(077);
	FILE *file = fopen(path, "w");

	umask(previous);
	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, 1, bytes->length, file), bytes->length);
	assert_int_equal(fclose(file), 0);
}

static inline struct bytes copy_of(const struct bytes *bytes)
{
	struct bytes copy = { malloc(bytes->length + 1), bytes->length };

	if (bytes->length)
		memcpy(copy.data, bytes->data, bytes->length);
	return copy;
}

/* Kinds of damage */

static inline void flip_bit(struct dice *dice, struct bytes *bytes)
{
	bytes->data[roll(dice, bytes->length)] ^= (char)(1 << roll(dice, 8));
}

static inline void flip_bits(struct dice *dice, struct bytes *bytes)
{
	for (uint64_t left = 1 + roll(dice, 30); left; left--)
		flip_bit(dice, bytes);
}

static inline void cut(struct dice *dice, struct bytes *bytes)
{
	bytes->length = roll(dice, bytes->length);
}

static inline size_t page_at(struct dice *dice, const struct bytes *bytes)
{
	return roll(dice, bytes->length / PAGE) * PAGE;
}

static inline void clear_page(struct dice *dice, struct bytes *bytes)
{
	memset(bytes->data + page_at(dice, bytes), 0, PAGE);
}

static inline void swap_pages(struct dice *dice, struct bytes *bytes)
{
	char *left = bytes->data + page_at(dice, bytes);
	char *right = bytes->data + page_at(dice, bytes);
	char page[PAGE];

	memcpy(page, left, PAGE);
	memmove(left, right, PAGE);
	memcpy(right, page, PAGE);
}

/* Sectors of noise, as a disk returns them that wrote half of what it was told. */
static inline void tear(struct dice *dice, struct bytes *bytes)
{
	size_t start = roll(dice, bytes->length / 512) * 512;

	for (size_t i = start; i < bytes->length && i < start + 4096; i++)
		bytes->data[i] = (char)roll(dice, 256);
}
