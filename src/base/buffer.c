/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/buffer.h"

enum { CAPACITY_MIN = 256 };

void buffer_init(struct buffer *buffer, size_t size_max)
{
	*buffer = (struct buffer){ .size_max = size_max };
}

void buffer_fini(struct buffer *buffer)
{
	free(buffer->data);
	buffer_init(buffer, buffer->size_max);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	if (buffer->data)
		buffer->data[0] = '\0';
}

/* Make room for @length more bytes and a NUL. */
static int buffer_reserve(struct buffer *buffer, size_t length)
{
	size_t capacity = buffer->capacity ? buffer->capacity : CAPACITY_MIN;
	char *data;

	if (length > buffer->size_max - buffer->length)
		return -EFBIG;
	if (buffer->data && buffer->capacity - buffer->length > length)
		return 0;

	while (capacity - buffer->length <= length) {
		if (__builtin_mul_overflow(capacity, 2, &capacity))
			return -ENOMEM;
	}
	data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;

	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	int r;

	r = buffer_reserve(buffer, length);
	if (r)
		return r;

	if (length)
		memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
	return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
	return buffer_append(buffer, text, strlen(text));
}

int buffer_print(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int length;
	int r;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -EINVAL;

	r = buffer_reserve(buffer, (size_t)length);
	if (r)
		return r;

	va_start(arguments, format);
	vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t)length;
	return 0;
}

char *buffer_steal(struct buffer *buffer)
{
	char *data = steal(&buffer->data);

	buffer_init(buffer, buffer->size_max);
	return data;
}
