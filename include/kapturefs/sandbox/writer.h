#pragma once
/* SPDX-License-Identifier: MIT */
/* JSON, written member by member. The first error stays, and nothing is appended after it. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct writer {
	struct buffer *buffer;
	int r; /* 0, or as json_append_string() */
	bool is_first;
};

/** Begin and end an array or an object. */
void writer_open(struct writer *writer, const char *bracket);
void writer_close(struct writer *writer, const char *bracket);

/** Begin an element of an array: the comma between two. */
void writer_next(struct writer *writer);

/** Begin a member whose value is written next; its name needs no escaping. */
void writer_name(struct writer *writer, const char *member);

void writer_text(struct writer *writer, const char *member, const char *value);
void writer_number(struct writer *writer, const char *member, uint64_t value);
void writer_boolean(struct writer *writer, const char *member, bool value);

/** A number of tenths, written with its fraction: 0.0 at least, as the API does. */
void writer_amount(struct writer *writer, const char *member, uint32_t tenths);

/** A string of at most 1023 bytes; -EFBIG beyond. */
void writer_print(struct writer *writer, const char *member, const char *format, ...)
        printf_like(3, 4);
