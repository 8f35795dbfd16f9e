#pragma once
/* SPDX-License-Identifier: MIT */
/* Bytes that grow up to a ceiling. */

#include <stddef.h>

#include "kapturefs/base/base.h"

/** @data is NUL-terminated beyond @length whenever it is not NULL. */
struct buffer {
	char *data;
	size_t length;
	size_t capacity;
	size_t size_max;
};

/** Begin empty in the caller's memory; the buffer never holds more than @size_max bytes. */
void buffer_init(struct buffer *buffer, size_t size_max);

/** Free the bytes; the buffer may be used again. */
void buffer_fini(struct buffer *buffer);

/** Forget the content, keep the memory. */
void buffer_clear(struct buffer *buffer);

/**
 * Append @length bytes. Returns 0, -EFBIG beyond the ceiling, -ENOMEM; on failure nothing
 * changed.
 */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length) must_check;

/** Append a string without its NUL; errors as buffer_append(). */
int buffer_append_text(struct buffer *buffer, const char *text) must_check;

/** Append formatted text; errors as buffer_append(). */
int buffer_print(struct buffer *buffer, const char *format, ...) must_check printf_like(2, 3);

/**
 * Hand the bytes over to the caller, who frees them; the buffer is empty again. NULL if it never
 * held any.
 */
char *buffer_steal(struct buffer *buffer);
