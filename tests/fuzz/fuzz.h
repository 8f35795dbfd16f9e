#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What a fuzz target offers. Its checks are cmocka's: outside a test, as under the engine, a check
 * that fails ends the program, which is what the engine looks for.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kapturefs/base/base.h"

/** Check what must hold for every input; the name is the engine's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/** What is left of an input that is read piece by piece. */
struct input {
	const uint8_t *bytes;
	size_t length;
};

/** The next byte, 0 when there is none. */
static inline uint8_t input_byte(struct input *input)
{
	if (!input->length)
		return 0;
	input->length--;
	return *input->bytes++;
}

/** The next number, of two bytes. */
static inline uint16_t input_number(struct input *input)
{
	unsigned high = input_byte(input);

	return (uint16_t)(high << 8 | input_byte(input));
}

/** What comes before the next @separator, which is skipped; all the rest if there is none. */
static inline struct input input_until(struct input *input, uint8_t separator)
{
	const uint8_t *end = input->length ? memchr(input->bytes, separator, input->length) : NULL;
	struct input part = *input;

	if (end)
		part.length = (size_t)(end - input->bytes);
	input->bytes += part.length + (end ? 1 : 0);
	input->length -= part.length + (end ? 1 : 0);
	return part;
}

/**
 * A copy that ends where the input does, so that a sanitizer sees a step beyond it; with a NUL
 * behind it if it is to be @text. Freed by the caller.
 */
static inline char *input_copy(const struct input *input, bool is_text)
{
	char *copy = malloc(input->length + (is_text || !input->length));

	assert_non_null(copy);
	if (input->length)
		memcpy(copy, input->bytes, input->length);
	if (is_text)
		copy[input->length] = '\0';
	return copy;
}

static inline void free_text(char **text)
{
	free(*text);
}
