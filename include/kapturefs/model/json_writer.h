#pragma once
/* SPDX-License-Identifier: MIT */
/* JSON written piece by piece. The first error is kept, and nothing is appended after it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct json_writer {
	struct buffer *text;
	int error;
	int depth;
	bool is_first; /* of its object or array */
	bool is_compact;
};

/** Begin a text that is indented for people, with a newline at its end. */
struct json_writer json_begin(struct buffer *text);

/** Begin a text without blanks and newlines. */
struct json_writer json_begin_compact(struct buffer *text);

/** End the text. Returns 0 or the first error. */
int json_end(struct json_writer *writer) must_check;

/*
 * Add a value, @name NULL for an element of an array. Text that is no UTF-8 is written with `?` for
 * every byte that is not ASCII.
 */
void json_text(struct json_writer *writer, const char *name, const char *text);
void json_number(struct json_writer *writer, const char *name, uint64_t number);
void json_flag(struct json_writer *writer, const char *name, bool flag);

/** Add @number divided by 10^@digits, with all its digits. */
void json_decimal(struct json_writer *writer, const char *name, uint64_t number, int digits);

/** Add formatted text of at most 1023 bytes; -EFBIG beyond. */
void json_print(struct json_writer *writer, const char *name, const char *format, ...)
        printf_like(3, 4);

/** Open an object or an array with its @bracket, and close it. */
void json_open(struct json_writer *writer, const char *name, char bracket);
void json_close(struct json_writer *writer, char bracket);

/**
 * Append @length bytes of @text as a JSON string with its quotes. Returns 0, -EILSEQ if @text is
 * not UTF-8, or what buffer_append() returns; on failure nothing changed.
 */
int json_append_string(struct buffer *buffer, const char *text, size_t length) must_check;
