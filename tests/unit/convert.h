#pragma once
/* SPDX-License-Identifier: MIT */
/* The C library's converter: a second opinion on what UTF-8 is. Include cmocka.h first. */

#include <iconv.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Write @length @bytes of the character set @from in the set @to, at most @size of them, to @ret.
 * Returns how many, or SIZE_MAX if the bytes are none of that set.
 */
static inline size_t convert(const char *to, const char *from, const void *bytes, size_t length,
                             void *ret, size_t size)
{
	iconv_t converter = iconv_open(to, from);
	char *input = (char *)(uintptr_t)bytes;
	char *output = ret;
	size_t room = size;
	size_t r;

	assert_true(converter != (iconv_t)-1);
	r = iconv(converter, &input, &length, &output, &room);
	iconv_close(converter);
	return r == 0 && length == 0 ? size - room : SIZE_MAX;
}
